"""`progress`: how far builds and their phases are."""

from __future__ import annotations

from collections.abc import Iterator

from build_exporter.model.states import StepState
from build_exporter.queries.common import Answer, end_estimate
from build_exporter.queries.context import shown
from build_exporter.queries.request import Query, Reply, Request
from build_exporter.summary import is_bad
from build_exporter.tracker import Run, build_progress, phases_progress


class ProgressRow(Answer, frozen=True):
    """A build (`phase` null) or one of its phases."""

    build: str
    run: str
    phase: str | None
    state: str | None
    progress_ratio: float | None
    steps_done: int
    steps_failed: int
    steps: int
    remaining_seconds: float | None
    end: float | None


def progress(request: Request) -> Reply:
    """Return each build's run and its phases."""
    runs = request.runs()
    rows = [row for run in runs for row in _rows(request, run)]
    return Reply(rows, bad=any(map(is_bad, runs)))


def _rows(request: Request, run: Run) -> Iterator[ProgressRow]:
    left = end_estimate(request.context, run)
    yield ProgressRow(
        build=run.build,
        run=run.run,
        phase=None,
        state=run.state,
        progress_ratio=build_progress(run, request.now),
        steps_done=run.count(StepState.SUCCEEDED) + run.count(StepState.SKIPPED),
        steps_failed=run.count(StepState.FAILED),
        steps=len(run.steps),
        remaining_seconds=left.remaining_seconds.p50 if left else None,
        end=run.end if run.end is not None else left.end.p50 if left else None,
    )
    for phase, ratio in phases_progress(run, request.now):
        states = phase.states
        yield ProgressRow(
            build=run.build,
            run=run.run,
            phase=shown(phase.name),
            state=None,
            progress_ratio=ratio,
            steps_done=states[StepState.SUCCEEDED] + states[StepState.SKIPPED],
            steps_failed=states[StepState.FAILED],
            steps=sum(states),
            remaining_seconds=None,
            end=None,
        )


QUERY = Query(
    progress,
    ProgressRow,
    "Show how far builds and their phases are, weighted by time, and when they end.",
    example="--build lfs-12.4",
    not_fine="a build has failed or was interrupted, or a step of it failed and was never repeated",
)
