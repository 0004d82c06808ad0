"""Runners of single packages that many builds have: Tcl, util-linux, e2fsprogs, curl, Perl itself, Qt."""

from __future__ import annotations

import re
from typing import Final

from build_exporter.sources.step_logs.suites.results import Ledger, Outcome, Results
from build_exporter.sources.step_logs.suites.runner import Runner, number


class TclTest(Runner):
    """Reads `==== name-1.1 what it is about FAILED`, and `all.tcl: Total 3 Passed 1 Skipped 1 Failed 1`."""

    WORDS = (b"\n==== ", b"\tTotal\t", b" Total ")
    NAME: Final = "tcltest"
    _CASE: Final = re.compile(r"^==== (\S+)(?: .*)? FAILED\s*$")
    _END: Final = re.compile(
        r"^\S+:\s+Total\s+(\d{1,9})\s+Passed\s+(\d{1,9})\s+Skipped\s+(\d{1,9})\s+Failed\s+(\d{1,9})\s*$"
    )

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        if line.startswith("==== ") and (case := self._CASE.match(line)) is not None:
            ledger.suite(self.NAME).case("failed", case[1], once=True)
            return True
        end = self._END.match(line) if "Total" in line else None
        if end is None:
            return False
        ledger.summary(self.NAME, Results(number(end[2]), number(end[4]), skipped=number(end[3])))
        return True


class UtilLinux(Runner):
    """Reads util-linux: `misc: swaplabel ... OK`, `All 252 tests PASSED`, `2 tests of 9 FAILED`."""

    WORDS = (b" ... OK", b" ... FAILED", b" ... SKIPPED", b" PASSED", b" tests of ")
    NAME: Final = "util-linux"
    _CASE: Final = re.compile(r"^\s+([\w.-]+: .+?)\s+\.\.\. (OK|FAILED|SKIPPED)\b")
    _GOOD: Final = re.compile(r"^\s+All (\d{1,9}) tests PASSED\s*$")
    _BAD: Final = re.compile(r"^\s+(\d{1,9}) tests of (\d{1,9}) FAILED\s*$")

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        if not line.startswith("  "):
            return False
        if (case := self._CASE.match(line)) is not None:
            outcome = {"OK": "passed", "FAILED": "failed", "SKIPPED": "skipped"}[case[2]]
            ledger.suite(self.NAME).case(outcome, case[1], once=True)  # type: ignore[arg-type] # values of the mapping
            return True
        if (good := self._GOOD.match(line)) is not None:
            ledger.summary(self.NAME, Results(number(good[1])))
            return True
        if (bad := self._BAD.match(line)) is not None:
            failed, total = number(bad[1]), number(bad[2])
            ledger.summary(self.NAME, Results(max(0, total - failed), failed))
            return True
        return False


class E2fsprogs(Runner):
    """Reads e2fsprogs: `m_rootdir: what it is about: failed`, then `391 tests succeeded  1 tests failed`."""

    WORDS = (b": ok", b": failed", b" tests succeeded")
    NAME: Final = "e2fsprogs"
    _CASE: Final = re.compile(r"^([a-z]_\w+): .*: (ok|failed)\s*$")
    _END: Final = re.compile(r"^(\d{1,9}) tests succeeded\s+(\d{1,9}) tests failed\s*$")

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        if line[1:2] == "_" and (case := self._CASE.match(line)) is not None:
            ledger.suite(self.NAME).case("passed" if case[2] == "ok" else "failed", case[1], once=True)
            return True
        end = self._END.match(line) if " tests succeeded" in line else None
        if end is None:
            return False
        ledger.summary(self.NAME, Results(number(end[1]), number(end[2])))
        return True


