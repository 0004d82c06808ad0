#!/bin/sh
# Bats 1.13.0 (npm): a failed setup_file and a failed teardown_file, as TAP and as JUnit.
#
# a.bats has two tests and a setup_file that fails: instead of its tests one line stands there, with the number of the first.
# b.bats has one test, which passes, and a teardown_file that fails: its line has a number of its own. The plan counts the
# tests alone. So a stream with the plan 1..3 has the numbers 1, 3, 4: one test is missing, one number is beyond the plan, and
# the number of lines is right all the same. JUnit blames the test that passed: b.bats has tests="2" and a single testcase,
# "b one", with a failure. Seen:
#
#     1..3 / not ok 1 setup_file failed / ok 3 b one / not ok 4 teardown_file failed
#     <testcase ... name="b one" ...><failure ...>
#
# What it means for us: the reader of TAP counts lines and takes no number for an index, so it reports one passed, two failed.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --prefix "$work" bats@1.13.0 >/dev/null
printf 'setup_file() { false; }\n@test "a one" { true; }\n@test "a two" { true; }\n' >a.bats
printf 'teardown_file() { false; }\n@test "b one" { true; }\n' >b.bats
bash node_modules/bats/bin/bats --formatter tap a.bats b.bats | grep -v '^#' >tap || true
bash node_modules/bats/bin/bats --formatter junit a.bats b.bats | tr -d '\n' >junit || true
cat tap
printf '1..3\nnot ok 1 setup_file failed\nok 3 b one\nnot ok 4 teardown_file failed\n' | cmp - tap ||
    { echo "another stream" >&2; exit 1; }
grep -Eo '<testsuite name="b.bats" tests="[0-9]+" failures="[0-9]+"' junit
grep -Eo '<testcase classname="b.bats" name="b one" time="[0-9.]+"> *<failure' junit
grep -q '<testsuite name="b.bats" tests="2" failures="1"' junit || { echo "another JUnit" >&2; exit 1; }
