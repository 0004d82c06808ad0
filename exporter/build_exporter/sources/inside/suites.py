"""Results of test suites as their runners print them, read where the builder itself swallows the exit code.

Each reader knows one runner's summary. Results of one suite that come several times, as from subdirectories, add up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from typing import Final

from build_exporter.model.events import Event, TestsReported
from build_exporter.sources.inside.reader import Look
from build_exporter.tracker import Step


@dataclass(frozen=True, slots=True)
class Results:
    """Counts of one suite."""

    passed: int = 0
    failed: int = 0
    expected_failed: int = 0
    unexpected_passed: int = 0
    skipped: int = 0
    errors: int = 0

    def __add__(self, other: Results) -> Results:
        """Return the sums."""
        return Results(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    @property
    def total(self) -> int:
        """How many tests that is."""
        return sum(getattr(self, each.name) for each in fields(self))


Runner = Callable[[str], "tuple[str, Results] | None"]
"""Takes a line; returns a suite's name and results once a summary is whole."""

_ROWS_END: Final = 12
"""Lines without a row of a summary after which it is over."""


@dataclass(slots=True)
class Table:
    """A summary in rows: begun by a heading whose group `suite` names it, each row a word and a count."""

    heading: re.Pattern[str]
    row: re.Pattern[str]
    words: dict[str, str]
    """Word of a row to field of `Results`; other rows count as nothing."""
    name: str = ""
    """The suite's name where the heading has none."""
    suite: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    silent: int = 0

    def __call__(self, line: str) -> tuple[str, Results] | None:
        """Take one line."""
        heading = self.heading.match(line)
        if heading is not None:
            done = self.finish()
            self.suite = (heading.groupdict().get("suite") or self.name).strip()
            self._count(self.row.match(line))
            return done
        if not self.suite:
            return None
        row = self.row.match(line)
        if row is None:
            self.silent += bool(line.strip())
            return self.finish() if self.silent > _ROWS_END or (self.counts and line.strip()) else None
        self.silent = 0
        self._count(row)
        return None

    def _count(self, row: re.Match[str] | None) -> None:
        if row is not None:
            name = self.words.get(row["word"], "")
            self.counts[name] = self.counts.get(name, 0) + int(row["count"])

    def finish(self) -> tuple[str, Results] | None:
        """Return what there is of a summary that has been begun, and forget it."""
        suite, counts = self.suite, self.counts
        self.suite, self.counts, self.silent = "", {}, 0
        counts.pop("", None)
        return (suite, Results(**counts)) if counts else None


def _tables() -> Iterator[Table]:
    yield Table(  # DejaGnu: "=== gcc Summary ===" then "# of expected passes		1234"
        re.compile(r"^\s*=== (?P<suite>[\w+./ -]{1,60}?) Summary(?: for \S+)? ===\s*$"),
        re.compile(r"^# of (?P<word>[a-z ]+?)\s+(?P<count>\d+)\s*$"),
        {
            "expected passes": "passed",
            "unexpected failures": "failed",
            "expected failures": "expected_failed",
            "unknown successes": "unexpected_passed",
            "unexpected successes": "unexpected_passed",
            "unsupported tests": "skipped",
            "untested testcases": "skipped",
            "unresolved testcases": "errors",
            "DejaGnu errors": "errors",
        },
    )
    yield Table(  # automake: "Testsuite summary for GNU m4 1.4.19" then "# PASS:  250"
        re.compile(r"^Testsuite summary for (?P<suite>.{1,80}?)\s*$"),
        re.compile(r"^# (?P<word>[A-Z]+):\s+(?P<count>\d+)\s*$"),
        {
            "PASS": "passed",
            "FAIL": "failed",
            "XFAIL": "expected_failed",
            "XPASS": "unexpected_passed",
            "SKIP": "skipped",
            "ERROR": "errors",
        },
    )
    yield Table(  # glibc: "Summary of test results:" then "   5113 PASS"
        re.compile(r"^Summary of test results:\s*$"),
        re.compile(r"^\s+(?P<count>\d+) (?P<word>[A-Z]+)\s*$"),
        {
            "PASS": "passed",
            "FAIL": "failed",
            "XFAIL": "expected_failed",
            "XPASS": "unexpected_passed",
            "UNSUPPORTED": "skipped",
            "UNRESOLVED": "errors",
        },
        name="glibc",
    )
    yield Table(  # meson: a blank line, then "Ok:                 120"
        re.compile(r"^(?=Ok:\s+\d+\s*$)"),
        re.compile(r"^(?P<word>[A-Z][A-Za-z ]+?):\s+(?P<count>\d+)\s*$"),
        {
            "Ok": "passed",
            "Fail": "failed",
            "Timeout": "failed",
            "Expected Fail": "expected_failed",
            "Unexpected Pass": "unexpected_passed",
            "Skipped": "skipped",
        },
        name="meson",
    )


