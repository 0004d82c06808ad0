"""Pace of a run for short and for long steps: the cost of configuring differs between machines more than
compiling does, and short steps are mostly the one, long steps mostly the other."""

from __future__ import annotations

from math import ceil, copysign, exp, log
from typing import Final

from build_exporter.estimate.tuning import Tuning

BIN: Final = 0.4
"""Width of a class of times, as a logarithm."""
BINS: Final = 40
FIRST: Final = -5.0
_LONG: Final = log(3.0)
"""Logarithm of the seconds from which a step counts in full: shorter ones are timed coarsely."""


class Paces:
    """The pace that is left once the sources' own is allowed for, by the length of the steps.

    A step further than `clipped` (logarithm) from what was expected counts as if it were that far.
    """

    def __init__(self, tuning: Tuning, clipped: float) -> None:
        self._tuning = tuning
        self._clipped = clipped
        self._weights = [0.0] * BINS
        self._sums = [0.0] * BINS
        self._paces = [0.0] * BINS

    def add(self, residual: float, expected: float, rank: int) -> None:
        """Take a step: logarithms of its time over the expected one and of that; how many steps ended after it."""
        place = _bin(expected)
        clipped, weight = self._clipped, 0.5 ** (rank / self._tuning.half_life)
        if expected < _LONG:
            weight *= exp(expected) / 3.0
        self._weights[place] += weight
        self._sums[place] += weight * (residual if -clipped < residual < clipped else copysign(clipped, residual))

    def settle(self) -> None:
        """Work out the pace of each length."""
        filled = [place for place in range(BINS) if self._weights[place] > 0]
        kernel = [exp(-distance * BIN / self._tuning.size_width) for distance in range(BINS)]
        for place in range(BINS):
            weight = sum(self._weights[other] * kernel[abs(other - place)] for other in filled)
            total = sum(self._sums[other] * kernel[abs(other - place)] for other in filled)
            self._paces[place] = total / (weight + self._tuning.size_prior)

    def of(self, expected: float) -> float:
        """Return the logarithm of the pace of a step of such a length."""
        return self._paces[_bin(expected)]


def _bin(expected: float) -> int:
    place = ceil((expected - FIRST) / BIN)
    return place if 0 <= place < BINS else 0 if place < 0 else BINS - 1
