"""Runners of newer languages and libraries, in the forms they print."""

from __future__ import annotations

import pytest

from build_exporter.sources.step_logs.suites import Results, SuiteReader

NEWER = {
    "lit": (
        """
[0/1] Running all regression tests
-- Testing: 480 tests, 8 workers --
Testing:  0.. 10.. 20..
FAIL: LLVM :: Transforms/x.ll (231 of 480)
******************** TEST 'LLVM :: Transforms/x.ll' FAILED ********************
Exit Code: 1
********************
Failed Tests (1):
  LLVM :: Transforms/x.ll


Testing Time: 61.66s

Total Discovered Tests: 480
  Skipped          :      3 (0.62%)
  Unsupported      :     17 (3.54%)
  Passed           :    450 (93.75%)
  Expectedly Failed:      9 (1.87%)
  Failed           :      1 (0.20%)
FAILED: CMakeFiles/check-all
""",
        {"lit": Results(450, 1, 9, skipped=20)},
    ),
    "lit of LLVM 10": (
        (
            "-- Testing: 9 tests, 2 threads --\nTesting Time: 1.5s\n  Expected Passes    : 6\n"
            "  Expected Failures  : 1\n"
            "  Unsupported Tests  : 1\n  Unexpected Failures: 1\n"
        ),
        {"lit": Results(6, 1, 1, skipped=1)},
    ),
    "lit, tests that hang": (
        (
            "TIMEOUT: x :: a (1 of 3)\nFLAKYPASS: x :: b (2 of 3)\nUNRESOLVED: x :: c (3 of 3)\nTesting Time: 9s\n"
            "  Timed Out        : 1\n  Passed With Retry: 1\n  Unresolved       : 1\n"
        ),
        {"lit": Results(1, 1, errors=1)},
    ),
    "lit of LLVM 23, cut while tests that failed were tried again": (
        (
            "-- Testing: 9 tests, 2 workers --\nPASS: S :: a.t (1 of 9)\n"
            "FLAKYPASS: S :: b.t (2 of 9, 2 of 3 attempts)\nFAIL: S :: c.t (3 of 9, 3 of 3 attempts)\n"
        ),
        {"lit": Results(2, 1)},
    ),
    "TAP 13 of Bats, whose skipped tests are not ok": (
        "TAP version 13\n1..2\nok 1 one\nnot ok 2 two # SKIP no root\n",
        {"tap": Results(1, skipped=1)},
    ),
    "TAP of Bats, whose failed hooks have numbers beyond the plan": (
        "1..3\nnot ok 1 setup_file failed\nok 3 b one\nnot ok 4 teardown_file failed\n",
        {"tap": Results(1, 2)},
    ),
    "libtest": (
        (
            "running 3 tests\ntest a ... ok\ntest b ... FAILED\ntest c ... ignored\n\nfailures:\n    b\n\n"
            "test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.16s\n"
            "running 1 test\ntest src/lib.rs - f (line 3) ... ok\n"
            "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n"
            "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n"
        ),
        {"cargo test": Results(2, 1, skipped=1)},
    ),
    "libtest, cut": ("running 3 tests\ntest a ... ok\n", {"cargo test": Results(1)}),
    "nextest": (
        "     Summary [   0.412s] 15 tests run: 12 passed, 2 failed, 1 timed out, 4 skipped\n",
        {"nextest": Results(12, 3, skipped=4)},
    ),
    "cmocka": (
        (
            "[==========] Running 3 test(s).\n[ RUN      ] t1\n[       OK ] t1\n[ RUN      ] t2\n"
            "[  ERROR   ] --- 0x1 != 0x2\n[   LINE   ] --- a.c:7: error: Failure!\n[  FAILED  ] t2\n[ RUN      ] t3\n"
            "[  SKIPPED ] t3\n[==========] 3 test(s) run.\n[  PASSED  ] 1 test(s).\n"
            "[  SKIPPED ] 1 test(s), listed below:\n[  SKIPPED ] t3\n\n 1 SKIPPED TEST(S)\n"
            "[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] t2\n\n 1 FAILED TEST(S)\n"
            "[==========] two: Running 1 test(s).\n[ RUN      ] t1\n[       OK ] t1\n"
            "[==========] two: 1 test(s) run.\n[  PASSED  ] 1 test(s).\n"
        ),
        {"cmocka": Results(2, 1, skipped=1)},
    ),
    "cmocka, a crash": (
        "[==========] Running 2 test(s).\n[ RUN      ] t1\n[       OK ] t1\n[ RUN      ] t2\n",
        {"cmocka": Results(1)},
    ),
    "check": (
        (
            "Running suite(s): S\n66%: Checks: 6, Failures: 1, Errors: 1\n"
            "k.c:3:F:T:b:0: Assertion '1 == 2' failed: 1 == 1, 2 == 2\n"
            "k.c:4:E:T:c:0: (after this point) Received signal 11 (Segmentation fault)\n"
        ),
        {"check": Results(4, 1, errors=1)},
    ),
    "doctest": (
        "[doctest] test cases:  4 |  2 passed | 2 failed | 1 skipped\n[doctest] assertions: 9 | 7 passed |\n",
        {"doctest": Results(2, 2, skipped=1)},
    ),
    "catch2": (
        (
            "test cases: 4 | 1 passed | 1 failed | 2 failed as expected\nassertions: 6 | 3 passed | 3 failed\n"
            "All tests passed (7 assertions in 3 test cases)\n"
        ),
        {"catch2": Results(4, 1, 2)},
    ),
    "go test": (
        (
            "ok  \tarchive/tar\t0.065s\nok  \tcmd/nm\t(cached)\n?   \tcmd/src\t[no test files]\n"
            "--- FAIL: TestLookupHost (0.01s)\n    lookup_test.go:33: lookup failed\nFAIL\nFAIL\tnet\t12.3s\n"
            "FAIL\tos/exec [build failed]\n"
        ),
        {"go test": Results(2, 2, skipped=1)},
    ),
    "go test -cover": (
        (
            "a line left open--- FAIL: TestB (0.00s)\n    b_test.go:4: bad\nFAIL\ncoverage: 100.0% of statements\n"
            "FAIL\tex/b\t0.012s\n\tex/none\t\tcoverage: 0.0% of statements\n"
            "ok  \tex/c\t0.022s\tcoverage: 7.0% of statements\n"
            "ok  \tex/d\t(cached)\tcoverage: 9.0% of statements\nFAIL\n"
        ),
        {"go test": Results(2, 1, skipped=1)},
    ),
    "curl": (
        (
            "test 0001...[HTTP GET]\n--pd---e--- OK (1    out of 3, remaining: 00:10, took 0.5s, duration: 00:01)\n"
            "test 1554...OK (2 out of 3)\ntest 2004...FAILED\n"
            'TESTINFO: 18 tests were skipped due to these restraints:\nTESTINFO: "no IPv6" 18 times (1046)\n'
            "TESTDONE: 21 tests were considered during 2 seconds.\nTESTDONE: 2 tests out of 3 reported OK: 66%\n\n"
            "TESTFAIL: These test cases failed: 2004 \n"
        ),
        {"curl": Results(2, 1, skipped=18)},
    ),
    "perl's own": (
        (
            "t/base/cond ....................................................... ok\n"
            "t/io/fs ........................................................... FAILED--expected 54 tests, saw 12\n"
            "t/op/magic ........................................................ skipped\n"
            "Failed 1 test out of 1384, 99.93% okay.\n\tio/fs.t\n"
            "u=3.89  s=1.47  cu=355.15  cs=45.79  scripts=1384  tests=187800\n"
        ),
        {"perl": Results(1382, 1, skipped=1)},
    ),
    "perl's own, good": (
        (
            "../lib/AnyDBM_File .................................................. ok\nAll tests successful.\n"
            "u=3.89  s=1.47  cu=355.15  cs=45.79  scripts=1384  tests=187800\n"
        ),
        {"perl": Results(1384)},
    ),
    "QtTest": (
        (
            "********* Start testing of tst_QDir *********\nPASS   : tst_QDir::initTestCase()\n"
            "FAIL!  : tst_QDir::mkdir() 'dir.mkdir(path)' returned FALSE. ()\n   Loc: [tst_qdir.cpp(312)]\n"
            "Totals: 3 passed, 1 failed, 7 skipped, 0 blacklisted, 514ms\n"
            "********* Finished testing of tst_QDir *********\n"
            "********* Start testing of tst_QFile *********\n"
            "Totals: 5 passed, 0 failed, 0 skipped, 0 blacklisted, 5ms\n"
        ),
        {"qttest": Results(8, 1, skipped=7)},
    ),
    "QtTest, broken off": (
        "********* Start testing of tst_QDir *********\nPASS   : tst_QDir::a(x)\nSKIP   : tst_QDir::b()\n",
        {"qttest": Results(1, skipped=1)},
    ),
    "QtTest, tests known to fail": (
        "BPASS  : tst_QDir::a(x)\nBFAIL  : tst_QDir::b()\nXFAIL  : tst_QDir::c()\nXPASS  : tst_QDir::d()\n",
        {"qttest": Results(0, 0, 1, 1, skipped=2)},
    ),
    "pytest with subtests": (
        (
            "===== test session starts =====\ncollected 3 items\n\ntests/test_demo.py .,,,.,u.       [100%]\n\n"
            "===== 2 failed, 3 passed, 1 skipped, 5 subtests passed in 0.03s =====\n"
        ),
        {"pytest": Results(3, 2, skipped=1)},
    ),
    "pytest, quiet, with subtests": (".,.  [100%]\n1 passed, 2 subtests passed in 0.01s\n", {"pytest": Results(1)}),
    "ctest 4.4": (
        (
            "Test project /b\n    Start 1: a\n1/2 Test #1: a ....   Passed    0.01 sec\n"
            "2/2 Test #2: b ....   Passed    0.01 sec\n\n"
            "100% tests passed out of 2\n\nTotal Test time (real) =   0.02 sec\n"
        ),
        {"ctest": Results(2)},
    ),
    "ctest, repeated until it passes": (
        (
            "Test project /b\n1/3 Test #1: a ....   Passed    0.01 sec\n"
            "2/3 Test #2: b ....***Failed    0.01 sec\n    Start 2: b\n    Test #2: b ....   Passed    0.01 sec\n"
            "3/3 Test #3: d ....***Failed    0.01 sec\n    Start 3: d\n    Test #3: d ....***Failed    0.01 sec\n"
        ),
        {"ctest": Results(2, 1)},
    ),
    "ctest, disabled": (
        "Test project /b\n1/2 Test #1: a ....***Not Run (Disabled)   0.00 sec\n2/2 Test #2: b ....***Timeout  9 sec\n",
        {"ctest": Results(0, 1)},
    ),
    "ctest of what aborts": (
        (
            "Test project /b\n1/3 Test #1: a ....Subprocess aborted***Exception:   0.25 sec\n"
            "2/3 Test #2: b ....Subprocess killed***Exception:   0.2 sec\n3/3 Test #3: c ....***Skipped   0.00 sec\n\n"
            "33% tests passed, 2 tests failed out of 3\n"
        ),
        {"ctest": Results(0, 2, skipped=1)},
    ),
    "gtest, brief": (
        (
            "[  FAILED  ] A.b (0 ms)\n[==========] 12 tests from 3 test suites ran. (5 ms total)\n"
            "[  PASSED  ] 9 tests.\n"
            "[  SKIPPED ] 1 test.\n"
        ),
        {"gtest": Results(9, 2, skipped=1)},
    ),
    "node": (
        (
            "TAP version 13\nok 1 - a\nnot ok 2 - b\n1..2\n# tests 5\n# suites 0\n# pass 3\n# fail 1\n# cancelled 4\n"
            "# skipped 1\n# todo 2\n# duration_ms 12.5\n"
        ),
        {"node": Results(3, 1, skipped=3, errors=4)},
    ),
    "node, for people": (
        (
            "\u2139 tests 2\n\u2139 suites 0\n\u2139 pass 2\n\u2139 fail 0\n\u2139 cancelled 0\n"
            "\u2139 skipped 0\n\u2139 todo 0\n"
            "\u2139 duration_ms 12.5\n"
        ),
        {"node": Results(2)},
    ),
    "node's own": (
        "=== release test-fs ===\n[00:10|%  50|+ 2000|-   1]: release test-x\n[02:10|% 100|+ 4033|-   2]: Done\n",
        {"node": Results(4033, 2)},
    ),
    "node's own, running": (
        "[00:10|%  50|+ 2000|-   1]: release test-x\n[00:20|%  60|+ 2500|-   1]: release test-y\n",
        {"node": Results(2500, 1)},
    ),
}


