"""`runs`: the runs of a build, with how they ended and what they took."""

from __future__ import annotations

from build_exporter.model.states import BuildState, StepState
from build_exporter.queries.common import Answer, elapsed_seconds
from build_exporter.queries.context import Context
from build_exporter.tracker import Run, RunSummary


class RunRow(Answer, frozen=True):
    """One run; `newest` is the one that the other answers are about, which may still go on."""

    run: str
    newest: bool
    state: BuildState
    start: float | None
    end: float | None
    seconds: float | None
    steps_succeeded: int
    step_seconds: float
    failures: int


class Runs(Answer, frozen=True):
    """The known runs of a build, the newest first; `complete` once every older one has been read."""

    build: str
    now: float
    complete: bool
    runs: list[RunRow]


def runs(context: Context, name: str) -> Runs:
    """Return a build's runs.

    Raises:
        NotFoundError: there is no such build.
    """
    build, run = context.build(name)
    earlier = sorted(build.history.values(), key=lambda each: each.run, reverse=True)
    rows = [_newest(context, run), *map(_earlier, earlier)]
    return Runs(build=build.name, now=context.now, complete=build.history_complete, runs=rows)


def _newest(context: Context, run: Run) -> RunRow:
    taken = [step.seconds for step in list(run.steps.values()) if step.state is StepState.SUCCEEDED and step.seconds]
    return RunRow(
        run=run.run,
        newest=True,
        state=run.state,
        start=run.start,
        end=run.end,
        seconds=elapsed_seconds(context, run),
        steps_succeeded=run.finished["succeeded"],
        step_seconds=sum(taken),
        failures=run.failure_counts().total(),
    )


def _earlier(summary: RunSummary) -> RunRow:
    start, end = summary.start, summary.end
    return RunRow(
        run=summary.run,
        newest=False,
        state=BuildState(summary.result),
        start=start,
        end=end,
        seconds=end - start if start is not None and end is not None else None,
        steps_succeeded=len(summary.steps),
        step_seconds=sum(summary.steps.values()),
        failures=summary.failures.total(),
    )
