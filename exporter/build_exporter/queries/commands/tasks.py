"""`tasks`: the steps of runs with state, times and failures."""

from __future__ import annotations

from collections.abc import Iterator

from build_exporter.failures import excerpt
from build_exporter.model.states import StepState
from build_exporter.queries.common import Answer
from build_exporter.queries.context import shown, shown_or_none
from build_exporter.queries.request import Query, Reply, Request
from build_exporter.tracker import Run, Step, expected_at_start, step_progress


class TaskRow(Answer, frozen=True):
    """A step's newest attempt."""

    build: str
    run: str
    phase: str
    step: str
    state: str
    attempts: int
    start: float | None
    seconds: float | None
    expected_seconds: float | None
    progress_ratio: float | None
    error_class: str | None
    message: str | None


def tasks(request: Request) -> Reply:
    """Return the steps that the filters let through."""
    rows = [row for run in request.runs() for row in _rows(request, run)]
    return Reply(rows, bad=any(row.state == "failed" for row in rows))


def _rows(request: Request, run: Run) -> Iterator[TaskRow]:
    least = request.filter("threshold")
    for step in list(run.steps.values()):
        row = _row(request, run, step)
        if request.filter("status") not in (None, row.state) or request.filter("phase") not in (None, row.phase):
            continue
        if least is not None and (row.seconds or 0.0) < least:
            continue
        if request.window is None or request.in_window(step.start) or request.in_window(step.end):
            yield row


def _row(request: Request, run: Run, step: Step) -> TaskRow:
    running = step.state is StepState.RUNNING
    return TaskRow(
        build=run.build,
        run=run.run,
        phase=shown(step.phase),
        step=shown(step.step),
        state=step.state.label,
        attempts=step.attempts,
        start=step.start,
        seconds=request.now - step.start if running and step.start is not None else step.seconds,
        expected_seconds=expected_at_start(run, step),
        progress_ratio=step_progress(run, step, request.now) if running else None,
        error_class=step.error_class,
        message=shown_or_none(excerpt(step.message)) if step.state is StepState.FAILED else None,
    )


QUERY = Query(
    tasks,
    TaskRow,
    "List the steps of a run with state, attempts, times and the reason of a failure.",
    filters=("status", "phase", "threshold", "limit"),
    example="--status failed",
    not_fine="a listed step has failed",
)
