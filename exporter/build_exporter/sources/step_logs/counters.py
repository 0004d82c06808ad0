"""Counters that build tools and test runners print: ninja's `[12/480]`, percents of cmake, `3/57 Test` of ctest.

What stands before each line of ninja is up to its user (NINJA_STATUS): other forms are learnt from the lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_COUNTED: Final = re.compile(r"\s*\[\s*(\d{1,7})/(\d{1,7})\]")
_WORK: Final = r"(?:Building|Compiling|Linking|Generating|Creating|Copying|CC|CXX|LD|AR|gcc|g\+\+|cc|clang)\b"
_PERCENT: Final = re.compile(rf"\s*\[\s*(\d{{1,3}})%\]\s|\W{{0,4}}(\d{{1,3}})%\W{{1,4}}{_WORK}")
_TESTED: Final = re.compile(
    r"\s*(\d{1,6})/(\d{1,6}) +(?:Test +#\d+: .|.* (?:OK|FAIL|SKIP|ERROR|TIMEOUT|EXPECTEDFAIL) +\d)"
)
_OF: Final = re.compile(r"[A-Z]{4,12}: .* \((\d{1,7}) of (\d{1,7})\)\s*$")
_AT_END: Final = re.compile(r".*\s\[\s*(\d{1,3})%\]\s*$")

_JOBS: Final = re.compile(r".*\b(?:Jobs: |running tasks \()(\d{1,7}) of (\d{1,7})\b")
"""Counters of emerge with parallel jobs, and of BitBake on a terminal."""

_STATUS: Final = re.compile(
    r"(\d{1,7})/(\d{1,7})/(\d{1,7})(?!\d|/)|(?:(?<![\d/.])|(?<=%/))(\d{1,7}) ?(?:/|of) ?(\d{1,7})(?![\d/])"
)
_LEADING: Final = re.compile(r"\W{0,4}(\d{1,3})%\W{1,4}[\w./]")
_NO_STATUS: Final = re.compile(r"\b(?:objects|deltas|remote|files|[KMG]i?B|bytes|Download|Fetch|Receiv)")
"""Lines that count something else: git, and programs that download."""

_NUMBER: Final = re.compile(r"\s*\d+(?:\.\d+)?")
STATUS_CHARACTERS: Final = 60
"""Characters of a line that a ninja status may take."""

NUMBERED_CHARACTERS: Final = 2 * STATUS_CHARACTERS

STATUS_LINES: Final = 3
"""Lines with numbers that count up to one total, until their form is taken for a status."""

MAX_FORMS: Final = 100

_DIGITS: Final = str.maketrans("123456789", "000000000")

COUNTER_BEGINS: Final = frozenset(" [(<|0123456789")
"""First characters of the first three kinds of lines: a cheap test that most lines fail."""

MIN_TOTAL: Final = 10
"""A counter to less than this is one of the small runs of ninja before and after the real one."""

NEXT_ROUND_SHARE: Final = 0.5
"""Share of the step's remainder given to a new round when counting starts over."""

NEW_ROUND_DROP: Final = 0.5
"""A counter that falls by more has begun again: parallel jobs that print out of order make it fall by less."""


@dataclass(slots=True)
class _Round:
    """One counting to a total: the share of the step that lay before it, the share it stands for, how far it is."""

    base: float
    share: float
    done: float = 0.0


