#!/bin/sh
# pytest 9.0.2 and 9.2.0 (PyPI): a failed subtest of a unittest.TestCase and one of pytest's own `subtests` fixture.
#
# Since 9.0 pytest runs subtests itself. With its own fixture a test with a failed subtest has failed: one test, "1 failed" for
# the subtest, "1 failed" for the test, none passed. With `self.subTest` of unittest the same test is printed as PASSED and
# counted as passed, beside "1 failed" for its subtest: one collected test, two results, and no line that names it as failed
# but "SUBFAILED(n=1)", which no reader that waits for "FAILED " finds. The exit status is 1 in both.
#
# What it means for us: passed + failed may exceed the number collected, and SUBFAILED is read as a failed test.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/test_unittest.py" <<'PYTHON'
import unittest
class Case(unittest.TestCase):
    def test_it(self):
        for n in range(2):
            with self.subTest(n=n):
                assert n == 0
PYTHON
cat > "$work/test_fixture.py" <<'PYTHON'
def test_it(subtests):
    for n in range(2):
        with subtests.test(n=n):
            assert n == 0
PYTHON
for version in 9.0.2 9.2.0; do
    python3 -m venv "$work/$version"
    "$work/$version/bin/pip" -q install --disable-pip-version-check "pytest==$version"
    for kind in unittest fixture; do
        code=0
        said=$(cd "$work" && "$work/$version/bin/pytest" -v -p no:cacheprovider "test_$kind.py") || code=$?
        result=$(printf '%s\n' "$said" | tail -n 1 | sed 's/ in .*//; s/^=* //')
        named=$(printf '%s\n' "$said" | grep -c -e '^FAILED test_' || true)
        echo "pytest $version, $kind: exit $code, $result; lines 'FAILED': $named"
        case "$kind:$code:$result:$named" in
            "unittest:1:1 failed, 1 passed, 1 subtests passed:0") ;;
            "fixture:1:2 failed, 1 subtests passed:1") ;;
            *) echo "pytest $version behaves differently now" >&2; exit 1 ;;
        esac
    done
done
