"""Rules on how test runners say that a test failed."""

from __future__ import annotations

from typing import Final

from build_exporter.diagnostics.rules.rule import Rank, Rule

_HINT: Final = "Compare with the failures the book or the distribution lists for this version; the suite's own log has the details."

TESTS: Final = (
    Rule(
        "test-failure", "test runner", Rank.TEST,
        ("FAIL", "ERROR: ", "not ok", "Failed", "failed", "***", "XPASS", "TIMEOUT", "UNRESOLVED"),
        r"^(?:FAIL|XPASS|UNRESOLVED|TIMEOUT|ERROR): (?!\d+$)(?=\S+(?:$| \(|\.exp| \d+$| - ))\S.{0,200}$"
        r"|^FAIL: \S.{0,300}$|^FAIL!  : |^FAIL \S+(?:$| \[)|^ {0,8}--- FAIL: |^not ok \d+(?!.*# (?:TODO|SKIP|todo"
        r"|skip))"
        r"|^test .{1,200} \.\.\. FAILED|^\[  FAILED  \] [A-Za-z]|^(?:SUB)?FAIL(?:ED)?(?:\(.{0,200}?\)| \[.{0,200}?\])? (?:\[\d+%\] )?\S+::"
        r"|^ERROR (?:collecting )?\S+\.py\b|^test \d+\.\.\.FAILED|^TESTFAIL: |^\S{1,200} \.{3,} FAILED"
        r"|^\S{1,200} \.{2,} (?:Failed \d|Dubious)|^# {2,3}Failed test"
        r"|^ *\d+/\d+ Test +#\d+: \S+ \.*(?:\*\*\*(?!Not Run \(Disabled\)|Skipped)|.{0,20}\*\*\*Exception)"
        r"|^ *\d+/\d+ \S.* (?:FAIL|TIMEOUT|ERROR) +\d|^ {0,6}\d+ - \S+ \((?:Failed|Timeout|SEGFAULT|Not Run"
        r"|Subprocess \w+|ILLEGAL|NUMERICAL)\)|^FAIL(?:ED)?\t\S+(?!.*\[(?:build|setup) failed\])|^==== \S+ .*FAILED$|^\d+ (?:tests? )?(?:failed"
        r"|FAILED)(?:,| out of)|^Failed \d+(?:/\d+)? tests? (?:programs|out of)|-> failed: "
        r"|^\[ERROR\] Tests run: \d+, Failures|^Tests run: .*(?:Failures: [1-9]|Errors: [1-9])|^✖ |^ {2}\d+\) \S"
        r"|^\S+ \(Wstat: [1-9]|^test cases?: .* [1-9]\d* failed|^rspec \S+:\d+|^TEST FAILED: ",
        _HINT,
        ("FAIL: compare_directories", "test continue_break ... FAILED", "--- FAIL: TestLookupHost (0.01s)",
         "not ok 3 - unlink", "FAIL: LLVM :: Transforms/x.ll (89231 of 111022)",
         "t/io/fs ........................................................... FAILED--expected 54 tests, saw 12",
          "test 2004...FAILED",
         "FAIL!  : tst_QDir::mkdir() 'dir.mkdir(path)' returned FALSE. ()",
          "261/278 Test #261: bad ..............................***Failed    0.02 sec",
         "260/278 Test #260: ab ...............................Subprocess aborted***Exception:   0.25 sec",
         "FAILED tests/test_x.py::test_y - AssertionError", "SUBFAILED(n=2) test_x.py::T::test_sub - assert 2 < 2", "[  FAILED  ] Foo.Bar (3 ms)", " 3/57 foo FAIL  0.1s",
          "ERROR: tests/foo.sh"),
    ),
    Rule(
        "test-failure", "test runner", Rank.PROGRAM + 3, (" failed", "FAILED (", " failures"),
        r"^(?:=+ )?[1-9]\d* failed(?:, \d+ [a-z ]+)* in [\d.]+s|^FAILED \((?:failures|errors)=[1-9]"
        r"|^\d+ (?:examples|runs|tests), .*\b[1-9]\d* failures",
        _HINT,
        ("===== 1 failed, 2 passed, 1 skipped in 0.24s =====", "FAILED (failures=1)",
         "12 examples, 3 failures"),
    ),
)  # fmt: skip
