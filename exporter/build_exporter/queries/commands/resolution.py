"""`resolution`: how long failures took to be put right."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from build_exporter.formatting import duration
from build_exporter.queries.attempts import Attempt, attempts
from build_exporter.queries.common import Answer
from build_exporter.queries.context import shown
from build_exporter.queries.request import Query, Reply, Request
from build_exporter.tracker import Key, Run


class ResolutionRow(Answer, frozen=True):
    """A step that failed: when first, when an attempt succeeded (null: not yet), and after how many attempts."""

    build: str
    run: str
    phase: str
    step: str
    error_class: str
    failed: float
    resolved: float | None
    seconds: float
    attempts: int


def resolution(request: Request) -> Reply:
    """Return the failures and what it took until they were put right."""
    rows = [row for run in request.runs() for row in _rows(request, run)]
    rows.sort(key=lambda row: -row.failed)
    done = [row.seconds for row in rows if row.resolved is not None]
    lines = (
        [f"{len(done)} of {len(rows)} failures resolved, half of them within {duration(median(done))}"] if done else []
    )
    limit = request.filter("threshold")
    late = limit is not None and any(row.seconds > limit for row in rows)
    return Reply(rows, bad=late or any(row.resolved is None for row in rows), lines=lines)


def _rows(request: Request, run: Run) -> Iterator[ResolutionRow]:
    open_: dict[Key, list[Attempt]] = {}
    for each in attempts(request, run):
        key = (each.phase, each.step)
        if each.status == "failed":
            open_.setdefault(key, []).append(each)
        elif each.status == "succeeded" and key in open_:
            yield from _row(request, run, open_.pop(key), each)
    for failed in open_.values():
        yield from _row(request, run, failed, None)


def _row(request: Request, run: Run, failed: list[Attempt], cured: Attempt | None) -> Iterator[ResolutionRow]:
    first = failed[0]
    if request.in_window(first.end):
        yield ResolutionRow(
            build=run.build,
            run=run.run,
            phase=shown(first.phase),
            step=shown(first.step),
            error_class=first.error_class or "other",
            failed=first.end,
            resolved=cured.end if cured is not None else None,
            seconds=(cured.end if cured is not None else run.end or request.now) - first.end,
            attempts=len(failed) + (cured is not None),
        )


QUERY = Query(
    resolution,
    ResolutionRow,
    "Show how long each failure took to be put right, and the median over all.",
    filters=("threshold", "limit"),
    example="--window 7d",
    not_fine="a failure is not resolved, or took more seconds than --threshold",
)
