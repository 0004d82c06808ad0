"""Rates of a run: steps done an hour, and the share of attempts that succeeded."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from build_exporter.queries.course import course
from build_exporter.tracker import Run

MIN_SECONDS: Final = 60.0
"""Below this a rate an hour says nothing."""


def rate(run: Run, begin: float, end: float) -> float | None:
    """Return the steps that succeeded an hour between two times, None where they are too close."""
    begin = max(begin, run.start or begin)
    if end - begin < MIN_SECONDS:
        return None
    return finished_between(run, begin, end) * 3600.0 / (end - begin)


def finished_between(run: Run, begin: float, end: float) -> int:
    """Return how many steps succeeded after one time and up to another."""
    ends = course(run).ends
    return max(0, bisect_right(ends, end) - bisect_right(ends, begin))


def success_ratio(run: Run) -> float | None:
    """Return the share of ended attempts that succeeded, None before the first has ended; skipped ones don't count."""
    tried = run.finished["succeeded"] + run.finished["failed"] + run.finished["interrupted"]
    return run.finished["succeeded"] / tried if tried else None
