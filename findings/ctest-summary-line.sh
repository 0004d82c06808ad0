#!/bin/sh
# CMake 4.3.2 and 4.4.0 (PyPI): the last line of ctest.
#
# Up to 4.3 a run without a failure ends in "100% tests passed, 0 tests failed out of 2". 4.4 prints "100% tests passed out
# of 2", and the number of failures only where there are some. A reader that waits for "N tests failed" takes a green run of
# 4.4 for one without a result.
#
# What it means for us: the reader of test results takes both.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/source"
cat > "$work/source/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.10)
project(two NONE)
enable_testing()
add_test(NAME one COMMAND ${CMAKE_COMMAND} -E true)
add_test(NAME two COMMAND ${CMAKE_COMMAND} -E true)
CMAKE
for version in 4.3.2 4.4.0; do
    python3 -m venv "$work/$version"
    "$work/$version/bin/pip" -q install --disable-pip-version-check "cmake==$version"
    "$work/$version/bin/cmake" -S "$work/source" -B "$work/build-$version" > /dev/null
    line=$("$work/$version/bin/ctest" --test-dir "$work/build-$version" | grep 'tests passed')
    echo "ctest $version: $line"
    case $version:$line in
        "4.3.2:100% tests passed, 0 tests failed out of 2" | "4.4.0:100% tests passed out of 2") ;;
        *) echo "ctest $version prints another line now" >&2; exit 1 ;;
    esac
done
