"""Compare the deadline or planned duration of a run with the band of its estimated end."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final, Literal

import msgspec

from build_exporter.tracker import Run

P90_DEVIATIONS: Final = NormalDist().inv_cdf(0.9)
LIKELY: Final = 0.5
AT_RISK: Final = 0.1
"""From this probability of being late on a run is at risk, from `LIKELY` on it will be late."""

Adherence = Literal["on-schedule", "at-risk", "late", "missed", "met"]


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A run against its schedule.

    `deviation_seconds` is how much later than planned it ends (negative: earlier), `tolerance_seconds` how much of that
    still counts as on schedule. `late_probability` is the probability that it ends later than deadline and tolerance;
    both are null without an estimate.
    """

    deadline: float
    planned_seconds: float | None
    tolerance_seconds: float
    expected_end: float | None
    deviation_seconds: float | None
    late_probability: float | None
    state: Adherence


def deadline_of(run: Run, deadline: float | None, duration: float | None) -> float | None:
    """Return when a run should end, Unix seconds: its own deadline, else the configured deadline or duration."""
    if run.deadline is not None:
        return run.deadline
    if deadline is not None:
        return deadline
    return run.start + duration if duration is not None and run.start is not None else None


def schedule(
    run: Run, deadline: float, tolerance: float, left: tuple[float, float, float] | None, now: float
) -> Schedule:
    """Return how a run stands against a deadline.

    Args:
        run: the run.
        deadline: Unix seconds.
        tolerance: share of the planned duration.
        left: seconds left by percentiles 10, 50 and 90, None without an estimate.
        now: Unix seconds.
    """
    planned = deadline - run.start if run.start is not None else None
    allowed = max(0.0, tolerance * planned) if planned is not None else 0.0
    end = run.end if run.end is not None else now + left[1] if left is not None else None
    over = run.end is not None
    probability = None if over or left is None else late_probability(left, deadline + allowed - now)
    return Schedule(
        deadline=deadline,
        planned_seconds=planned,
        tolerance_seconds=allowed,
        expected_end=end,
        deviation_seconds=end - deadline if end is not None else None,
        late_probability=float((run.end or 0.0) > deadline + allowed) if over else probability,
        state=_state(run, deadline + allowed, probability, now),
    )


def late_probability(left: tuple[float, float, float], available: float) -> float:
    """Return the probability that more than `available` seconds are needed.

    The time left is taken as log-normal on each side of its median, as wide as its band.
    """
    low, middle, high = left
    if available <= 0.0:
        return 1.0
    if middle <= 0.0:
        return 0.0
    edge = low if available < middle else high
    width = abs(math.log(max(edge, 1e-3) / middle)) / P90_DEVIATIONS
    if width < 1e-6:
        return float(available < middle)
    return 1.0 - NormalDist().cdf(math.log(available / middle) / width)


def _state(run: Run, limit: float, probability: float | None, now: float) -> Adherence:
    if run.end is not None:
        return "met" if run.end <= limit else "missed"
    if now > limit:
        return "missed"
    if probability is None or probability < AT_RISK:
        return "on-schedule"
    return "late" if probability >= LIKELY else "at-risk"
