#!/bin/sh
# lit 18.1.8 and 23.1.5 (PyPI, LLVM's test runner): the line of a test that was tried again.
#
# With ALLOW_RETRIES a test that fails is run again. In 18 its line is that of every other test; 23 writes the attempts into
# the parentheses that hold the number of the test: "(1 of 2, 3 of 3 attempts)". A reader of lines that ends at "(1 of 2)" sees
# neither that test's failure nor its name, and of no other test anything is different. Seen:
#
#     18.1.8: FAIL: S :: never.t (1 of 2)
#     23.1.5: FAIL: S :: never.t (1 of 2, 3 of 3 attempts)
#
# What it means for us: the reader of lit's lines takes both.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/suite"
cat >"$work/suite/lit.cfg" <<'END'
import lit.formats
config.name = "S"
config.suffixes = [".t"]
config.test_format = lit.formats.ShTest(execute_external=False)
END
printf '# ALLOW_RETRIES: 2\n# RUN: false\n' >"$work/suite/never.t"
printf '# RUN: true\n' >"$work/suite/passes.t"
for version in 18.1.8 23.1.5; do
    python3 -m venv "$work/$version"
    "$work/$version/bin/pip" install -q "lit==$version"
    rm -rf "$work/suite/Output"
    "$work/$version/bin/lit" -j1 "$work/suite" >"$work/log" || true
    line=$(grep '^FAIL' "$work/log")
    echo "$version: $line"
    case $version in
    18*) echo "$line" | grep -Eq '\([0-9]+ of 2\)$' ;;
    *) echo "$line" | grep -Eq '\([0-9]+ of 2, 3 of 3 attempts\)$' ;;
    esac || { echo "not as stated" >&2; exit 1; }
done
