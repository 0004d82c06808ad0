"""Apply plans: the steps to come, replaced or extended, and their milestones."""

from __future__ import annotations

from build_exporter.model import events as e
from build_exporter.model.event_names import mask_names
from build_exporter.model.names import is_path
from build_exporter.model.redaction import are_plain, masked_name
from build_exporter.model.states import StepState
from build_exporter.tracker.aggregates import enter, has_room, masked_key, name, place, recount
from build_exporter.tracker.names import name_of
from build_exporter.tracker.progress import build_progress, is_reached, raise_floors
from build_exporter.tracker.state import Run
from build_exporter.tracker.step import NO_DEMAND, Demand, Key, Step, shared


def take_plan(run: Run, event: e.Plan) -> None:
    """Take a plan in place of the one there was, or what a long one continues with."""
    keys = _masked_keys(event.steps) if event.continues else []
    if event.continues and _only_adds(run, keys):
        for key, planned in zip(keys, event.steps, strict=True):
            step = Step(*key, len(run.steps))
            _describe_planned(run, step, planned)
            enter(run, step)
    else:
        _replace_plan(run, event)
    run.plans += 1
    run.plan_revision += 1
    for milestone in event.milestones or ():
        mask_names(milestone)
    run.planned_milestones = event.milestones or run.planned_milestones
    if not event.continues:
        run.tarballs = event.tarballs if event.tarballs and is_path(event.tarballs) else ""
    for milestone in event.milestones or ():
        # those of a phase or a share can't be judged by a plan that may continue in the next line
        if milestone.step is not None and is_reached(run, milestone, event.time):
            run.milestones.setdefault(milestone.name, event.time)


def _masked_keys(steps: list[e.PlannedStep]) -> list[Key]:
    """Return the keys of planned steps with secrets masked."""
    if are_plain(name for planned in steps for name in (planned.phase, planned.step)):
        return [(planned.phase, planned.step) for planned in steps]
    return [masked_key(planned.phase, planned.step) for planned in steps]


def _only_adds(run: Run, keys: list[Key]) -> bool:
    """Return whether steps can be put after the others: a plan of many lines must not be counted again with each."""
    last = next(reversed(run.steps.values()), None)
    fresh = set(keys)
    return (
        last is not None
        and last.planned
        and len(fresh) == len(keys)
        and not any(key in run.steps for key in fresh)
        and has_room(run, fresh)
    )


def _replace_plan(run: Run, event: e.Plan) -> None:
    if run.reopened:
        # the work that was finished is the beginning of the new plan, not the whole of it
        run.floor = 0.0
        for phase in run.phases.values():
            phase.floor = 0.0
        run.reopened = False
    elif not event.continues:
        # half a plan would make what is done seem more than it is, so only whole ones count
        raise_floors(run, event.time, run.phases.values())
    if not event.continues:
        for step in run.steps.values():
            step.demand = None
    old = run.steps
    run.steps = {key: step for key, step in old.items() if step.planned}
    for planned in event.steps:
        key = place(run, planned.phase, planned.step)
        step = old.get(key) or Step(*key, 0)
        _describe_planned(run, step, planned)
        run.steps[key] = step
    for key, step in old.items():
        # a step dropped from the plan before it ever started is not to come any more
        if key not in run.steps and step.state is not StepState.PENDING:
            run.steps[key] = step
    for index, step in enumerate(run.steps.values()):
        step.index = index
    recount(run)
    run.changed.clear()
    run.changed.update(run.steps)


def _describe_planned(run: Run, step: Step, planned: e.PlannedStep) -> None:
    name(step, planned.package, planned.version)
    step.sbu, step.expected_seconds = planned.sbu and shared(planned.sbu), planned.expected_seconds
    step.after = tuple(map(masked_name, planned.after)) if planned.after else ()
    demand = Demand(planned.disk_bytes, planned.memory_bytes, tuple(planned.sources or ()))
    step.demand = demand if demand != NO_DEMAND else NO_DEMAND
    if run.earlier is not None:
        step.usual_seconds = run.earlier.seconds.get(name_of(step.phase, step.step, step.version))
    step.weigh()


def check_milestones(run: Run, time: float, ended: str | None = None) -> None:
    """Note the milestones reached; with `ended` the name of the one step whose end can have reached any."""
    for planned in run.planned_milestones:
        if planned.name in run.milestones or (ended is not None and planned.step not in (None, ended)):
            continue
        if is_reached(run, planned, time):
            note_milestone(run, planned.name, time)


def note_milestone(run: Run, name: str, time: float) -> None:
    """Note a milestone reached, once, and how far the run was then."""
    if name in run.milestones:
        return
    run.milestones[name] = time
    ratio = build_progress(run, time)
    if ratio is not None:
        run.milestone_progress[name] = ratio
