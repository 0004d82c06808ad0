"""`throughput`: steps done in each part of a run's time."""

from __future__ import annotations

from collections.abc import Iterator

from build_exporter.queries.common import Answer
from build_exporter.queries.rates import finished_between
from build_exporter.queries.request import Query, Reply, Request
from build_exporter.tracker import Run

MAX_PARTS = 200
LEAST_PART_SECONDS = 60.0
USUAL_PARTS = 12


class ThroughputRow(Answer, frozen=True):
    """Steps that succeeded from `start` to `end`."""

    build: str
    run: str
    start: float
    end: float
    steps: int
    steps_per_hour: float


def throughput(request: Request) -> Reply:
    """Return each run's time in parts of an hour, or of as many seconds as asked."""
    least = request.filter("threshold")
    rows = [row for run in request.runs() for row in _rows(request, run)]
    return Reply(rows, bad=least is not None and any(row.steps_per_hour < least for row in rows))


def _rows(request: Request, run: Run) -> Iterator[ThroughputRow]:
    end = run.end or request.now
    begin = run.start if run.start is not None else end
    if request.window is not None:
        begin, end = max(begin, request.window.since), min(end, request.window.until)
    wanted = request.filter("bucket") or max(LEAST_PART_SECONDS, (end - begin) / USUAL_PARTS)
    size = max(wanted, (end - begin) / MAX_PARTS)
    while begin < end:
        until = min(begin + size, end)
        steps = finished_between(run, begin, until)
        yield ThroughputRow(
            build=run.build, run=run.run, start=begin, end=until, steps=steps,
            steps_per_hour=steps * 3600.0 / (until - begin),
        )  # fmt: skip
        begin = until


QUERY = Query(
    throughput,
    ThroughputRow,
    "Show how many steps were done in each part of the time; --bucket is the length of a part.",
    filters=("bucket", "threshold"),
    example="--bucket 30m",
    not_fine="a part has fewer steps an hour than --threshold",
)
