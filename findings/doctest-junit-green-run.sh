#!/bin/sh
# doctest 2.4.9 and Catch2 2.13.10 (Debian 12): JUnit files of a run without a failure.
#
# One test case with three good checks, one marked may_fail ([!mayfail]) with two bad checks, one marked should_fail
# ([!shouldfail]) with one. Both programs exit with 0. doctest's console says "3 passed | 0 failed", its JUnit file has
# tests="6" failures="3": assertions, not tests, and those that may fail are failures. Catch2 says "1 passed | 2 failed as
# expected"; its file has tests="6" failures="0", and each of the two tests has <skipped> and <failure> elements at once,
# although it ran and was not skipped. A reader of JUnit sees a red run with doctest, and counts that no console has.
#
# What it means for us: the summaries of both are read from the console, where a test case is one test.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -q download doctest-dev=2.4.9~ds-1 catch2=2.13.10-1 > /dev/null 2>&1
for package in ./*.deb; do dpkg-deb -x "$package" .; done
cat > cases.h <<'CPP'
TEST_CASE("three") { CHECK(1 == 1); CHECK(2 == 2); CHECK(3 == 3); }
TEST_CASE("may" MAY) { CHECK(1 == 2); CHECK(1 == 3); }
TEST_CASE("should" SHOULD) { CHECK(1 == 2); }
CPP
cat > doctest.cpp <<'CPP'
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
#define MAY *doctest::may_fail()
#define SHOULD *doctest::should_fail()
#include "cases.h"
CPP
cat > catch2.cpp <<'CPP'
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#define MAY , "[!mayfail]"
#define SHOULD , "[!shouldfail]"
#include "cases.h"
CPP
for name in doctest catch2; do
    g++ -O0 -Iusr/include "$name.cpp" -o "$name"
    "./$name" > "$name.txt" || { echo "$name fails" >&2; exit 1; }
    "./$name" -r=junit > "$name.xml" || { echo "$name fails" >&2; exit 1; }
    console=$(sed -n 's/.*test cases: *//p' "$name.txt" | tr -s ' ')
    junit="$(grep -oE ' (tests|failures)="[0-9]+"' "$name.xml" | sort | tr -d '\n')"
    junit="$junit $(grep -c '<failure' "$name.xml") failure, $(grep -c '<skipped' "$name.xml" || true) skipped elements"
    echo "$name: exit 0; console: $console; JUnit:$junit"
    case "$name:$console:$junit" in
        'doctest:3 | 3 passed | 0 failed | 0 skipped: failures="3" tests="6" 3 failure, 0 skipped elements') ;;
        'catch2:3 | 1 passed | 2 failed as expected: failures="0" tests="6" 3 failure, 2 skipped elements') ;;
        *) echo "$name counts otherwise now" >&2; exit 1 ;;
    esac
done
