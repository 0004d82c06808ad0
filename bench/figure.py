"""A measured figure: ours, the peer's, and whether the goal is reached."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One row of the table.

    `goal` is in `unit`. On machines slower than the one the goal was set on, two ratios hold instead: `goal_ratio`,
    where ours is so many times as good as the peer's, and `goal_before`, where ours is so many times as good as
    `before`, that of the version which `BASELINE` names, from the same run. A figure without a goal is shown for what
    it shows.
    """

    key: str
    what: str
    unit: str
    ours: float
    higher_is_better: bool = False
    peer: str = ""
    peer_value: float | None = None
    goal: float | None = None
    goal_ratio: float | None = None
    goal_before: float | None = None
    before: float | None = None
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """How many times as good ours is as the peer's; None without a peer."""
        return self._times_as_good_as(self.peer_value)

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached, by itself or by a ratio; None without one, or with nothing to compare with."""
        if self.goal is None and not self._ratios():
            return None
        return self.reached_itself or self.reached_by_ratio

    @property
    def reached_itself(self) -> bool:
        """Whether the value is as good as `goal`."""
        if self.goal is None:
            return False
        return self.ours >= self.goal if self.higher_is_better else self.ours <= self.goal

    @property
    def reached_by_ratio(self) -> bool:
        """Whether the value is as much better than the peer's, or that before, as is wanted."""
        return any(ratio >= goal for ratio, goal in self._ratios())

    def _ratios(self) -> list[tuple[float, float]]:
        pairs = ((self.ratio, self.goal_ratio), (self._times_as_good_as(self.before), self.goal_before))
        return [(ratio, goal) for ratio, goal in pairs if ratio is not None and goal is not None]

    def _times_as_good_as(self, other: float | None) -> float | None:
        if other is None or not self.ours or not other:
            return None
        return self.ours / other if self.higher_is_better else other / self.ours

    def as_json(self) -> dict[str, Any]:
        """Return every field, ratio and verdict included."""
        return {**asdict(self), "ratio": self.ratio, "reached": self.reached}


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` (0 to 1) of the values do not exceed.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values to take a percentile of")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def summary(values: Sequence[float]) -> dict[str, float]:
    """Return count, median, p99 and extremes, for the details of a figure."""
    return {
        "count": len(values),
        "min": min(values),
        "p50": statistics.median(values),
        "p99": percentile(values, 0.99),
        "max": max(values),
    }


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as a table for people, one row each."""
    head = ("what", "peer", "peer's", "before", "ours", "ratio", "goal", "reached")
    rows = [head, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    left = {0, 1, len(head) - 1}
    lines = [
        "  ".join(c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in (lines[0], "-" * len(lines[0]), *lines[1:]))


def _row(figure: Figure) -> tuple[str, ...]:
    goals = [
        "" if figure.goal is None else show(figure.goal, figure.unit),
        "" if figure.goal_ratio is None else f"{figure.goal_ratio:g}x",
        "" if figure.goal_before is None else f"{figure.goal_before:g}x before",
    ]
    return (
        figure.what,
        figure.peer,
        "" if figure.peer_value is None else show(figure.peer_value, figure.unit),
        "" if figure.before is None else show(figure.before, figure.unit),
        show(figure.ours, figure.unit),
        "" if figure.ratio is None else f"{figure.ratio:.2g}x" if figure.ratio < 10 else f"{figure.ratio:.0f}x",
        " or ".join(goal for goal in goals if goal),
        _judged(figure),
    )


def _judged(figure: Figure) -> str:
    if figure.reached is None:
        return ""
    return "yes" if figure.reached_itself else "by ratio" if figure.reached_by_ratio else "NO"


_SCALES = {"s": (("s", 1.0), ("ms", 1e3), ("us", 1e6)), "bytes": (("MB", 1e-6),), "ratio": (("%", 100.0),)}


def show(value: float, unit: str) -> str:
    """Return a value with its unit as people read it: seconds as ms where small, bytes as MB, ratios as percent."""
    for name, factor in _SCALES.get(unit, ()):
        if abs(value * factor) >= 1 or name in ("us", "MB", "%"):
            return f"{value * factor:.3g} {name}"
    return f"{value:,.0f} {unit}" if abs(value) >= 100 else f"{value:.3g} {unit}"
