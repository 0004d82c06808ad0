"""When the build will end, with a band: planned time that is left, at the pace this run has shown so far."""

from __future__ import annotations

import math
from dataclasses import dataclass

from build_exporter.model.states import BuildState
from build_exporter.tracker import Run, Step, planned_ahead

PERCENTILE_90_DEVIATIONS = 1.2816
"""How many standard deviations the 90th percentile of a normal distribution lies above its middle."""

PRIOR_SPREAD = 0.4
"""Standard deviation of the logarithm of taken over planned, taken for granted before a run has shown its own."""

PRIOR_STEPS = 3
"""How many steps' worth that prior counts."""

OVERDUE_SHARE = 0.15
"""Least that is left of a step that tells no ratio, as a share of the time it has run; overdue is not nearly done."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds the run still needs: percentiles 10, 50 and 90."""

    low: float
    middle: float
    high: float

    @property
    def by_percentile(self) -> tuple[tuple[str, float], ...]:
        """The three figures with their percentile as a label value."""
        return (("10", self.low), ("50", self.middle), ("90", self.high))


def remaining(run: Run, now: float) -> Estimate | None:
    """Return what is left of a run at `now` (Unix seconds).

    None where it can't be told: no plan, nothing finished yet of a plan without seconds, or the run is over.
    Steps that run side by side are taken to go on doing so as much as they have.
    """
    if not run.has_plan or run.status is not None or run.state is BuildState.PENDING:
        return None
    pace = run.seconds_per_planned
    if pace is None:
        if not any(step.expected_seconds is not None for step in run.steps.values()):
            return None
        pace = 1.0
    ahead, scatter = planned_ahead(run)
    running = [_running_left(step, step.weight * pace, now) for step in run.running.values()]
    whole = ahead * pace + sum(running)
    if whole <= 0:
        return Estimate(0.0, 0.0, 0.0)
    seconds = max(whole * (1.0 + run.gap_ratio) / run.concurrency, max(running, default=0.0))
    known = run.pace if run.pace.steps else run.unweighted_pace
    own = known.spread
    spread = (
        PRIOR_SPREAD
        if own is None
        else math.sqrt((PRIOR_SPREAD**2 * PRIOR_STEPS + own**2 * known.steps) / (PRIOR_STEPS + known.steps))
    )
    # each step's own scatter partly evens out in the sum, an error of the pace itself does not
    own_share = min(1.0, math.hypot(scatter * pace, *running) / whole)
    deviation = spread * math.sqrt(own_share**2 + 1.0 / (PRIOR_STEPS + known.steps))
    factor = math.exp(PERCENTILE_90_DEVIATIONS * deviation)
    return Estimate(seconds / factor, seconds, seconds * factor)


def _running_left(step: Step, expected: float, now: float) -> float:
    """Return the seconds a running step still needs, expected to take `expected` in all."""
    elapsed = max(0.0, now - step.start) if step.start is not None else 0.0
    if step.ratio is None or step.ratio <= 0:
        return max(expected - elapsed, OVERDUE_SHARE * elapsed)
    by_plan = (1.0 - step.ratio) * expected
    by_itself = elapsed * (1.0 - step.ratio) / step.ratio
    # the further it is, the more its own speed tells
    return step.ratio * by_itself + (1.0 - step.ratio) * by_plan
