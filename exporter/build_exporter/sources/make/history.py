"""What the journal holds of earlier runs of a build: which one a log is of, and the steps to come."""

from __future__ import annotations

from build_exporter.journal.layout import run_path, runs
from build_exporter.model.events import PlannedStep
from build_exporter.model.names import run_start
from build_exporter.model.states import BuildState, StepState
from build_exporter.sources.attach import read_run
from build_exporter.tracker import Run

LOOKED_AT = 10
"""Earlier runs among which one that succeeded is looked for."""

SLACK_SECONDS = 1.0


def newest(journal: str, build: str) -> Run | None:
    """Return the newest run of a build, None where there is none or it can't be read."""
    for name in reversed(runs(journal, build)):
        try:
            return read_run(run_path(journal, build, name), build, name)
        except OSError:
            continue
    return None


def is_of(run: Run, written: float) -> bool:
    """Tell whether a log last written to at a time, in Unix seconds, is the one a run was read from.

    It is where the run goes on, or ended with that last change.
    """
    if run.start is None or run.start > written + SLACK_SECONDS:
        return False
    return run.status is None or run.end is None or run.end >= written - SLACK_SECONDS


def earlier_steps(journal: str, build: str, start: float) -> list[PlannedStep]:
    """Return the steps of the newest run before `start` (Unix seconds) that succeeded, as a plan; else nothing.

    Steps whose duration is not known are planned without one.
    """
    before = [name for name in runs(journal, build) if run_start(name) < int(start)]
    for name in reversed(before[-LOOKED_AT:]):
        try:
            run = read_run(run_path(journal, build, name), build, name)
        except OSError:
            continue
        if run.status is BuildState.SUCCEEDED:
            done = [step for step in run.steps.values() if step.state is StepState.SUCCEEDED]
            done.sort(key=lambda step: step.starts[0] if step.starts else step.end or 0.0)
            return [_planned(step.phase, step.step, step.seconds) for step in done]
    return []


def _planned(phase: str, step: str, seconds: float | None) -> PlannedStep:
    return PlannedStep(phase=phase, step=step, expected_seconds=round(seconds, 3) if seconds is not None else None)
