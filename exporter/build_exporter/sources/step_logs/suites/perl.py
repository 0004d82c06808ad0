"""TAP, the Test Anything Protocol, by itself; and Perl's prove, which reads it and sums up."""

from __future__ import annotations

import re
from typing import Final

from build_exporter.sources.step_logs.suites.results import Ledger, Results
from build_exporter.sources.step_logs.suites.runner import Runner, number


class Tap(Runner):
    """Reads `1..12`, `ok 1 - name`, `not ok 2 # TODO later`, `Bail out!`; tests announced and not run are errors.

    A stream begins with its plan, its version, or test number 1: a bare `ok` in a log is no test.
    """

    WORDS = (b"\n1..", b"\nok", b"\nnot ok", b"\nTAP version ", b"\nBail out!", b"\nOK ", b"\nNOT OK")
    NAME: Final = "tap"
    _PLAN: Final = re.compile(r"^1\.\.(\d{1,9})\s*(?:#\s*(skip\b.*)?)?$", re.IGNORECASE)
    _CASE: Final = re.compile(
        r"^(not )?ok\b(?: +(\d{1,9}))?(?: +-)?((?:\\.|[^\\#])*)(?:# *(TODO|SKIP)\b)?", re.IGNORECASE
    )
    """The first `#` begins a directive or nothing; `\\#` is one in a test's name."""

    def __init__(self) -> None:
        self._is_open = False
        self._plan: int | None = None
        self._count = 0

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        first = line[:1]
        if first == "1" and (plan := self._PLAN.match(line)) is not None:
            self._planned(number(plan[1]), is_skip=bool(plan[2]), ledger=ledger)
            return True
        if first in "no" and (case := self._CASE.match(line)) is not None:
            return self._case(case, ledger)
        if first == "T" and line.startswith("TAP version "):
            self._begin(ledger)
            return True
        if first == "B" and self._is_open and line.startswith("Bail out!"):
            suite = ledger.suite(self.NAME)
            suite.open = 0
            suite.case("errors", line[:100])
            self._is_open, self._plan = False, None
            return True
        return False

    def _begin(self, ledger: Ledger) -> None:
        """Begin a stream; tests that an earlier one announced and did not report did not run."""
        suite = ledger.suites.get(self.NAME)
        for _ in range(suite.open if suite is not None and self._is_open else 0):
            ledger.suite(self.NAME).case("errors")
        self._is_open, self._plan, self._count = True, None, 0
        self._expect(ledger)

    def _planned(self, plan: int, *, is_skip: bool, ledger: Ledger) -> None:
        if self._is_open and self._plan is None:
            # at the end of the stream, or right after its version
            self._plan = plan
        else:
            self._begin(ledger)
            self._plan = plan
        if plan == 0 and is_skip:
            ledger.suite(self.NAME).case("skipped")
        self._expect(ledger)

    def _case(self, case: re.Match[str], ledger: Ledger) -> bool:
        position = number(case[2]) if case[2] else None
        if position == 1 and (not self._is_open or self._count):
            self._begin(ledger)
        if not self._is_open:
            return False
        self._count += 1
        directive = (case[4] or "").upper()
        suite = ledger.suite(self.NAME)
        name = case[3].strip().replace(r"\#", "#") or str(position or self._count)
        if directive == "SKIP":
            suite.case("skipped")
        elif directive == "TODO":
            suite.case("expected_failed" if case[1] else "unexpected_passed")
        else:
            suite.case("failed" if case[1] else "passed", name)
        self._expect(ledger)
        return True

    def _expect(self, ledger: Ledger) -> None:
        if self._plan is None:
            return
        left = max(0, self._plan - self._count)
        ledger.suite(self.NAME).open = min(left, 1_000_000)
        if not left:
            self._is_open = False


class Prove(Runner):
    """Reads prove: `t/a.t .. Failed 1/3 subtests`, `t/a.t (Wstat: 0 Tests: 3 Failed: 1)`, `Files=120, Tests=3456, …`.

    While it runs a good file counts as one test: how many it has is printed at the end.
    """

    WORDS = (
        b".t ..",
        b"(Wstat: ",
        b"\nFiles=",
        b" subtests",
        b"TODO passed:",
        b"Non-zero ",
        b"Parse errors:",
        b"test programs",
    )
    NAME: Final = "prove"
    _RUN: Final = re.compile(r"^(\S.*?\.t) \.\.+ ?(ok|skipped: .*|skipped|Dubious.*)?\s*$")
    _SUBTESTS: Final = re.compile(r"^(?:(\S.*?\.t) \.\.+ |\s*)Failed (\d{1,9})/(\d{1,9}) subtests\s*$")
    _FILE: Final = re.compile(r"^(\S.*?) +\(Wstat: (\d+)\b.*\bTests: \d+ Failed: (\d{1,9})\)\s*$")
    _DETAIL: Final = re.compile(r"^  (TODO passed|Non-zero (?:exit|wait) status|Parse errors):\s+(.*)$")
    _WHOLE: Final = re.compile(r"^Failed \d+/\d+ test programs\. (\d{1,9})/\d+ subtests failed\.")
    _END: Final = re.compile(r"^Files=\d+, Tests=(\d{1,9}),")

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._is_open = False
        self._by_file = self._in_all = self._errors = self._unexpected = 0
        self._good_file = ""

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        if (end := self._END.match(line)) is not None:
            self._sum_up(number(end[1]), ledger)
            return True
        if (whole := self._WHOLE.match(line)) is not None:
            self._in_all = number(whole[1])
            return True
        if "Wstat:" in line and (file := self._FILE.match(line)) is not None:
            failed = number(file[3])
            self._by_file += failed
            self._good_file = "" if failed else file[1]
            if failed:
                ledger.suite(self.NAME).name("failed", file[1], failed)
            return True
        if line.startswith("  ") and (detail := self._DETAIL.match(line)) is not None:
            self._add_detail(detail[1], detail[2], ledger)
            return True
        return self._live(line, ledger)

    def _live(self, line: str, ledger: Ledger) -> bool:
        if "Failed " in line and (found := self._SUBTESTS.match(line)) is not None:
            suite = ledger.suite(self.NAME)
            failed = min(number(found[2]), number(found[3]), 1_000_000)
            suite.seen["failed"] += failed
            suite.seen["passed"] += min(number(found[3]), 1_000_000) - failed
            return True
        if ".t .." not in line or (run := self._RUN.match(line)) is None:
            return False
        if run[2] in (None, "ok") or run[2].startswith(("skipped", "Dubious")):
            self._is_open = True
        if run[2] == "ok":
            ledger.suite(self.NAME).case("passed")
        return False

    def _add_detail(self, kind: str, text: str, ledger: Ledger) -> None:
        if kind == "TODO passed":
            self._unexpected += sum(_span(part) for part in text.split(","))
        elif self._good_file:
            # every test of the file was good, and yet it failed
            self._errors += 1
            ledger.suite(self.NAME).name("errors", self._good_file)
            self._good_file = ""

    def _sum_up(self, total: int, ledger: Ledger) -> None:
        failed = max(self._by_file, self._in_all)
        unexpected = min(self._unexpected, max(0, total - failed))
        results = Results(
            max(0, total - failed - unexpected), failed, unexpected_passed=unexpected, errors=self._errors
        )
        ledger.summary(self.NAME, results, of=Tap.NAME if self._is_open else None)
        self._forget()


def _span(text: str) -> int:
    """Return how many tests `3` or `5-8` are."""
    first, _, last = text.strip().partition("-")
    if not first.isdecimal():
        return 0
    return max(1, number(last) - number(first) + 1) if last.isdecimal() else 1
