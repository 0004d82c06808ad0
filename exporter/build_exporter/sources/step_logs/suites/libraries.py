"""Libraries that C and C++ programs test themselves with: cmocka, Check, Catch2 and doctest."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from build_exporter.sources.step_logs.suites.drivers import GoogleTest
from build_exporter.sources.step_logs.suites.results import Ledger, Results
from build_exporter.sources.step_logs.suites.runner import Runner, number


class Cmocka(GoogleTest):
    """Reads cmocka's lines, which are those of GoogleTest but for `2 test(s)`, and names failed tests twice."""

    NAME: ClassVar = "cmocka"
    _START: ClassVar = re.compile(r"^\[=+\] (?:.+: )?Running (\d+) test\(s\)\.")
    _CASE: ClassVar = re.compile(r"^\[\s*(OK|FAILED|SKIPPED)\s*\] (\S+)\s*$")
    _RAN: ClassVar = re.compile(r"^\[=+\] (?:.+: )?(\d+) test\(s\) run\.")
    _COUNT: ClassVar = re.compile(r"^\[\s*(PASSED|FAILED|SKIPPED)\s*\] (\d+) test\(s\)")

    def __init__(self) -> None:
        super().__init__()
        self._is_running = False

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        if self._START.match(line) is not None:
            self._is_running = True
        elif self._RAN.match(line) is not None:
            self._is_running = False
        elif not self._is_running and self._CASE.match(line) is not None:
            return False
        return super().feed(line, ledger)


class Check(Runner):
    """Reads Check: `66%: Checks: 6, Failures: 1, Errors: 1`, and names from `a.c:3:F:case:name:0: …`."""

    WORDS = (b"%: Checks: ", b":F:", b":E:")
    NAME: Final = "check"
    _END: Final = re.compile(r"^\d{1,3}%: Checks: (\d{1,9}), Failures: (\d{1,9}), Errors: (\d{1,9})\s*$")
    _CASE: Final = re.compile(r"^[^\s:]+:\d+:([FE]):[^:]*:(\w+):\d+: ")

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        if (end := self._END.match(line)) is not None:
            failed, errors = number(end[2]), number(end[3])
            ledger.summary(self.NAME, Results(max(0, number(end[1]) - failed - errors), failed, errors=errors))
        elif (case := self._CASE.match(line)) is not None:
            ledger.suite(self.NAME).name("failed" if case[1] == "F" else "errors", case[2])
        else:
            return False
        return True


class Catch(Runner):
    """Reads the last lines of Catch2 and doctest: `test cases: 4 | 2 passed | 1 failed | 1 failed as expected`."""

    WORDS = (b"\ntest cases: ", b"\n[doctest] test cases: ", b"\nAll tests passed (")
    _END: Final = re.compile(r"^(\[doctest\] )?test cases: +\d{1,9} \|(.*)$")
    _COUNT: Final = re.compile(r"(\d{1,9}) (passed|failed as expected|failed|skipped)\b")
    _GOOD: Final = re.compile(r"^All tests passed \(\d+ assertions? in (\d{1,9}) test cases?\)\s*$")

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        if (end := self._END.match(line)) is not None:
            counts = {word: number(count) for count, word in self._COUNT.findall(end[2])}
            results = Results(counts.get("passed", 0), counts.get("failed", 0), counts.get("failed as expected", 0))
            results += Results(skipped=counts.get("skipped", 0))
            ledger.summary("doctest" if end[1] else "catch2", results)
        elif (good := self._GOOD.match(line)) is not None:
            ledger.summary("catch2", Results(number(good[1])))
        else:
            return False
        return True
