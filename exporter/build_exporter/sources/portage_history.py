"""How long packages took before: what the next merge of each is expected to take."""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import Final

KEPT: Final = 15
"""Newest merges of a package that count."""

BINARY: Final = "binary"
MERGE: Final = "merge"


class History:
    """Durations of successful merges by kind and category/name, in the order in which they ended."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
        self.mark = 0

    def add(self, kind: str, name: str, seconds: float) -> None:
        """Remember that a merge of a package took so long; a clock set back meanwhile makes it worthless."""
        if seconds < 0:
            return
        self.mark += 1
        self._seconds[kind, name].append((self.mark, seconds))

    def expected(self, kind: str, name: str, mark: int) -> float | None:
        """Return the median of the newest merges before `mark` in seconds; None where there is none."""
        merges = self._seconds.get((kind, name), ())
        newest = [seconds for when, seconds in merges if when <= mark][-KEPT:]
        return median(newest) if newest else None
