"""`errors`: failed attempts, the newest first."""

from __future__ import annotations

from collections.abc import Iterator

from build_exporter.failures import excerpt
from build_exporter.queries.attempts import Attempt, attempts
from build_exporter.queries.common import Answer
from build_exporter.queries.context import shown, shown_or_none
from build_exporter.queries.request import Query, Reply, Request
from build_exporter.tracker import Run


class ErrorRow(Answer, frozen=True):
    """A failed attempt; `critical` while its step still fails, `warning` once a later attempt succeeded."""

    build: str
    run: str
    time: float
    phase: str
    step: str
    error_class: str
    message: str | None
    severity: str
    attempt: int
    log: str | None


def errors(request: Request) -> Reply:
    """Return failed attempts that the filters let through."""
    rows = [row for run in request.runs() for row in _rows(request, run)]
    rows.sort(key=lambda row: -row.time)
    return Reply(rows, bad=any(row.severity == "critical" for row in rows))


def _rows(request: Request, run: Run) -> Iterator[ErrorRow]:
    for each in attempts(request, run):
        if each.status != "failed" or not request.in_window(each.end):
            continue
        row = _row(run, each)
        if request.filter("severity") in (None, row.severity) and request.filter("class") in (None, row.error_class):
            yield row


def _row(run: Run, attempt: Attempt) -> ErrorRow:
    return ErrorRow(
        build=run.build,
        run=run.run,
        time=attempt.end,
        phase=shown(attempt.phase),
        step=shown(attempt.step),
        attempt=attempt.number,
        severity="critical" if (attempt.phase, attempt.step) in run.failed else "warning",
        error_class=attempt.error_class or "other",
        message=shown_or_none(excerpt(attempt.message)),
        log=shown_or_none(attempt.log),
    )


QUERY = Query(
    errors,
    ErrorRow,
    "List failed attempts with their failure class and reason, the newest first.",
    filters=("severity", "class", "limit"),
    example="--severity critical",
    not_fine="a listed step still fails",
)
