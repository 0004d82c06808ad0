"""Durations of earlier merges, from which the next merge of a package is estimated."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean, median
from typing import Final

BINARY: Final = "binary"
MERGE: Final = "merge"


class History:
    """Durations of successful merges by kind and category/name, in the order in which they ended.

    Attributes:
        mark: how many there are; a later one is not before this.
    """

    def __init__(self) -> None:
        self.mark = 0
        self._seconds: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)

    def add(self, kind: str, name: str, seconds: float) -> None:
        """Remember that a merge of a package took so long; a clock set back meanwhile makes it worthless."""
        if seconds < 0:
            return
        self.mark += 1
        self._seconds[kind, name].append((self.mark, seconds))

    def expected(self, kind: str, name: str, mark: int) -> float | None:
        """Return what a merge is expected to take by those before `mark`, in seconds; None where there is none.

        Halfway between the mean of the newest two, which follows a change of version, compiler or load at once, and
        the median of the newest three, which one odd merge does not move.
        """
        before = [seconds for when, seconds in self._seconds.get((kind, name), ()) if when <= mark]
        return round((fmean(before[-2:]) + median(before[-3:])) / 2, 3) if before else None
