"""The weighted median."""

from __future__ import annotations

from collections.abc import Iterable


def weighted_median(pairs: Iterable[tuple[float, float]]) -> float:
    """Return the value half of the weight lies at or below, of (value, weight) pairs; 0 of none."""
    ordered = sorted(pairs)
    half, passed = sum(weight for _, weight in ordered) / 2, 0.0
    for value, weight in ordered:
        passed += weight
        if passed >= half:
            return value
    return 0.0