class Status:
    """Learns which numbers before each line count up to one total: `40% 12/480`, `[3 running, 12/480]`, `400/4/12`.

    Three numbers are those of edges not begun, running and finished, whose sum is the total.
    """

    def __init__(self) -> None:
        self._forms: dict[str, tuple[int, int, int]] = {}

    def read(self, line: str) -> tuple[int, int] | None:
        """Return done and total that a line begins with, None before its form is known to count."""
        found = _STATUS.search(line, 0, STATUS_CHARACTERS)
        if found is None or _NO_STATUS.search(line) is not None:
            return None
        if found[1] is not None:
            done, total = int(found[3]), int(found[1]) + int(found[2]) + int(found[3])
        else:
            done, total = int(found[4]), int(found[5])
        form = _NUMBER.sub("0", line[: found.end()])
        known, before, lines = self._forms.get(form, (total, -1, 0))
        is_counting = known == total and before < done <= total >= MIN_TOTAL
        if form not in self._forms and len(self._forms) >= MAX_FORMS:
            return None
        self._forms[form] = (total, max(before, done) if is_counting else done, lines + 1 if is_counting else 0)
        return (done, total) if is_counting and lines + 1 >= STATUS_LINES else None


class Counters:
    """The share of a step that is done by the counters in its log: from 0 to 1, None before the first. Never falls.

    A step may count more than once: for two targets one after the other, or its objects and then its tests. Each new
    round is given half of what was left, since how many there are is nowhere said.
    """

    def __init__(self) -> None:
        self.share: float | None = None
        self._rounds: dict[str, _Round] = {}
        self._status = Status()
        self._leading: list[int] = []

    def feed(self, line: str) -> None:
        """Take one line into account."""
        if not _may_count(line):
            return
        found = _read(line)
        if found is None and (status := self._status.read(line)) is not None:
            found = ("edges", status[0] / status[1])
        if found is None and "%" in line[:8] and _NO_STATUS.search(line) is None:
            found = self._read_leading(line)
        if found is None:
            return
        kind, done = found
        current = self._rounds.get(kind)
        if current is None or done < current.done - NEW_ROUND_DROP:
            base = self.share or 0.0
            share = (1.0 - base) * NEXT_ROUND_SHARE if self._rounds else 1.0
            current = self._rounds[kind] = _Round(base, share)
        current.done = max(current.done, done)
        self.share = min(1.0, max(self.share or 0.0, current.base + current.share * current.done))

    def _read_leading(self, line: str) -> tuple[str, float] | None:
        """Return the percentage before a line once it has risen over some lines: a status that is `%p` alone."""
        found = _LEADING.match(line)
        if found is None or int(found[1]) > 100:
            return None
        percent = int(found[1])
        if self._leading and percent < self._leading[-1]:
            self._leading.clear()
        if percent not in self._leading[-1:]:
            self._leading = [*self._leading, percent][-STATUS_LINES:]
        return ("percent", percent / 100) if len(self._leading) >= STATUS_LINES else None


def _may_count(line: str) -> bool:
    """Return whether a line may hold a counter: most lines cost only this."""
    head = line[:NUMBERED_CHARACTERS].translate(_DIGITS)
    return "0/" in head or "0%" in head or "0 /" in head or "0of" in head or "0 of" in head or _may_end(line)


def _may_end(line: str) -> bool:
    return " of " in line or line.endswith("%]")


def _read(line: str) -> tuple[str, float] | None:
    """Return what kind of counter a line holds and how far it is."""
    if line[:1] in COUNTER_BEGINS:
        if (found := _COUNTED.match(line)) is not None:
            return _of("edges", found)
        if (found := _PERCENT.match(line)) is not None:
            return "percent", min(100, int(found[1] or found[2])) / 100
        return _of("tests", found) if (found := _TESTED.match(line)) is not None else None
    if " of " in line and (jobs := _JOBS.match(line)) is not None and 0 < int(jobs[2]) >= int(jobs[1]):
        return "jobs", int(jobs[1]) / int(jobs[2])
    if line.endswith("%]") and (found := _AT_END.match(line)) is not None:
        return "tests in percent", min(100, int(found[1])) / 100
    return _of("tests of", found) if line.endswith(")") and (found := _OF.match(line)) is not None else None


def _of(kind: str, found: re.Match[str]) -> tuple[str, float] | None:
    done, total = int(found[1]), int(found[2])
    return (kind, done / total) if total >= MIN_TOTAL and done <= total else None
