"""`speed`: steps an hour, SBU, and pace against the plan."""

from __future__ import annotations

from build_exporter.model.states import StepState
from build_exporter.queries.common import Answer
from build_exporter.queries.request import Query, Reply, Request
from build_exporter.tracker import Run

LEAST_SECONDS = 60.0
"""Below this a rate an hour says nothing."""


class SpeedRow(Answer, frozen=True):
    """A run's speed.

    `pace_ratio` is seconds taken for each second planned, `concurrency` how many steps run at once on average.
    """

    build: str
    run: str
    steps_per_hour: float | None
    steps_per_hour_lately: float | None
    success_ratio: float | None
    sbu_seconds: float | None
    pace_ratio: float | None
    concurrency: float


def speed(request: Request) -> Reply:
    """Return each run's speed; a window is what counts as lately."""
    least = request.filter("threshold")
    rows = [_row(request, run) for run in request.runs()]
    # no step lately is slow; where the time is too short to say, the rate since the start counts
    rates = [row.steps_per_hour if row.steps_per_hour_lately is None else row.steps_per_hour_lately for row in rows]
    return Reply(rows, bad=least is not None and any(rate is not None and rate < least for rate in rates))


def _row(request: Request, run: Run) -> SpeedRow:
    end = run.end or request.now
    window = request.window
    tried = run.finished["succeeded"] + run.finished["failed"] + run.finished["interrupted"]
    return SpeedRow(
        build=run.build,
        run=run.run,
        steps_per_hour=rate(run, run.start or end, end),
        steps_per_hour_lately=rate(run, window.since, window.until) if window else rate(run, end - 3600.0, end),
        success_ratio=run.finished["succeeded"] / tried if tried else None,
        sbu_seconds=run.seconds_per_sbu,
        pace_ratio=run.seconds_per_planned,
        concurrency=run.concurrency,
    )


def rate(run: Run, begin: float, end: float) -> float | None:
    """Return the steps that succeeded an hour between two times, None where they are too close."""
    begin = max(begin, run.start or begin)
    if end - begin < LEAST_SECONDS:
        return None
    return finished_between(run, begin, end) * 3600.0 / (end - begin)


def finished_between(run: Run, begin: float, end: float) -> int:
    """Return how many steps succeeded after one time and up to another."""
    return sum(
        step.state is StepState.SUCCEEDED and begin < (step.end or 0.0) <= end for step in list(run.steps.values())
    )


QUERY = Query(
    speed,
    SpeedRow,
    "Show steps done an hour since the start and lately, the SBU, and the pace against the plan.",
    filters=("threshold",),
    example="--window 2h",
    not_fine="fewer steps an hour lately than --threshold",
)
