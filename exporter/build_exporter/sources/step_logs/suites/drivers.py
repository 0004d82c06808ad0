"""Meson, CTest and GoogleTest: what drives a project's compiled tests."""

from __future__ import annotations

import re
from typing import Final

from build_exporter.sources.step_logs.suites.results import Ledger, Outcome, Results
from build_exporter.sources.step_logs.suites.runner import DIGITS, Table, number

_BROKEN_OFF: Final = re.compile(r"^(?:g?make(?:\[\d+\])?: \*\*\*|ninja: build stopped)")
"""After this the lines are not those of the runner any more, whether or not it came to its end."""


class Meson:
    """Reads `12/120 suite / name   OK   0.02s`, and the rows from `Ok:  118` on; what tests print is not looked at."""

    STARTS: Final = " O" + DIGITS
    MARKS: Final[tuple[str, ...]] = ()
    NAME: Final = "meson"
    _CASE: Final = re.compile(
        r"^\s*(\d{1,6})/(\d{1,6}) (.+?)\s+"
        r"(OK|FAIL|EXPECTEDFAIL|UNEXPECTEDPASS|SKIP|TIMEOUT|ERROR|INTERRUPT|RUNNING)(?:\s+\d+\.\d+\s?s\b.*|\s*)$"
    )
    _WORDS: Final[dict[str, Outcome]] = {
        "OK": "passed",
        "FAIL": "failed",
        "TIMEOUT": "failed",
        "ERROR": "failed",
        "INTERRUPT": "errors",
        "EXPECTEDFAIL": "expected_failed",
        "UNEXPECTEDPASS": "unexpected_passed",
        "SKIP": "skipped",
    }

    def __init__(self) -> None:
        self._table = Table(
            re.compile(r"^(?=Ok:\s+\d+\s*$)"),
            re.compile(r"^(?P<word>[A-Z][A-Za-z ]+?):\s+(?P<count>\d+)\s*$"),
            "Ok:",
            {
                "Ok": "passed",
                "Fail": "failed",
                "Timeout": "failed",
                "Expected Fail": "expected_failed",
                "Unexpected Pass": "unexpected_passed",
                "Skipped": "skipped",
            },
            name=self.NAME,
        )
        self._is_open = False

    @property
    def is_busy(self) -> bool:
        """Whether it is amid something, so that any line may tell."""
        return self._is_open or bool(self._table.suite)

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        self._take(self._table.feed(line), ledger)
        if self._table.suite:
            return True
        case = self._CASE.match(line) if "/" in line[:14] else None
        if case is not None and int(case[1]) <= int(case[2]):
            self._case(case, ledger)
        elif self._is_open and _BROKEN_OFF.match(line) is not None:
            self._is_open = False
        return self._is_open

    def _case(self, case: re.Match[str], ledger: Ledger) -> None:
        suite = ledger.suite(self.NAME)
        if not self._is_open:
            self._is_open = True
            suite.begin()
        if case[4] != "RUNNING":
            suite.case(self._WORDS[case[4]], case[3], once=True)

    def finish(self, ledger: Ledger) -> None:
        """Take a summary that the log ends with."""
        self._take(self._table.finish(), ledger)

    def _take(self, found: tuple[str, Results] | None, ledger: Ledger) -> None:
        if found is not None:
            ledger.summary(*found)
            self._is_open = False