_CTEST: Final = re.compile(r"^\d+% tests passed, (\d+) tests? failed out of (\d+)\s*$")
_PYTEST: Final = re.compile(r"^=*\s*((?:\d+ [a-z]+, )*\d+ [a-z]+) in [\d.:]+ ?s.*?=*\s*$")
_PYTEST_WORDS: Final = {
    "passed": "passed",
    "failed": "failed",
    "skipped": "skipped",
    "xfailed": "expected_failed",
    "xpassed": "unexpected_passed",
    "error": "errors",
    "errors": "errors",
}
_OLD_AUTOMAKE: Final = re.compile(
    r"^(?:All (\d+) tests? (?:passed|behaved as expected)|(\d+) of (\d+) tests? failed)\b"
)
_AUTOTEST: Final = re.compile(
    r"^(\d+) tests? (were successful|was successful|behaved as expected|failed unexpectedly)\."
)


def read_ctest(line: str) -> tuple[str, Results] | None:
    """Read `98% tests passed, 1 tests failed out of 57`."""
    found = _CTEST.match(line)
    if found is None:
        return None
    failed, total = int(found[1]), int(found[2])
    return "ctest", Results(passed=max(0, total - failed), failed=failed)


def read_pytest(line: str) -> tuple[str, Results] | None:
    """Read `=== 1 failed, 12 passed, 3 skipped in 1.23s ===`."""
    found = _PYTEST.match(line)
    if found is None:
        return None
    counts: dict[str, int] = {}
    for part in found[1].split(", "):
        count, _, word = part.partition(" ")
        name = _PYTEST_WORDS.get(word)
        if name is not None:
            counts[name] = counts.get(name, 0) + int(count)
    return ("pytest", Results(**counts)) if counts else None


def read_old_automake(line: str) -> tuple[str, Results] | None:
    """Read `All 46 tests passed` and `3 of 46 tests failed`."""
    found = _OLD_AUTOMAKE.match(line)
    if found is None:
        return None
    if found[1]:
        return "make check", Results(passed=int(found[1]))
    failed, total = int(found[2]), int(found[3])
    return "make check", Results(passed=max(0, total - failed), failed=failed)


def read_autotest(line: str) -> tuple[str, Results] | None:
    """Read Autotest's `263 tests behaved as expected.` and `2 tests failed unexpectedly.`."""
    found = _AUTOTEST.match(line)
    if found is None:
        return None
    count = int(found[1])
    return "autotest", Results(failed=count) if "unexpectedly" in found[2] else Results(passed=count)


class UnitTest:
    """Reads Python's unittest: `Ran 12 tests in 0.5s`, then `OK (skipped=3)` or `FAILED (failures=1, errors=2)`."""

    _RAN: Final = re.compile(r"^Ran (\d+) tests? in [\d.]+s\s*$")
    _END: Final = re.compile(r"^(?:OK|FAILED)(?: \(([a-z ]+=\d+(?:, [a-z ]+=\d+)*)\))?\s*$")
    _WORDS: Final = {
        "failures": "failed",
        "errors": "errors",
        "skipped": "skipped",
        "expected failures": "expected_failed",
        "unexpected successes": "unexpected_passed",
    }

    def __init__(self) -> None:
        self._ran: int | None = None

    def __call__(self, line: str) -> tuple[str, Results] | None:
        """Take one line."""
        ran = self._RAN.match(line)
        if ran is not None:
            self._ran = int(ran[1])
            return None
        end = self._END.match(line) if self._ran is not None else None
        if end is None or self._ran is None:
            return None
        pairs = (part.split("=") for part in (end[1] or "").split(", ") if part)
        counts = {self._WORDS[word]: int(count) for word, count in pairs if word in self._WORDS}
        passed = max(0, self._ran - sum(counts.values()))
        self._ran = None
        return "unittest", Results(passed=passed, **counts)


