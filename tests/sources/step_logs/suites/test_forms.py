"""Results of test suites, read as their runners print them."""

from __future__ import annotations

import pytest

from build_exporter.sources.step_logs.suites import Results, SuiteReader


def read(text: str) -> dict[str, Results]:
    """Return the results in a log."""
    reader = SuiteReader()
    for line in text.split("\n"):
        reader.feed(line)
    reader.finish()
    return reader.results


WRITTEN = {
    "two dejagnu tools": (
        """
\t\t=== a Summary ===
# of expected passes\t\t10
\t\t=== b Summary ===
# of expected passes\t\t20
""",
        {"a": Results(passed=10), "b": Results(passed=20)},
    ),
    "dejagnu, one tool in two directories, beginnings cut off": (
        "\t\t=== a Summary ===\n# of expected passes\t\t10\nx\n\t\t=== a Summary ===\n# of expected passes\t\t20\nx\n",
        {"a": Results(passed=30)},
    ),
    "automake": (
        """
Testsuite summary for thing 1.2
=====
# TOTAL: 12
# PASS:  8
# SKIP:  1
# XFAIL: 1
# FAIL:  1
# XPASS: 0
# ERROR: 1
=====
See ./test-suite.log
""",
        {"thing 1.2": Results(passed=8, failed=1, expected_failed=1, skipped=1, errors=1)},
    ),
    "automake in two directories": (
        """
Testsuite summary for thing 1.2
# PASS:  8
# FAIL:  0
=====
make[1]: Leaving directory 'a'
Testsuite summary for thing 1.2
# PASS:  2
# FAIL:  1
""",
        {"thing 1.2": Results(passed=10, failed=1)},
    ),
    "old automake": ("All 46 tests passed\n3 of 10 tests failed\n", {"make check": Results(passed=53, failed=3)}),
    "glibc": (
        """
Summary of test results:
      2 FAIL
   5113 PASS
     11 UNSUPPORTED
     16 XFAIL
      4 XPASS
make: end
""",
        {"glibc": Results(passed=5113, failed=2, expected_failed=16, unexpected_passed=4, skipped=11)},
    ),
    "glibc since 2.43": (
        """
\t\t=== Summary of results ===
      2 FAIL
   5113 PASS
make: end
""",
        {"glibc": Results(passed=5113, failed=2)},
    ),
    "util-linux": (
        """
         misc: swaplabel                      ... OK
         lsfd: SOURCE column                  ... FAILED (lsfd/column-source)
---------------------------------------------------------------------
  1 tests of 252 FAILED

      lsfd/column-source
---------------------------------------------------------------------
""",
        {"util-linux": Results(passed=251, failed=1)},
    ),
    "e2fsprogs": (
        """
f_badinode: corrupt inode: ok
m_rootdir_acl: create fs image from dir with ACL: failed
391 tests succeeded\t1 tests failed
Tests failed: m_rootdir_acl
""",
        {"e2fsprogs": Results(passed=391, failed=1)},
    ),
    "prove": (
        """
Failed 2/120 test programs. 3/3456 subtests failed.
Files=120, Tests=3456, 12 wallclock secs
""",
        {"prove": Results(passed=3453, failed=3)},
    ),
    "unittest": (
        """
Ran 12 tests in 0.512s

FAILED (failures=1, errors=2, skipped=3, expected failures=1)
""",
        {"unittest": Results(passed=5, failed=1, errors=2, skipped=3, expected_failed=1)},
    ),
    "gtest": (
        """
[==========] 12 tests from 3 test suites ran. (5 ms total)
[  PASSED  ] 9 tests.
[  SKIPPED ] 1 test, listed below:
[  FAILED  ] 2 tests, listed below:
""",
        {"gtest": Results(passed=9, failed=2, skipped=1)},
    ),
    "unittest within a make check": (
        """
PASS: a.sh
======================================================================
FAIL: test_b (t.T.test_b)
-----
Ran 2 tests in 0.1s

FAILED (failures=1)
""",
        {"make check": Results(passed=1), "unittest": Results(passed=1, failed=1)},
    ),
    "tests within a test": (
        """
Test project /b
    Start 1: a
[==========] Running 1 test from 1 test suite.
[  FAILED  ] A.b (0 ms)
not ok 1
1/1 Test #1: a ....***Failed    0.01 sec

0% tests passed, 1 tests failed out of 1
""",
        {"ctest": Results(failed=1)},
    ),
    "a log of tests shown": (
        """
FAIL: b.sh
===
   x 1.2: ./test-suite.log
===

# FAIL:  1

FAIL: b.sh
===

not ok 1
Ran 3 tests in 0.1s
OK
FAIL b.sh (exit status: 1)
===
Testsuite summary for x 1.2
===
# PASS:  0
# FAIL:  1
===
""",
        {"x 1.2": Results(failed=1)},
    ),
    "on a terminal": (
        """
\x1b[0;32mPASS\x1b[m: a.sh
[1/2] x\r1/2 a   \x1b[1m\x1b[32mOK\x1b[0m      0.02s\r

\x1b[1mOk:                1
""",
        {"make check": Results(passed=1), "meson": Results(passed=1)},
    ),
    "tap, the plan at the end": (
        "ok 1 - a\nnot ok 2 - b # TODO later\nok 3 # SKIP no tool\n    ok 1 - within\n1..3\n",
        {"tap": Results(passed=1, expected_failed=1, skipped=1)},
    ),
    "tap, two streams": (
        "1..2\nok 1\nok 2\n1..1\nok 1 - c # TODO done\n1..0 # SKIP not here\n",
        {"tap": Results(passed=2, unexpected_passed=1, skipped=1)},
    ),
    "tap, a hash in a name": (
        (
            "1..6\nok 1 - reads \\# SKIP\nok 2 - reads \\# TODO\nnot ok 3 - keeps \\# TODO\nok 4 - C# is read\n"
            "ok 5 - issue # 7 # TODO x\nnot ok 6 - a\\\\# TODO later\n"
        ),
        {"tap": Results(passed=4, failed=1, expected_failed=1)},
    ),
    "prove, a newer version of tap": (
        (
            "./new.t .. \nAll 2 subtests passed \n\nTest Summary Report\n-------------------\n"
            "./new.t (Wstat: 0 Tests: 2 Failed: 0)\n"
            "  Parse errors: TAP specified version 14 but we don't know about versions later than 13\n"
            "Files=1, Tests=2,  0 wallclock secs ( 0.03 usr +  0.00 sys =  0.03 CPU)\nResult: FAIL\n"
        ),
        {"prove": Results(passed=2, errors=1)},
    ),
    "prove, in parts": (
        (
            "./a.t (Wstat: 256 (exited 1) Tests: 3 Failed: 1)\n  Failed test:  2\n  Non-zero exit status: 1\n"
            "./b.t (Wstat: 0 Tests: 8 Failed: 0)\n  TODO passed:   3, 5-8\n"
            "Failed 1/2 test programs. 1/11 subtests failed.\nFiles=2, Tests=11,  0 wallclock secs\n"
        ),
        {"prove": Results(passed=5, failed=1, unexpected_passed=5)},
    ),
    "meson, while it runs": (
        (
            "1/9 a   OK  0.02s\n 2/9 b   FAIL  0.02s\n3/9 c   TIMEOUT  30.0s\n4/9 d   ERROR  0.1s\n5/9 e   SKIP  0.1s\n"
            "6/9 f   EXPECTEDFAIL  0.1s\n7/9 g   UNEXPECTEDPASS  0.1s\n8/9 h   RUNNING  9.1s\n9/9 i   INTERRUPT  0.1s\n"
            "10/9 j  OK  0.1s\n"
        ),
        {"meson": Results(1, 3, 1, 1, 1, 1)},
    ),
    "meson": (
        (
            "1/9 a OK 0.1s\n\nOk:                 3\nExpected Fail:      1\nFail:               2\n"
            "Unexpected Pass:    1\nSkipped:            1\nTimeout:            1\n\nFull log written to x\n"
        ),
        {"meson": Results(3, 3, 1, 1, 1)},
    ),
    "pytest, without percentages": (
        "t.py::test_z PASSED\n=== test session starts ===\nt.py::test_a PASSED\nt.py::test_b XPASS (why)\n",
        {"pytest": Results(1, unexpected_passed=1)},
    ),
    "tap, given up": ("1..9\nok 1\nBail out! no disk\n", {"tap": Results(passed=1, errors=1)}),
    "tap, begun again": ("1..2\nok 1 - a\nok 1 - b\n1..1\n", {"tap": Results(passed=2, errors=1)}),
    "tap, too few": ("1..3\nok 1\n1..1\nok 1\n", {"tap": Results(passed=2, errors=2)}),
    "no tap": ("ok\nnot ok\nok 7\nchecking... ok 1\nok then\n1..x\n", {}),
    "a profile being learnt": (
        """
0:00:00 load avg: 3.47 Run 44 tests sequentially (timeout: 20 min)
0:00:00 load avg: 3.47 [ 1/44] test_array
make[1]: Leaving directory '/x'
PASS: a
""",
        {"make check": Results(passed=1)},
    ),
    "errors that are no tests": ("ERROR: Could not find a version\nUNRESOLVED: external\n", {}),
    "none": ("checking for tests... yes\nmake check\n12 of the tests\n=== 1 in 2 ===\n", {}),
}
"""Logs in the forms the runners print, written for this test, with their results."""


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_the_forms_of_runners_are_read(name: str) -> None:
    """Passed, failed, expected, skipped and broken tests are distinguished, as the runner does."""
    text, expected = WRITTEN[name]
    assert read(text) == expected
