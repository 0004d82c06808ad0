"""`trends`: which steps got slower or faster over the runs."""

from __future__ import annotations

from build_exporter.analysis.trends import Trends, trends
from build_exporter.model.states import BuildState
from build_exporter.queries.common import Answer
from build_exporter.queries.context import shown
from build_exporter.queries.request import Query, Reply, Request
from build_exporter.tracker import summarise


class TrendRow(Answer, frozen=True):
    """A step over the runs: how many times as long it takes now as at first, and how many seconds that is."""

    build: str
    phase: str
    step: str
    trend: str
    change_ratio: float
    change_seconds: float
    median_seconds: float
    newest_seconds: float
    runs: int


class AllTrends(Answer, frozen=True):
    """The trends of each build asked about."""

    trends: list[Trends]


def trends_(request: Request) -> Reply:
    """Return the steps of each build over its runs, in the window if one is given."""
    found = []
    for run in request.newest():
        summaries = [each for each in request.history(run.build) if request.in_window(each.start)]
        if run.status is BuildState.SUCCEEDED and request.in_window(run.start):
            summaries.append(summarise(run))
        found.append(trends(run.build, summaries))
    wanted = request.filter("trend")
    rows = [
        TrendRow(
            build=each.build,
            phase=shown(row.phase),
            step=shown(row.step),
            trend=row.direction,
            change_ratio=row.change_ratio,
            change_seconds=row.change_seconds,
            median_seconds=row.median_seconds,
            newest_seconds=row.seconds[-1],
            runs=len(row.seconds),
        )
        for each in found
        for row in each.steps
        if wanted in (None, row.direction)
    ]
    return Reply(rows, bad=any(row.trend == "increasing" for row in rows), answer=AllTrends(trends=found))


QUERY = Query(
    trends_,
    TrendRow,
    "Show how the durations of steps have moved over the last runs, beyond noise.",
    filters=("trend", "limit"),
    example="--trend increasing",
    not_fine="a listed step takes longer and longer",
)
