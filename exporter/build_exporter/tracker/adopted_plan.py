"""A run without a plan of its own takes the steps of the earlier runs for one, as long as it does them."""

from __future__ import annotations

from typing import Final

from build_exporter.model import events as e
from build_exporter.model.states import StepState
from build_exporter.tracker.aggregates import recount
from build_exporter.tracker.names import name_of
from build_exporter.tracker.plans import take_plan
from build_exporter.tracker.progress import raise_floors
from build_exporter.tracker.state import Run

STRANGERS: Final = 3
STRANGERS_RATIO: Final = 0.25
"""More steps than these, and than this share of those begun, that no earlier run had: it is another build now."""
SLACK: Final = 3
"""Steps so far before one that begins were left out this time, where steps run one after the other."""


def follow_earlier(run: Run, event: e.StepStarted) -> None:
    """Take the earlier runs' steps as the plan when the first of them begins, and keep to what this run does."""
    earlier = run.earlier
    if earlier is None or not earlier.steps or (run.plans and not run.adopted):
        return
    place = earlier.places.get(name_of(event.phase, event.step, event.version))
    if place is None:
        _count_stranger(run, event)
        return
    if not run.plans:
        take_plan(run, e.Plan(time=event.time, build=run.build, steps=list(earlier.steps)))
        run.adopted = True
    planned = earlier.steps[place]
    renamed = (planned.phase, planned.step) != (event.phase, event.step)
    skipped = earlier.steps[: max(0, place - SLACK)] if earlier.sequential else ()
    gone = {(step.phase, step.step) for step in skipped} | ({(planned.phase, planned.step)} if renamed else set())
    _drop(run, gone, event.time)


def _count_stranger(run: Run, event: e.StepStarted) -> None:
    if not run.adopted or (event.phase, event.step) in run.steps:
        return
    run.strangers += 1
    begun = sum(step.attempts > 0 for step in run.steps.values())
    if run.strangers > max(STRANGERS, STRANGERS_RATIO * begun):
        _drop(run, set(run.steps), event.time)
        run.plans, run.adopted, run.earlier = 0, False, None
        run.plan_revision += 1


def _drop(run: Run, keys: set[tuple[str, str]], time: float) -> None:
    """Take steps out that are not to come any more."""
    gone = [key for key in keys if key in run.steps and run.steps[key].state is StepState.PENDING]
    if not gone:
        return
    raise_floors(run, time)
    for key in gone:
        del run.steps[key]
        run.changed.pop(key, None)
    recount(run)
    run.plan_revision += 1
    # whoever shows the steps sees by this that some are gone
    run.changed.update(run.steps)
