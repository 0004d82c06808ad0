#!/bin/sh
# CMake 4.4.0 (PyPI): the lines of ctest --repeat until-pass.
#
# A test that fails at first and passes when it is repeated keeps the line "2/2 Test #2: flaky ...***Failed" for good. Its
# success is printed without the counter ("    Test #2: flaky ...   Passed"), the summary counts the test as passed and does
# not mention the failure, the exit status is 0, and the JUnit file holds the last result alone. So in a green run the lines
# with a counter show a failure, and no line with a counter takes it back.
#
# What it means for us: the last result of a test of CTest counts, with or without a counter, for results and for reasons.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install --disable-pip-version-check cmake==4.4.0
mkdir "$work/source"
cat > "$work/source/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.20)
project(flaky NONE)
enable_testing()
add_test(NAME steady COMMAND ${CMAKE_COMMAND} -E true)
add_test(NAME flaky COMMAND sh -c "test -e seen || { touch seen; exit 1; }")
CMAKE
"$work/venv/bin/cmake" -S "$work/source" -B "$work/build" > /dev/null
status=0
"$work/venv/bin/ctest" --test-dir "$work/build" --repeat until-pass:3 --output-junit "$work/junit.xml" > "$work/out" || status=$?
grep -E 'Test +#|tests passed' "$work/out"
echo "exit status $status; JUnit: $(grep -o 'failures="[0-9]*"' "$work/junit.xml")"
counted=$(grep -E '[0-9]+/[0-9]+ Test ' "$work/out" | grep -c 'Failed' || true)
taken_back=$(grep -E '[0-9]+/[0-9]+ Test +#2' "$work/out" | grep -c 'Passed' || true)
if [ "$status:$counted:$taken_back" != 0:1:0 ] || ! grep -q '100% tests passed out of 2' "$work/out" || ! grep -q 'failures="0"' "$work/junit.xml"; then
    echo "ctest prints something else now" >&2
    exit 1
fi
