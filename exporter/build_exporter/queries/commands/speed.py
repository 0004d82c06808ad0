"""`speed`: steps an hour, SBU, and pace against the plan."""

from __future__ import annotations

from build_exporter.queries.common import Answer
from build_exporter.queries.rates import rate, success_ratio
from build_exporter.queries.request import Query, Reply, Request
from build_exporter.tracker import Run


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
    return SpeedRow(
        build=run.build,
        run=run.run,
        steps_per_hour=rate(run, run.start or end, end),
        steps_per_hour_lately=rate(run, window.since, window.until) if window else rate(run, end - 3600.0, end),
        success_ratio=success_ratio(run),
        sbu_seconds=run.seconds_per_sbu,
        pace_ratio=run.seconds_per_planned,
        concurrency=run.concurrency,
    )


QUERY = Query(
    speed,
    SpeedRow,
    "Show steps done an hour since the start and lately, the SBU, and the pace against the plan.",
    filters=("threshold",),
    example="--window 2h",
    not_fine="fewer steps an hour lately than --threshold",
)