class Curl(Runner):
    """Reads curl's runtests: `test 0007...OK (7 out of 1215, …)`, `TESTDONE: 1195 tests out of 1196 reported OK`."""

    WORDS = (b"\ntest ", b"\nTESTDONE: ", b"\nTESTINFO: ", b"\nTESTFAIL: ")
    NAME: Final = "curl"
    _CASE: Final = re.compile(r"^test (\d{1,5})\.\.\..*?\b(OK|FAILED)\b")
    _SKIPPED: Final = re.compile(r"^TESTINFO: (\d{1,9}) tests were skipped\b")
    _END: Final = re.compile(r"^TESTDONE: (\d{1,9}) tests out of (\d{1,9}) reported OK\b")
    _FAILED: Final = re.compile(r"^TESTFAIL: These test cases failed:((?: \d{1,5})+)")

    def __init__(self) -> None:
        self._skipped = 0

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        if (case := self._CASE.match(line)) is not None:
            ledger.suite(self.NAME).case("passed" if case[2] == "OK" else "failed", case[1], once=True)
        elif (skipped := self._SKIPPED.match(line)) is not None:
            self._skipped = number(skipped[1])
        elif (end := self._END.match(line)) is not None:
            good, total = number(end[1]), number(end[2])
            ledger.summary(self.NAME, Results(good, max(0, total - good), skipped=self._skipped))
            self._skipped = 0
        elif (failed := self._FAILED.match(line)) is not None:
            for name in failed[1].split():
                ledger.suite(self.NAME).name("failed", name)
        else:
            return False
        return True


class PerlCore(Runner):
    """Reads Perl's own t/TEST: `t/io/fs ..... FAILED at test 17`, `Failed 2 tests out of 1384, 99.71% okay.`"""

    WORDS = (b".. ok", b".. FAILED", b".. skipped", b" tests out of ", b" test out of ", b"  scripts=")
    NAME: Final = "perl"
    _CASE: Final = re.compile(r"^((?:\.\./)?[a-z]+/[\w/+-]+) ?\.{3,} ?(ok|skipped|FAILED)\b")
    _BAD: Final = re.compile(r"^Failed (\d{1,9}) tests? out of (\d{1,9}), ")
    _GOOD: Final = re.compile(r"^u=.*\bscripts=(\d{1,9})\s+tests=\d")

    def __init__(self) -> None:
        self._skipped = 0
        self._is_summed = False

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        case = self._CASE.match(line)
        if case is not None:
            self._is_summed = False
            self._skipped += case[2] == "skipped"
            outcome: Outcome = {"ok": "passed", "skipped": "skipped", "FAILED": "failed"}[case[2]]  # type: ignore[assignment]
            ledger.suite(self.NAME).case(outcome, case[1], once=True)
            return True
        if (bad := self._BAD.match(line)) is not None:
            self._sum_up(number(bad[2]), number(bad[1]), ledger)
            return True
        good = self._GOOD.match(line)
        if good is not None and not self._is_summed:
            self._sum_up(number(good[1]), 0, ledger)
        return good is not None

    def _sum_up(self, total: int, failed: int, ledger: Ledger) -> None:
        skipped = min(self._skipped, max(0, total - failed))
        ledger.summary(self.NAME, Results(max(0, total - failed - skipped), failed, skipped=skipped))
        self._skipped, self._is_summed = 0, True


class QtTest(Runner):
    """Reads QtTest: `FAIL!  : tst_QDir::mkdir() …`, `Totals: 320 passed, 34 failed, 7 skipped, …`; programs add up."""

    WORDS = (b"* Start testing of ", b"P   : ", b"S   : ", b"!  : ", b"L  : ", b"S  : ", b"\nTotals: ")
    NAME: Final = "qttest"
    _START: Final = re.compile(r"^\*+ Start testing of ")
    _CASE: Final = re.compile(r"^(PASS|FAIL!|SKIP|XFAIL|XPASS|BPASS|BFAIL|BXFAIL|BXPASS) *: ([\w:]+\(.*?\))")
    _END: Final = re.compile(r"^Totals: (\d{1,9}) passed, (\d{1,9}) failed, (\d{1,9}) skipped\b")
    _CASES: Final[dict[str, Outcome]] = {
        "PASS": "passed",
        "FAIL!": "failed",
        "SKIP": "skipped",
        "XFAIL": "expected_failed",
        "XPASS": "unexpected_passed",
    }

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        if self._START.match(line) is not None:
            ledger.suite(self.NAME).begin()
            return True
        if (case := self._CASE.match(line)) is not None:
            # one on Qt's own list of tests known to fail counts neither way
            ledger.suite(self.NAME).case(self._CASES.get(case[1], "skipped"), case[2])
            return True
        end = self._END.match(line)
        if end is not None:
            ledger.summary(self.NAME, Results(number(end[1]), number(end[2]), skipped=number(end[3])))
        return end is not None
