"""Base of the readers of test runners' output, and the form that most summaries have."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import ClassVar, Final

from build_exporter.sources.step_logs.suites.results import Ledger, Results

ROWS_END: Final = 12
"""Lines without a row of a summary after which it is over."""


class Runner:
    """Reads what one runner writes; several read the same lines, and none may take another's for its own.

    Attributes:
        WORDS: texts, one of which is in every line that matters while the runner is not busy; one that
            begins (ends) with a line's end stands at a line's beginning (end).
        takes_all: what is written now is within its tests: no other runner reads it.
    """

    WORDS: ClassVar[tuple[bytes, ...]] = ()
    takes_all: bool = False

    @property
    def is_busy(self) -> bool:
        """Whether it is inside a block, so that any line may matter."""
        return False

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line; return whether it is this runner's alone, so that no other looks at it."""
        raise NotImplementedError

    def finish(self, ledger: Ledger) -> None:
        """Take what there is as all: no line will come any more."""


@dataclass(slots=True)
class Table:
    """A summary in rows: begun by a heading whose group `suite` names it, each row a word and a count."""

    heading: re.Pattern[str]
    row: re.Pattern[str]
    sign: str
    """Text in every heading, searched first."""
    words: dict[str, str]
    """Word of a row to field of `Results`; other rows count as nothing."""
    name: str = ""
    """The suite's name where the heading has none."""
    may_be_empty: bool = False
    """A heading without rows is a summary too: of nothing."""
    suite: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    silent: int = 0

    def feed(self, line: str) -> tuple[str, Results] | None:
        """Take one line; return a suite's name and results once a summary is whole."""
        if not self.suite and self.sign not in line:
            return None
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
            return self.finish() if self.silent > ROWS_END or (self.counts and line.strip()) else None
        self.silent = 0
        self._count(row)
        return None

    def _count(self, row: re.Match[str] | None) -> None:
        if row is not None:
            name = self.words.get(row["word"], "")
            self.counts[name] = self.counts.get(name, 0) + number(row["count"])

    def finish(self) -> tuple[str, Results] | None:
        """Return what there is of a summary that has been begun, and forget it."""
        suite, counts = self.suite, self.counts
        self.suite, self.counts, self.silent = "", {}, 0
        counted = bool(counts) or (self.may_be_empty and bool(suite))
        counts.pop("", None)
        return (suite, Results(**counts)) if counted else None


def number(text: str) -> int:
    """Return the number that digits are, commas between them left out; 0 for one too long to be a count of tests."""
    digits = text.replace(",", "")
    return int(digits) if len(digits) <= 9 else 0
