"""Results of a step's test suites: counts while they run, replaced by each summary when it comes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Final, Literal

Outcome = Literal["passed", "failed", "expected_failed", "unexpected_passed", "skipped", "errors"]

MAX_NAMES: Final = 5000
"""Names of failing tests remembered of a suite; what fails beyond them counts, and is in no list."""

MAX_SUITES: Final = 100
"""Suites reported for a step; the fold keeps no more."""

MAX_NAME_CHARACTERS: Final = 100


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
        return Results(*(getattr(self, name) + getattr(other, name) for name in COUNTS))

    @property
    def total(self) -> int:
        """Number of tests."""
        return sum(getattr(self, name) for name in COUNTS)

    @property
    def bad(self) -> int:
        """Number of tests that need attention."""
        return self.failed + self.errors


COUNTS: Final = tuple(each.name for each in fields(Results))


@dataclass(slots=True)
class Suite:
    """One suite of a step.

    Attributes:
        reported: sums of the summaries so far.
        seen: tests as they were written; a summary replaces them.
        failing: names of failed tests and how often each was written; `broken` those of tests with errors.
        was_open: whether any of its runs reported its beginning.
        open: runs that have begun and whose summary has not come, or tests that were announced and have not come.
    """

    reported: Results = field(default_factory=Results)
    seen: Counter[str] = field(default_factory=Counter)
    failing: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    open: int = 0
    was_open: bool = False
    _recent: dict[str, Outcome] = field(default_factory=dict)

    @property
    def results(self) -> Results:
        """Counts as far as they are known: more than the summaries say while tests of a later run are written."""
        return Results(*(max(getattr(self.reported, name), self.seen[name]) for name in COUNTS))

    def begin(self) -> None:
        """Note that a run began."""
        self.open += 1
        self.was_open = True

    def case(self, outcome: Outcome, name: str = "", *, once: bool = False, last_wins: bool = False) -> None:
        """Count one test.

        Args:
            outcome: how it ended.
            name: of the test; empty where it isn't given.
            once: the runner may write the same test more than once before its summary.
            last_wins: what it writes last of a test counts, as after a repetition; else what it writes first.
        """
        if once and name:
            before = self._recent.get(name)
            if before is not None:
                if not last_wins or before == outcome:
                    return
                self._forget(before, name)
            if before is not None or len(self._recent) < MAX_NAMES:
                self._recent[name] = outcome
        self.seen[outcome] += 1
        self.name(outcome, name, once=once)

    def _forget(self, outcome: Outcome, name: str) -> None:
        self.seen[outcome] -= 1
        names = self.failing if outcome == "failed" else self.broken
        names.pop(name, None)

    def name(self, outcome: Outcome, name: str, times: int = 1, *, once: bool = True) -> None:
        """Remember the name of a test that failed; with `once` a repetition is not counted."""
        names = self.failing if outcome == "failed" else self.broken if outcome == "errors" else None
        if names is None or not name or (name not in names and len(names) >= MAX_NAMES):
            return
        names[name] = max(names[name], times) if once else names[name] + times

    def summary(self, results: Results) -> None:
        """Take a summary in place of the tests that it sums up."""
        self.reported += results
        self.open = max(0, self.open - 1)
        self._recent.clear()
        if not self.open:
            self.seen = Counter({name: getattr(self.reported, name) for name in COUNTS})

    def absorb(self, other: Suite) -> None:
        """Take over what was counted of a suite before its name was known."""
        for name, count in other.seen.items():
            self.seen[name] += count
        self.failing += other.failing
        self.broken += other.broken
        self._recent |= other._recent


class Ledger:
    """The suites of one step, as the readers of runners find them.

    Attributes:
        suites: by name.
        renamed: names under which suites were counted before their own was known, and the names they have now.
        without_result: names of suites that were begun and said themselves that there was nothing to run.
        changed: whether anything was counted since a reader last cleared this.
    """

    def __init__(self) -> None:
        self.suites: dict[str, Suite] = {}
        self.renamed: dict[str, str] = {}
        self.without_result: set[str] = set()
        self.changed = False

    def suite(self, name: str) -> Suite:
        """Return a suite, a new one where it has not been seen; beyond `MAX_SUITES` one for all the others."""
        name = name.strip()[:MAX_NAME_CHARACTERS] or "tests"
        found = self.suites.get(name)
        if found is None:
            if len(self.suites) >= MAX_SUITES:
                name = "others"
            found = self.suites.setdefault(name, Suite())
        self.changed = True
        return found

    def summary(self, name: str, results: Results, *, of: str | None = None) -> None:
        """Take the summary of a suite, and what was counted of it under another name before."""
        if not results.total:
            self.without_result.add(name[:MAX_NAME_CHARACTERS])
            self.changed = True
            if name not in self.suites and (of is None or of not in self.suites):
                return
        suite = self.suite(name)
        if of is not None and of != name and (before := self.suites.pop(of, None)) is not None:
            self.renamed[of] = name.strip()[:MAX_NAME_CHARACTERS]
            suite.absorb(before)
        suite.summary(results)
