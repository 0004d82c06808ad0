"""Rules on how test runners say that a test failed."""

from __future__ import annotations

from typing import Final

from build_exporter.diagnostics.rules.rule import Rank, Rule

_HINT: Final = "Compare with the failures the book or the distribution lists for this version; the suite's own log has the details."

TESTS: Final = (
    Rule(
        "test-failure", "test runner", Rank.TEST,
        ("FAIL", "ERROR: ", "not ok", "Failed", "failed", "***", "XPASS", "TIMEOUT", "UNRESOLVED", "ERROR collecting ", "ERROR ", "Dubious", "Failed test", "(Timeout)", "(SEGFAULT)", "(Not Run)", "(Subprocess ", "(ILLEGAL)", "(NUMERICAL)", "Tests run: ", "✖ ", "error: in ", "Bail out! ", "assertion failed", "● ", "Assertions: ", ":F:", ":E:", "(Wstat: ", "rspec "),
        r"^(?:FAIL|XPASS|UNRESOLVED|TIMEOUT|ERROR): (?!\d+$)(?=\S+(?:$| \(|\.exp| \d+$| - ))\S.{0,200}$"
        r"|^FAIL: \S.{0,300}$|^FAIL!  : |^FAIL \S+(?:$| \[)|^(?: {0,8}|\S.{0,300})--- FAIL: |^not ok \d+(?!.*(?<!\\)# (?:TODO|SKIP|todo"
        r"|skip))"
        r"|^test .{1,200} \.\.\. FAILED|^\[  FAILED  \] [A-Za-z]|^(?:SUB)?FAIL(?:ED)?(?:\(.{0,200}?\)| \[.{0,200}?\])? (?:\[\d+%\] )?\S+::"
        r"|^ERROR (?:collecting )?\S+\.py\b|^test \d+\.\.\.FAILED|^TESTFAIL: |^\S{1,200} \.{3,} FAILED"
        r"|^\S{1,200} \.{2,} (?:Failed \d|Dubious)|^ *(?:# +)?Failed test\b|\.t\b.{0,80}Dubious, test returned"
        r"|^ *\d+/\d+ Test +#\d+: \S+ \.*(?:\*\*\*(?!Not Run \(Disabled\)|Skipped)|.{0,20}\*\*\*Exception)"
        r"|^ *\d+/\d+ \S.* (?:FAIL|TIMEOUT|ERROR) +\d|^ {0,6}\d+ - \S+ \((?:Failed|Timeout|SEGFAULT|Not Run"
        r"|Subprocess \w+|ILLEGAL|NUMERICAL)\)|^FAIL(?:ED)?\t\S+(?!.*\[(?:build|setup) failed\])|^==== \S+ .*FAILED$|^\d+ (?:tests? )?(?:failed"
        r"|FAILED)(?:,| out of)|^Failed \d+(?:/\d+)? tests? (?:programs|out of)|-> failed: "
        r"|^\[ERROR\] Tests run: \d+, Failures|^Tests run: .*(?:Failures: [1-9]|Errors: [1-9])|^✖ (?!\d+ problem)"
        r"|^[^\s:(]{1,300}(?:\(\d+\)|:\d+): (?:fatal )?error: in \"|^\S{1,300}:\d+: (?:FAILED:$|ERROR: (?:CHECK|REQUIRE))"
        r"|^\S{1,300}\.\w+:\d+:[FE]:\S+:|^Bail out! |^ERROR:\S{1,200}:\d+:\w+: assertion failed|^\S.{0,100} > \S.{0,200} FAILED$"
        r"|^ *● \S.* › |^FAILURES!$|^Tests: \d+, Assertions: .*(?:Errors|Failures): [1-9]|^ *(?:│ )?\[FAIL\] |Test Failed at "
        r"|^//\S+ +FAILED in |^ *(?:TRY \d+ )?FAIL \[ *[\d.]+s\] |^ *\S+ +\(Wstat: [1-9]|^test cases?: .* [1-9]\d* failed|^rspec \S+:\d+|^TEST FAILED: ",
        _HINT,
        ("FAIL: compare_directories", "test continue_break ... FAILED", "--- FAIL: TestLookupHost (0.01s)", "done--- FAIL: TestB (0.00s)",
         r"not ok 3 - keeps \# TODO lines", "  TRY 3 FAIL [   0.016s] (3/5) rs tests::bad",
         "not ok 3 - unlink", "FAIL: LLVM :: Transforms/x.ll (89231 of 111022)",
         "t/io/fs ........................................................... FAILED--expected 54 tests, saw 12",
          "test 2004...FAILED",
         "FAIL!  : tst_QDir::mkdir() 'dir.mkdir(path)' returned FALSE. ()",
          "261/278 Test #261: bad ..............................***Failed    0.02 sec",
         "260/278 Test #260: ab ...............................Subprocess aborted***Exception:   0.25 sec",
         "FAILED tests/test_x.py::test_y - AssertionError", "SUBFAILED(n=2) test_x.py::T::test_sub - assert 2 < 2", "[  FAILED  ] Foo.Bar (3 ms)", " 3/57 foo FAIL  0.1s",
          "ERROR: tests/foo.sh", 'test_x.cpp(12): error: in "suite/case": check a == b has failed',
         "tests/check_x.c:30:F:core:test_add:0: Assertion 'a == 2' failed", "com.example.DemoTest > adds() FAILED",
         "ERROR:../tests/x.c:12:test_read: assertion failed (a == b): (1 == 2)"),
    ),
    Rule(
        "test-failure", "test runner", Rank.PROGRAM + 3, (" failed", "FAILED (", " failures", "test result: FAILED"),
        r"^(?:=+ )?[1-9]\d* failed(?:, \d+ [a-z ]+)* in [\d.]+s|^FAILED \((?:failures|errors)=[1-9]"
        r"|^\d+ (?:examples|runs|tests), .*\b[1-9]\d* failures|^test result: FAILED\.",
        _HINT,
        ("===== 1 failed, 2 passed, 1 skipped in 0.24s =====", "FAILED (failures=1)",
         "12 examples, 3 failures", "test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out"),
    ),
)  # fmt: skip