class GoogleTest:
    """Reads GoogleTest: `[==========] 12 tests from 3 test suites ran.`, then PASSED, SKIPPED and FAILED lines."""

    _RAN: Final = re.compile(r"^\[=+\] (\d+) tests? from \d+ test \w+ ran\b")
    _COUNT: Final = re.compile(r"^\[\s*(PASSED|FAILED|SKIPPED)\s*\] (\d+) tests?\b")

    def __init__(self) -> None:
        self._total: int | None = None
        self._skipped = 0
        self._passed: int | None = None

    def __call__(self, line: str) -> tuple[str, Results] | None:
        """Take one line."""
        ran = self._RAN.match(line)
        if ran is not None:
            self._total, self._skipped, self._passed = int(ran[1]), 0, None
            return None
        count = self._COUNT.match(line) if self._total is not None else None
        if count is None or self._total is None:
            return None
        if count[1] == "SKIPPED":
            self._skipped = int(count[2])
            return None
        if count[1] == "PASSED":
            self._passed = int(count[2])
            if self._passed < self._total:
                return None
        failed = int(count[2]) if count[1] == "FAILED" else 0
        passed = self._passed or 0
        self._total = None
        return "gtest", Results(passed=passed, failed=failed, skipped=self._skipped)


class Prove:
    """Reads Perl's prove: `t/a.t (Wstat: 0 Tests: 3 Failed: 1)` for each bad file, `Files=120, Tests=3456, …`."""

    _FILE: Final = re.compile(r"^\S.* \(Wstat: .*\bTests: \d+ Failed: (\d+)\)\s*$")
    _WHOLE: Final = re.compile(r"^Failed \d+/\d+ test programs\. (\d+)/\d+ subtests failed\.")
    _END: Final = re.compile(r"^Files=\d+, Tests=(\d+),")

    def __init__(self) -> None:
        self._by_file = self._in_all = 0

    def __call__(self, line: str) -> tuple[str, Results] | None:
        """Take one line."""
        if (found := self._FILE.match(line)) is not None:
            self._by_file += int(found[1])
        elif (found := self._WHOLE.match(line)) is not None:
            self._in_all = int(found[1])
        elif (found := self._END.match(line)) is not None:
            failed = max(self._by_file, self._in_all)
            self._by_file = self._in_all = 0
            return "prove", Results(passed=max(0, int(found[1]) - failed), failed=failed)
        return None


class SuiteReader:
    """Reads the lines of one step's log; `results` holds the sums of each suite so far."""

    def __init__(self) -> None:
        self.results: dict[str, Results] = {}
        self._changed: set[str] = set()
        self._tables = list(_tables())
        self._readers: list[Runner] = [
            *self._tables,
            read_ctest,
            read_pytest,
            read_old_automake,
            read_autotest,
            UnitTest(),
            GoogleTest(),
            Prove(),
        ]

    def feed(self, line: str) -> None:
        """Take one line into account."""
        self._add(found for reader in self._readers if (found := reader(line)) is not None)

    def finish(self) -> None:
        """Take what there is of summaries as all."""
        self._add(found for table in self._tables if (found := table.finish()) is not None)

    def tell(self, look: Look) -> Iterator[Event]:
        """Yield the results of the suites that changed."""
        if look.over:
            self.finish()
        for suite in sorted(self._changed):
            report = _report(self.results[suite], suite, look)
            if not _is_told(look.step, report):
                yield report
        self._changed.clear()

    def _add(self, found: Iterator[tuple[str, Results]]) -> None:
        for suite, results in found:
            if results.total:
                self.results[suite] = self.results.get(suite, Results()) + results
                self._changed.add(suite)


def _report(results: Results, suite: str, look: Look) -> TestsReported:
    return TestsReported(
        time=look.time,
        build=look.run.build,
        phase=look.step.phase,
        step=look.step.step,
        suite=suite,
        passed=results.passed,
        failed=results.failed,
        expected_failed=results.expected_failed,
        unexpected_passed=results.unexpected_passed,
        skipped=results.skipped,
        errors=results.errors,
    )


def _is_told(step: Step, report: TestsReported) -> bool:
    told = step.tests.get(report.suite)
    return told is not None and all(getattr(told, name) == getattr(report, name) for name in _COUNTS)


_COUNTS: Final = tuple(each.name for each in fields(Results))