@pytest.mark.parametrize("name", sorted(NEWER))
def test_the_forms_of_newer_runners_are_read(name: str) -> None:
    """Whatever a package is tested with, its results are those that the runner itself prints at its end."""
    text, expected = NEWER[name]
    reader = SuiteReader()
    for line in text.split("\n"):
        reader.feed(line)
    reader.finish()
    assert reader.results == expected


def test_names_of_failing_tests() -> None:
    """The tests that failed are known by name, so that a reason can say which and known failures apply."""
    reader = SuiteReader()
    for line in "".join(text for text, _ in NEWER.values()).splitlines():
        reader.feed(line)
    failing = {name: set(suite.failing) for name, suite in reader.ledger.suites.items()}
    assert failing["lit"] == {"LLVM :: Transforms/x.ll", "S :: c.t"}
    assert failing["cargo test"] == {"b"}
    assert failing["go test"] == {"TestLookupHost", "TestB"}
    assert failing["cmocka"] == {"t2"}
    assert failing["check"] == {"b"}
    assert failing["curl"] == {"2004"}
    assert failing["perl"] == {"t/io/fs"}
    assert failing["qttest"] == {"tst_QDir::mkdir()"}
    assert failing["ctest"] == {"a", "b", "d"}, "b only as it aborted later: repeated, it had passed"
    assert failing["node"] >= {"test-fs"}


def test_a_retried_test_is_named_by_its_last_attempt() -> None:
    """With retries, nextest's flaky tests are not among those that failed; the ones that failed each time are."""
    reader = SuiteReader()
    for line in (
        "  TRY 1 FAIL [   0.294s] (1/2) rs tests::flaky",
        "  TRY 2 PASS [   0.016s] (1/2) rs tests::flaky",
        "  TRY 2 FAIL [   0.016s] (2/2) rs tests::bad",
        "     Summary [   0.808s] 2 tests run: 1 passed (1 flaky), 1 failed, 0 skipped",
        "   FLAKY 2/2 [   0.016s] (1/2) rs tests::flaky",
        "  TRY 2 FAIL [   0.016s] (2/2) rs tests::bad",
        "    Starting 1 test across 1 binary",
        "  TRY 1 FAIL [   0.294s] (1/1) rs tests::flaky_too",
        "     Summary [   0.308s] 1 test run: 1 passed (1 flaky), 0 skipped",
    ):
        reader.feed(line)
    assert reader.results == {"nextest": Results(2, 1)}
    assert set(reader.ledger.suites["nextest"].failing) == {"rs tests::bad"}
