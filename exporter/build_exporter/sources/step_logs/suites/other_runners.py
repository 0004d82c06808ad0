"""Runners of single packages that many builds have: tcltest (Tcl, Expect), util-linux, e2fsprogs."""

from __future__ import annotations

import re
from typing import Final

from build_exporter.sources.step_logs.suites.results import Ledger, Results
from build_exporter.sources.step_logs.suites.runner import DIGITS, number


class TclTest:
    """Reads `==== name-1.1 what it is about FAILED`, and `all.tcl: Total 3 Passed 1 Skipped 1 Failed 1`."""

    STARTS: Final = "="
    MARKS: Final[tuple[str, ...]] = ("\tTotal\t",)
    NAME: Final = "tcltest"
    _CASE: Final = re.compile(r"^==== (\S+)(?: .*)? FAILED\s*$")
    _END: Final = re.compile(
        r"^\S+:\s+Total\s+(\d{1,9})\s+Passed\s+(\d{1,9})\s+Skipped\s+(\d{1,9})\s+Failed\s+(\d{1,9})\s*$"
    )

    @property
    def is_busy(self) -> bool:
        """Whether it is amid something, so that any line may tell."""
        return False

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

    def finish(self, ledger: Ledger) -> None:
        """Nothing waits for a further line."""


class UtilLinux:
    """Reads util-linux: `misc: swaplabel ... OK`, `All 252 tests PASSED`, `2 tests of 9 FAILED`."""

    STARTS: Final = " "
    MARKS: Final[tuple[str, ...]] = ()
    NAME: Final = "util-linux"
    _CASE: Final = re.compile(r"^\s+([\w.-]+: .+?)\s+\.\.\. (OK|FAILED|SKIPPED)\b")
    _GOOD: Final = re.compile(r"^\s+All (\d{1,9}) tests PASSED\s*$")
    _BAD: Final = re.compile(r"^\s+(\d{1,9}) tests of (\d{1,9}) FAILED\s*$")

    @property
    def is_busy(self) -> bool:
        """Whether it is amid something, so that any line may tell."""
        return False

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

    def finish(self, ledger: Ledger) -> None:
        """Nothing waits for a further line."""


class E2fsprogs:
    """Reads e2fsprogs: `m_rootdir: what it is about: failed`, then `391 tests succeeded  1 tests failed`."""

    STARTS: Final = DIGITS
    MARKS: Final[tuple[str, ...]] = (": ok", ": failed")
    NAME: Final = "e2fsprogs"
    _CASE: Final = re.compile(r"^([a-z]_\w+): .*: (ok|failed)\s*$")
    _END: Final = re.compile(r"^(\d{1,9}) tests succeeded\s+(\d{1,9}) tests failed\s*$")

    @property
    def is_busy(self) -> bool:
        """Whether it is amid something, so that any line may tell."""
        return False

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

    def finish(self, ledger: Ledger) -> None:
        """Nothing waits for a further line."""
