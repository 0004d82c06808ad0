"""Python's runners: unittest, pytest, and the interpreter's own test suite."""

from __future__ import annotations

import re
from typing import Final

from build_exporter.sources.step_logs.suites.results import Ledger, Outcome, Results
from build_exporter.sources.step_logs.suites.runner import Runner, number


class UnitTest(Runner):
    """Reads `FAIL: test_a (module.Class.test_a)` under its rule, `Ran 12 tests in 0.5s`, `FAILED (failures=1)`."""

    WORDS = (b"\n" + b"=" * 70, b"\nRan ", b"\nOK", b"\nFAILED", b"\nNO TESTS RAN")
    NAME: Final = "unittest"
    _RULE: Final = "=" * 70
    _BAD: Final = re.compile(r"^(FAIL|ERROR|UNEXPECTED SUCCESS): (\S.*)$")
    _RAN: Final = re.compile(r"^Ran (\d{1,9}) tests? in [\d.]+s\s*$")
    _END: Final = re.compile(r"^(?:OK|FAILED|NO TESTS RAN)(?: \(([a-z ]+=\d+(?:, [a-z ]+=\d+)*)\))?\s*$")
    _WORDS: Final = {
        "failures": "failed",
        "errors": "errors",
        "skipped": "skipped",
        "expected failures": "expected_failed",
        "unexpected successes": "unexpected_passed",
    }

    def __init__(self) -> None:
        self._ran: int | None = None
        self._is_under_rule = False
        self._failing: list[tuple[Outcome, str]] = []

    @property
    def is_busy(self) -> bool:
        """Whether it is inside a block, so that any line may matter."""
        return self._is_under_rule

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        if self._is_under_rule or line.startswith(self._RULE):
            bad = self._BAD.match(line) if self._is_under_rule else None
            self._is_under_rule = line.rstrip() == self._RULE
            if bad is not None and len(self._failing) < 5000:
                self._failing.append(("failed" if bad[1] == "FAIL" else "errors", bad[2]))
            return bad is not None
        if line.startswith("Ran ") and (ran := self._RAN.match(line)) is not None:
            self._ran = number(ran[1])
            return True
        end = self._END.match(line) if self._ran is not None and line[:1] in "OFN" else None
        if end is None or self._ran is None:
            return False
        pairs = (part.split("=") for part in (end[1] or "").split(", ") if part)
        counts = {self._WORDS[word]: number(count) for word, count in pairs if word in self._WORDS}
        ledger.summary(self.NAME, Results(max(0, self._ran - sum(counts.values())), **counts))
        if self.NAME in ledger.suites:
            for outcome, name in self._failing:
                ledger.suite(self.NAME).name(outcome, name)
        self._ran = None
        self._failing.clear()
        return True


class PyTest(Runner):
    """Reads `t.py::test_a PASSED [ 10%]`, `t.py ..F.s [ 40%]`, and `=== 1 failed, 12 passed in 1.23s ===`."""

    WORDS = (
        b"session starts",
        b"%]\n",
        b"no tests ran in ",
        b" passed",
        b" failed",
        b" skipped",
        b" deselected",
        b" xfailed",
        b" xpassed",
        b" error in ",
        b" errors in ",
        b" error, ",
        b" errors, ",
        b" PASSED",
        b" FAILED",
        b" ERROR",
        b" SKIPPED",
        b" XFAIL",
        b" XPASS",
        b"\nFAILED ",
        b"\nERROR ",
    )
    NAME: Final = "pytest"
    _START: Final = re.compile(r"^=+ test session starts ")
    _END: Final = re.compile(r"^=*\s*((?:\d+ [a-z]+(?: [a-z]+)?, )*\d+ [a-z]+(?: [a-z]+)?) in [\d.:]+ ?s.*?=*\s*$")
    _NOTHING: Final = re.compile(r"^=*\s*no tests ran in ")
    _CASE: Final = re.compile(r"^(\S+::\S.*?) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b.*$")
    _SHARED: Final = re.compile(r"^\[gw\d+\] \[\s*\d+%\] (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS) (\S+::\S.*)$")
    _DOTS: Final = re.compile(r"^(?:\S+\.\w+ )?([.FEsxXuy,-]+)\s*\[\s*\d+%\]\s*$")
    _BAD: Final = re.compile(r"^(FAILED|ERROR) (\S+?(?:::.*?)?)(?: - .*)?$")
    _WORDS: Final = {
        "passed": "passed",
        "failed": "failed",
        "skipped": "skipped",
        "xfailed": "expected_failed",
        "xpassed": "unexpected_passed",
        "error": "errors",
        "errors": "errors",
    }
    _OUTCOMES: Final[dict[str, Outcome]] = {
        "PASSED": "passed",
        "FAILED": "failed",
        "ERROR": "errors",
        "SKIPPED": "skipped",
        "XFAIL": "expected_failed",
        "XPASS": "unexpected_passed",
        ".": "passed",
        "F": "failed",
        "E": "errors",
        "s": "skipped",
        "x": "expected_failed",
        "X": "unexpected_passed",
    }

    def __init__(self) -> None:
        self._is_open = False

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        if " in " in line and self._end(line, ledger):
            return True
        if self._START.match(line) is not None:
            self._is_open = True
            ledger.suite(self.NAME).begin()
            return True
        if "%]" not in line and "::" not in line and not line.startswith(("FAILED ", "ERROR ")):
            return False
        if not self._is_open and "%]" not in line:
            return False
        return self._live(line, ledger)

    def _live(self, line: str, ledger: Ledger) -> bool:
        if (case := self._CASE.match(line)) is not None:
            ledger.suite(self.NAME).case(self._OUTCOMES[case[2]], case[1], once=True)
        elif (shared := self._SHARED.match(line)) is not None:
            ledger.suite(self.NAME).case(self._OUTCOMES[shared[1]], shared[2], once=True)
        elif (dots := self._DOTS.match(line)) is not None:
            suite = ledger.suite(self.NAME)
            for letter in dots[1]:
                # the others are of subtests: those that fail count with the tests in the summary alone
                if letter in self._OUTCOMES:
                    suite.case(self._OUTCOMES[letter])
        elif (bad := self._BAD.match(line)) is not None:
            ledger.suite(self.NAME).name(self._OUTCOMES[bad[1]], bad[2])
        else:
            return False
        return True

    def _end(self, line: str, ledger: Ledger) -> bool:
        if self._NOTHING.match(line) is not None:
            ledger.summary(self.NAME, Results())
            self._is_open = False
            return True
        found = self._END.match(line)
        counts: dict[str, int] = {}
        for part in found[1].split(", ") if found is not None else ():
            count, _, word = part.partition(" ")
            name = self._WORDS.get(word)
            if name is not None:
                counts[name] = counts.get(name, 0) + number(count)
        if counts:
            ledger.summary(self.NAME, Results(**counts))
            self._is_open = False
        return bool(counts)


