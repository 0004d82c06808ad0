"""`error-trends`: which failures happen more or less often over the runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from build_exporter.queries.common import Answer
from build_exporter.queries.request import Query, Reply, Request
from build_exporter.tracker import Run

LEAST_RUNS = 4
"""Fewer runs show no direction."""


class ErrorTrendRow(Answer, frozen=True):
    """A failure class over runs: failed attempts a run in the earlier and in the later half of them."""

    build: str
    error_class: str
    failures: int
    runs_with: int
    runs: int
    earlier_per_run: float | None
    later_per_run: float | None
    trend: str


def error_trends(request: Request) -> Reply:
    """Return each failure class over the runs of each build, in the window if one is given."""
    rows = [row for run in request.newest() for row in _rows(request, run)]
    wanted = request.filter("trend")
    return Reply([row for row in rows if wanted in (None, row.trend)], bad=any(r.trend == "increasing" for r in rows))


def _rows(request: Request, newest: Run) -> Iterator[ErrorTrendRow]:
    runs = [_by_class(each.failures) for each in request.history(newest.build) if request.in_window(each.start)]
    if request.in_window(newest.start):
        runs.append(_by_class(newest.failure_counts()))
    half = len(runs) // 2
    for name, total in sum(runs, Counter[str]()).most_common():
        counts = [run[name] for run in runs]
        earlier, later = _mean(counts[:half]), _mean(counts[len(counts) - half :])
        yield ErrorTrendRow(
            build=newest.build,
            error_class=name,
            failures=total,
            runs_with=sum(count > 0 for count in counts),
            runs=len(counts),
            earlier_per_run=earlier if half else None,
            later_per_run=later if half else None,
            trend=_trend(len(counts), earlier, later),
        )


def _by_class(failures: Counter[tuple[str, str]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for (_, name), count in failures.items():
        found[name] += count
    return found


def _mean(counts: Sequence[int]) -> float:
    return sum(counts) / len(counts) if counts else 0.0


def _trend(runs: int, earlier: float, later: float) -> str:
    if runs < LEAST_RUNS or abs(later - earlier) < max(0.5, 0.25 * max(earlier, later)):
        return "steady"
    return "increasing" if later > earlier else "decreasing"


QUERY = Query(
    error_trends,
    ErrorTrendRow,
    "Show failures by class over the runs, and whether they become more or fewer.",
    filters=("trend",),
    example="--trend increasing",
    not_fine="a failure class is increasing",
)
