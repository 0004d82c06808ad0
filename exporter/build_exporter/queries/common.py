"""Parts that several answers share: step counts, the estimate with its band, and names of steps."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from build_exporter.model.events import PlannedMilestone
from build_exporter.model.states import StepState
from build_exporter.queries.context import Context, shown
from build_exporter.queries.estimate import Percentiles, band_of
from build_exporter.tracker import Run, Step
from build_exporter.tracker.state import Phase


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all answers: immutable, every field present in the JSON."""


class StepName(Answer, frozen=True):
    """Phase and name of a step."""

    phase: str
    step: str


class StepCounts(Answer, frozen=True):
    """Number of steps by state."""

    total: int
    pending: int
    running: int
    succeeded: int
    failed: int
    skipped: int
    interrupted: int


class EndEstimate(Answer, frozen=True):
    """When a run ends: seconds left and the Unix time of the end, each as a band, and what the estimate rests on."""

    remaining_seconds: Percentiles
    end: Percentiles
    basis: str


def name_of(step: Step) -> StepName:
    """Return a step's names as they may be shown."""
    return StepName(phase=shown(step.phase), step=shown(step.step))


def counts_of(states: list[int]) -> StepCounts:
    """Return the counts of steps by state that a phase keeps."""
    named = {state.label: states[state] for state in StepState}
    return StepCounts(total=sum(states), **named)


def run_counts(run: Run) -> StepCounts:
    """Return how many steps of a run are in each state."""
    phases: list[Phase] = list(run.phases.values())
    return counts_of([sum(phase.states[state] for phase in phases) for state in StepState])


def end_estimate(context: Context, run: Run) -> EndEstimate | None:
    """Return when a run ends, None where that can't be estimated or the run is over."""
    left = context.estimate(run, context.now)
    if left is None:
        return None
    return EndEstimate(remaining_seconds=band_of(left), end=band_of(left, context.now), basis=left.basis)


def elapsed_seconds(context: Context, run: Run) -> float | None:
    """Return for how long a run has gone on, or went on; None before its start."""
    return None if run.start is None else max(0.0, (run.stopped or context.now) - run.start)


def milestones_of(run: Run) -> Iterator[tuple[str, float | None, PlannedMilestone | None]]:
    """Yield name, time (None: to come) and plan of each milestone: those reached by their time, then those to come."""
    reached = dict(run.milestones)
    planned = {each.name: each for each in run.planned_milestones}
    for name in [*sorted(reached, key=lambda name: reached[name]), *(name for name in planned if name not in reached)]:
        yield name, reached.get(name), planned.get(name)
