"""Meson, CTest and GoogleTest: what drives a project's compiled tests."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from build_exporter.sources.step_logs.suites.results import Ledger, Outcome, Results
from build_exporter.sources.step_logs.suites.runner import ROWS_END, Runner, Table, number

_BROKEN_OFF: Final = re.compile(r"^(?:g?make(?:\[\d+\])?: \*\*\*|ninja: build stopped)")
"""After this the lines are not those of the runner any more, whether or not it came to its end."""


class Meson(Runner):
    """Reads `12/120 suite / name   OK   0.02s`, and the rows from `Ok:  118` on; what tests print is not looked at."""

    WORDS = (
        b" OK",
        b" FAIL",
        b" SKIP",
        b" TIMEOUT",
        b" EXPECTEDFAIL",
        b" UNEXPECTEDPASS",
        b" ERROR",
        b" INTERRUPT",
        b" RUNNING",
        b"\nOk:",
        b": *** ",
        b"build stopped",
    )
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
        self.takes_all = False

    @property
    def is_busy(self) -> bool:
        """Whether it is inside a block, so that any line may matter."""
        return bool(self._table.suite)

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        self._take(self._table.feed(line), ledger)
        if self._table.suite:
            return True
        case = self._CASE.match(line) if "/" in line[:14] else None
        if case is not None and int(case[1]) <= int(case[2]):
            self._case(case, ledger)
        elif self.takes_all and _BROKEN_OFF.match(line) is not None:
            self.takes_all = False
        return self.takes_all

    def _case(self, case: re.Match[str], ledger: Ledger) -> None:
        suite = ledger.suite(self.NAME)
        if not self.takes_all:
            self.takes_all = True
            suite.begin()
        if case[4] != "RUNNING":
            suite.case(self._WORDS[case[4]], case[3], once=True)

    def finish(self, ledger: Ledger) -> None:
        """Take a summary that the log ends with."""
        self._take(self._table.finish(), ledger)

    def _take(self, found: tuple[str, Results] | None, ledger: Ledger) -> None:
        if found is not None:
            ledger.summary(*found)
            self.takes_all = False


class CTest(Runner):
    """Reads `3/57 Test  #3: name ....   Passed`, and `98% tests passed, 1 tests failed out of 57`.

    With `--repeat` a test is written again without `3/57`; its last result counts, in the summary too.
    """

    WORDS = (b"Test project /", b"tests passed", b" Test ", b"No tests were found", b": *** ", b"build stopped")
    NAME: Final = "ctest"
    _START: Final = "Test project /"
    _CASE: Final = re.compile(
        r"^\s*(?:\d{1,6}/\d{1,6} )?Test\s+#\d+: (.+?) \.*\s*"
        r"(?:Subprocess [a-z ]+)?(Passed|\*\*\*[A-Z][\w ]*(?:\(Disabled\)|: ?\w*)?)(?:\s|$)"
    )
    _END: Final = re.compile(r"^\d+% tests passed,?(?: (\d+) tests? failed)? out of (\d+)\s*$")

    def __init__(self) -> None:
        self.takes_all = False
        self._skipped = 0

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        if line.startswith(self._START):
            self.takes_all, self._skipped = True, 0
            return True
        if "% tests passed" in line[:20] and (end := self._END.match(line)) is not None:
            self._sum_up(number(end[1] or "0"), number(end[2]), ledger)
            return True
        case = self._CASE.match(line) if "Test " in line[:24] else None
        if case is not None:
            self._case(case[1], case[2], ledger)
            return True
        if self.takes_all and (line.startswith("No tests were found") or _BROKEN_OFF.match(line) is not None):
            self.takes_all = False
        return self.takes_all

    def _case(self, name: str, word: str, ledger: Ledger) -> None:
        suite = ledger.suite(self.NAME)
        if not suite.open:
            suite.begin()
        if word == "Passed":
            suite.case("passed", name, once=True, last_wins=True)
        elif "Skipped" in word:
            self._skipped += 1
            suite.case("skipped", name, once=True, last_wins=True)
        elif "Disabled" not in word:
            suite.case("failed", name, once=True, last_wins=True)

    def _sum_up(self, failed: int, total: int, ledger: Ledger) -> None:
        skipped = min(self._skipped, max(0, total - failed))
        ledger.summary(self.NAME, Results(max(0, total - failed - skipped), failed, skipped=skipped))
        self.takes_all, self._skipped = False, 0


class GoogleTest(Runner):
    """Reads `[       OK ] Suite.Name (0 ms)`; `[==========] 12 tests … ran.`, then PASSED, SKIPPED and FAILED lines."""

    WORDS = (b" OK ]", b"FAILED  ]", b"SKIPPED ]", b"PASSED  ]", b"\n[==")
    NAME: ClassVar = "gtest"
    _START: ClassVar = re.compile(r"^\[=+\] Running (\d+) tests? from \d+ test \w+\.")
    _CASE: ClassVar = re.compile(r"^\[\s*(OK|FAILED|SKIPPED)\s*\] ([^\s,]+?)(?:, where .*)? \(\d+ ms\)\s*$")
    _RAN: ClassVar = re.compile(r"^\[=+\] (\d+) tests? from \d+ test \w+ ran\b")
    _COUNT: ClassVar = re.compile(r"^\[\s*(PASSED|FAILED|SKIPPED)\s*\] (\d+) tests?\b")
    _WORDS: Final[dict[str, Outcome]] = {"OK": "passed", "FAILED": "failed", "SKIPPED": "skipped"}

    def __init__(self) -> None:
        self._total: int | None = None
        self._passed = self._skipped = 0

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        if not line.startswith("["):
            return False
        if (start := self._START.match(line)) is not None:
            self.finish(ledger)
            if number(start[1]):
                ledger.suite(self.NAME).begin()
            return True
        if (case := self._CASE.match(line)) is not None:
            ledger.suite(self.NAME).case(self._WORDS[case[1]], case[2])
            return True
        if (ran := self._RAN.match(line)) is not None:
            self.finish(ledger)
            self._total, self._passed, self._skipped = number(ran[1]), 0, 0
            return True
        count = self._COUNT.match(line) if self._total is not None else None
        if count is None:
            return False
        if count[1] == "PASSED":
            self._passed = number(count[2])
        elif count[1] == "SKIPPED":
            self._skipped = number(count[2])
        if count[1] == "FAILED" or self._passed + self._skipped >= (self._total or 0):
            self.finish(ledger)
        return True

    def finish(self, ledger: Ledger) -> None:
        """Take the counts at a run's end; with `--gtest_brief=1` those that failed are not counted there."""
        if self._total is not None:
            failed = max(0, self._total - self._passed - self._skipped)
            ledger.summary(self.NAME, Results(self._passed, failed, skipped=self._skipped))
        self._total = None