class CTest:
    """Reads `3/57 Test  #3: name ....   Passed`, and `98% tests passed, 1 tests failed out of 57`."""

    STARTS: Final = " T" + DIGITS
    MARKS: Final[tuple[str, ...]] = ()
    NAME: Final = "ctest"
    _START: Final = "Test project /"
    _CASE: Final = re.compile(
        r"^\s*\d{1,6}/\d{1,6} Test\s+#\d+: (.+?) \.*\s*(Passed|\*\*\*[A-Z][\w ]*(?:\(Disabled\)|: \w+)?)(?:\s|$)"
    )
    _END: Final = re.compile(r"^\d+% tests passed, (\d+) tests? failed out of (\d+)\s*$")

    def __init__(self) -> None:
        self._is_open = False
        self._skipped = 0

    @property
    def is_busy(self) -> bool:
        """Whether it is amid something, so that any line may tell."""
        return self._is_open

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        if line.startswith(self._START):
            self._is_open, self._skipped = True, 0
            return True
        if "% tests passed" in line[:20] and (end := self._END.match(line)) is not None:
            self._sum_up(number(end[1]), number(end[2]), ledger)
            return True
        case = self._CASE.match(line) if "Test " in line[:24] else None
        if case is not None:
            self._case(case[1], case[2], ledger)
            return True
        if self._is_open and (line.startswith("No tests were found") or _BROKEN_OFF.match(line) is not None):
            self._is_open = False
        return self._is_open

    def _case(self, name: str, word: str, ledger: Ledger) -> None:
        suite = ledger.suite(self.NAME)
        if not suite.open:
            suite.begin()
        if word == "Passed":
            suite.case("passed", name, once=True)
        elif "Skipped" in word:
            self._skipped += 1
            suite.case("skipped", name, once=True)
        elif "Disabled" not in word:
            suite.case("failed", name, once=True)

    def _sum_up(self, failed: int, total: int, ledger: Ledger) -> None:
        skipped = min(self._skipped, max(0, total - failed))
        ledger.summary(self.NAME, Results(max(0, total - failed - skipped), failed, skipped=skipped))
        self._is_open, self._skipped = False, 0

    def finish(self, ledger: Ledger) -> None:
        """Nothing waits for a further line."""


class GoogleTest:
    """Reads `[       OK ] Suite.Name (0 ms)`; `[==========] 12 tests … ran.`, then PASSED, SKIPPED and FAILED lines."""

    STARTS: Final = "["
    MARKS: Final[tuple[str, ...]] = ()
    NAME: Final = "gtest"
    _START: Final = re.compile(r"^\[=+\] Running (\d+) tests? from \d+ test \w+\.")
    _CASE: Final = re.compile(r"^\[\s*(OK|FAILED|SKIPPED)\s*\] ([^\s,]+?)(?:, where .*)? \(\d+ ms\)\s*$")
    _RAN: Final = re.compile(r"^\[=+\] (\d+) tests? from \d+ test \w+ ran\b")
    _COUNT: Final = re.compile(r"^\[\s*(PASSED|FAILED|SKIPPED)\s*\] (\d+) tests?\b")
    _WORDS: Final[dict[str, Outcome]] = {"OK": "passed", "FAILED": "failed", "SKIPPED": "skipped"}

    def __init__(self) -> None:
        self._total: int | None = None
        self._skipped = 0
        self._passed: int | None = None

    @property
    def is_busy(self) -> bool:
        """Whether it is amid something, so that any line may tell."""
        return False

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        if not line.startswith("["):
            return False
        if (start := self._START.match(line)) is not None:
            if number(start[1]):
                ledger.suite(self.NAME).begin()
            return True
        if (case := self._CASE.match(line)) is not None:
            ledger.suite(self.NAME).case(self._WORDS[case[1]], case[2])
            return True
        if (ran := self._RAN.match(line)) is not None:
            self._total, self._skipped, self._passed = number(ran[1]), 0, None
            return True
        count = self._COUNT.match(line) if self._total is not None else None
        if count is None:
            return False
        self._sum_up(count[1], number(count[2]), ledger)
        return True

    def _sum_up(self, word: str, count: int, ledger: Ledger) -> None:
        if word == "SKIPPED":
            self._skipped = count
            if self._passed is None or self._passed + count < (self._total or 0):
                return
        if word == "PASSED":
            self._passed = count
            if count < (self._total or 0):
                return
        failed = count if word == "FAILED" else 0
        ledger.summary(self.NAME, Results(self._passed or 0, failed, skipped=self._skipped))
        self._total = None

    def finish(self, ledger: Ledger) -> None:
        """Nothing waits for a further line."""
