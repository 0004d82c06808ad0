"""Values over time: monotonic counters and sliding extremes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

WINDOW_SECONDS: Final = 60.0
"""Seconds for which a peak is shown: the longest usual scrape interval, so that none falls between two scrapes."""


class MonotonicCounter:
    """A counter that is held while its source steps back, as the kernel's idle and iowait times do."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def follow(self, value: float) -> float:
        """Return the largest value followed so far."""
        self.value = max(self.value, value)
        return self.value


class Extremes:
    """The lowest and the highest of the values of the last `WINDOW_SECONDS`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._values: deque[tuple[float, float]] = deque()

    def add(self, value: float) -> None:
        """Take a value in and forget those that are too old."""
        now = self._clock()
        self._values.append((now, value))
        while self._values[0][0] <= now - WINDOW_SECONDS:
            self._values.popleft()

    @property
    def lowest(self) -> float:
        """The lowest value.

        Raises:
            ValueError: none was added yet.
        """
        return min(value for _, value in self._values)

    @property
    def highest(self) -> float:
        """The highest value.

        Raises:
            ValueError: none was added yet.
        """
        return max(value for _, value in self._values)