class Lit(Runner):
    """Reads LLVM's lit: `FAIL: Suite :: name (12 of 480)`, and the rows from `Testing Time:` on.

    Version 23 adds the attempts of a test that was tried again: `(12 of 480, 3 of 3 attempts)`.
    """

    WORDS = (b"\n-- Testing: ", b"\nTesting Time:", b" :: ", b"\nTotal Discovered Tests:")
    NAME: Final = "lit"
    _START: Final = re.compile(r"^-- Testing: (\d+)(?: of \d+)? tests")
    _CASE: Final = re.compile(r"^([A-Z]+): (\S.*?) \(\d+ of \d+(?:, \d+ of \d+ attempts)?\)(?: \[.*)?\s*$")
    _END: Final = re.compile(r"^(?:Testing Time: |Total Discovered Tests: )")
    _ROW: Final = re.compile(r"^ +([A-Z][A-Za-z ]+?) *: +(\d+)(?: \(.*)?\s*$")
    _ROWS: Final[dict[str, Outcome]] = {
        **dict.fromkeys(("Passed", "Expected Passes", "Passed With Retry", "Passes With Retry"), "passed"),
        **dict.fromkeys(("Failed", "Unexpected Failures", "Timed Out", "Individual Timeouts"), "failed"),
        **dict.fromkeys(("Expectedly Failed", "Expected Failures"), "expected_failed"),
        **dict.fromkeys(("Unexpectedly Passed", "Unexpected Passes", "Unexpected Successes"), "unexpected_passed"),
        **dict.fromkeys(("Skipped", "Skipped Tests", "Unsupported", "Unsupported Tests"), "skipped"),
        **dict.fromkeys(("Unresolved", "Unresolved Tests"), "errors"),
    }
    _CASES: Final[dict[str, Outcome]] = {
        **dict.fromkeys(("PASS", "FLAKYPASS"), "passed"),
        **dict.fromkeys(("FAIL", "TIMEOUT"), "failed"),
        "XFAIL": "expected_failed",
        "XPASS": "unexpected_passed",
        **dict.fromkeys(("UNSUPPORTED", "SKIPPED"), "skipped"),
        "UNRESOLVED": "errors",
    }

    def __init__(self) -> None:
        self._counts: dict[str, int] | None = None
        self._silent = 0

    @property
    def is_busy(self) -> bool:
        """Whether rows are read."""
        return self._counts is not None

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        if self._counts is not None:
            return self._row(line, self._counts, ledger)
        if self._END.match(line) is not None:
            self._counts, self._silent = {}, 0
            return True
        if self._START.match(line) is not None:
            ledger.suite(self.NAME).begin()
            return True
        case = self._CASE.match(line)
        outcome = self._CASES.get(case[1]) if case is not None else None
        if case is None or outcome is None:
            return False
        ledger.suite(self.NAME).case(outcome, case[2], once=True)
        return True

    def _row(self, line: str, counts: dict[str, int], ledger: Ledger) -> bool:
        row = self._ROW.match(line)
        if row is not None:
            name = self._ROWS.get(row[1])
            if name is not None:
                counts[name] = counts.get(name, 0) + number(row[2])
            return True
        if not line or self._END.match(line) is not None:
            self._silent += 1
            if self._silent <= ROWS_END:
                return True
        self.finish(ledger)
        return False

    def finish(self, ledger: Ledger) -> None:
        """Take the rows that the log ends with."""
        if self._counts:
            ledger.summary(self.NAME, Results(**self._counts))
        self._counts = None
