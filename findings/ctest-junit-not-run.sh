#!/bin/sh
# CMake 4.4.0 (PyPI): a red run of ctest whose JUnit file is green.
#
# A test whose program was not built, and one whose fixture could not be set up, are "***Not Run" on the console: they count
# as failed in the summary, they are listed under "The following tests FAILED", and ctest ends with 8. In the file of
# --output-junit the same tests are <skipped>, so that a run in which nothing was built has no failure there at all. A
# disabled test is one of the file's `tests`, but none of the console's total. Seen:
#
#     exit status 8; console: 50% tests passed, 1 tests failed out of 2
#     JUnit: tests="3" failures="0" disabled="1" skipped="1"
#
# What it means for us: results are read from the console, where "Not Run" is a failure; the guide to tests says so.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install --disable-pip-version-check cmake==4.4.0
mkdir "$work/source"
cat > "$work/source/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.20)
project(three NONE)
enable_testing()
add_test(NAME good COMMAND ${CMAKE_COMMAND} -E true)
add_test(NAME unbuilt COMMAND ${CMAKE_BINARY_DIR}/unbuilt)
add_test(NAME disabled COMMAND ${CMAKE_COMMAND} -E true)
set_tests_properties(disabled PROPERTIES DISABLED ON)
CMAKE
"$work/venv/bin/cmake" -S "$work/source" -B "$work/build" > /dev/null
status=0
"$work/venv/bin/ctest" --test-dir "$work/build" --output-junit "$work/junit.xml" > "$work/out" 2>&1 || status=$?
console=$(grep 'tests passed' "$work/out")
junit=$(grep -oE '(tests|failures|disabled|skipped)="[0-9]+"' "$work/junit.xml" | tr '\n' ' ')
printf 'exit status %s; console: %s\nJUnit: %s\n' "$status" "$console" "$junit"
if [ "$status:$console" != '8:50% tests passed, 1 tests failed out of 2' ] ||
    [ "$junit" != 'tests="3" failures="0" disabled="1" skipped="1" ' ]; then
    echo "ctest counts otherwise now" >&2
    exit 1
fi