class RegressionTest(Runner):
    """Reads `python -m test`: its files are the tests, and what runs in them is not looked at.

    Between `== CPython 3.13.3 …` and `Result: …`: `[12/487] test_a failed`, `433 tests OK.`, `1 test failed:`, names.
    """

    WORDS = (
        b"\n== ",
        b" load avg: ",
        b"\nResult: ",
        b"\nTests result: ",
        b"] test",
        b" test OK",
        b" tests OK",
        b" failed",
        b" skipped",
        b"\nmake: ",
        b": *** ",
    )
    NAME: Final = "regrtest"
    _START: Final = re.compile(r"^(?:== CPython \d|\d+:\d\d:\d\d load avg: [\d.]+ (?:Run |\[))")
    _STOP: Final = re.compile(r"^(?:Result: |Tests result: |make(?:\[\d+\])?: )")
    _CASE: Final = re.compile(r"\[ *\d+/\d+(?:/\d+)?\] (\S+) (passed|failed|crashed|timed out|skipped)\b")
    _COUNT: Final = re.compile(r"^(?:All )?(\d{1,6}) tests? (OK|failed|skipped)\b(?! again)")
    _WORDS: Final[dict[str, Outcome]] = {
        "passed": "passed",
        "OK": "passed",
        "failed": "failed",
        "crashed": "failed",
        "timed out": "failed",
        "skipped": "skipped",
    }

    def __init__(self) -> None:
        self.takes_all = False
        self._is_end = False
        self._has_heading = False
        self._listed: Outcome | None = None
        self._counts: dict[str, int] = {}

    @property
    def is_busy(self) -> bool:
        """Whether it is inside a block, so that any line may matter."""
        return self.takes_all and (self._is_end or not self._has_heading)

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        if not self.takes_all:
            if self._START.match(line) is None:
                return False
            self.takes_all, self._is_end, self._counts = True, False, {}
            self._has_heading = line.startswith("==")
            if self._has_heading:
                # what is run to learn a profile from has no heading, and no result
                ledger.suite(self.NAME).begin()
        if line.startswith("== Tests result:"):
            self._is_end, self._counts = True, {}
        elif self._STOP.match(line) is not None:
            self.takes_all = False
            if self._counts:
                ledger.summary(self.NAME, Results(**self._counts))
        elif self._is_end:
            self._row(line, ledger)
        elif "] test" in line and (case := self._CASE.search(line)) is not None:
            ledger.suite(self.NAME).case(self._WORDS[case[2]], case[1], once=True)
        return True

    def _row(self, line: str, ledger: Ledger) -> None:
        if line.startswith("    ") and self._listed is not None:
            for name in line.split():
                ledger.suite(self.NAME).name(self._listed, name)
            return
        row = self._COUNT.match(line)
        self._listed = self._WORDS[row[2]] if row is not None else None
        if row is not None:
            word = self._WORDS[row[2]]
            self._counts[word] = self._counts.get(word, 0) + number(row[1])
