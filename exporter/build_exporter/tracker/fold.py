"""The fold: one event into a run's state.

Events may come twice, late or without their counterpart. An event is the same as one before when it has the very
time of one, so a duplicate does nothing; a clock set back does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from build_exporter.model import events as e
from build_exporter.model.states import BuildState, StepState, failure_class
from build_exporter.tracker.progress import CEILING, expected_seconds, is_reached, raise_floors
from build_exporter.tracker.records import Key, Pace, Phase, Run, Step

MAX_ATTEMPT_TIMES = 32
MAX_NOTES = 100
MAX_STEPS = 200_000
"""Steps kept of one run: twice the largest builds known; whoever writes more names is not building."""
MAX_PHASES = 1000
MAX_MILESTONES = 1000
MAX_SUITES = 100
"""Phases and milestones kept of a run, and test suites of a step: each of them is some series."""
TOO_MANY_STEPS: Final[Key] = ("", "too many steps")

_FINISHED: Final = {
    "succeeded": StepState.SUCCEEDED,
    "failed": StepState.FAILED,
    "skipped": StepState.SKIPPED,
    "interrupted": StepState.INTERRUPTED,
}


def apply(run: Run, event: e.Event) -> None:
    """Change `run` by one event of it."""
    apply_all(run, (event,))


def apply_all(run: Run, events: Iterable[e.Event]) -> None:
    """Change `run` by events of it, in their order."""
    handlers = _HANDLERS
    newest = -1.0 if run.last_event is None else run.last_event
    for event in events:
        kind = type(event)
        if event.time > newest and kind not in _REMARKS:
            newest = run.last_event = event.time
        handler = handlers.get(kind)
        if handler is not None:
            handler(run, event)


def _count_work(run: Run) -> None:
    """Add the time since the set of running steps last changed to the sums that tell how many ran at once."""
    now = run.last_event or 0.0
    if run.running:
        passed = now - run.counted_until
        run.busy_seconds += passed
        run.work_seconds += passed * len(run.running)
    run.counted_until = now


def _build_started(run: Run, event: e.BuildStarted) -> None:
    if event.time in run.starts:
        run.ignored["build_started"] += 1
        return
    _remember(run.starts, event.time)
    # whatever still seemed to run belonged to a process that is gone
    _interrupt_running(run, event.time)
    if run.status is BuildState.SUCCEEDED:
        # more work than the finished run had: its progress starts from what is done, not from 1
        run.floor = 0.0
    run.status = None
    run.end = None
    run.start = event.time if run.start is None else min(run.start, event.time)
    run.source = event.source or run.source
    run.target = event.target or run.target
    run.book = event.book or run.book
    run.jobs = event.jobs if event.jobs is not None else run.jobs
    run.deadline = event.deadline if event.deadline is not None else run.deadline


def _plan(run: Run, event: e.Plan) -> None:
    if event.continues and _only_adds(run, event.steps):
        for planned in event.steps:
            step = Step(planned.phase, planned.step, len(run.steps))
            _describe_planned(step, planned)
            _enter(run, step)
    else:
        _replace_plan(run, event)
    run.plans += 1
    run.planned_milestones = event.milestones or run.planned_milestones
    for milestone in event.milestones or ():
        # those of a phase or a share can't be judged by a plan that may go on in the next line
        if milestone.step is not None and is_reached(run, milestone, event.time):
            run.milestones.setdefault(milestone.name, event.time)


def _only_adds(run: Run, steps: list[e.PlannedStep]) -> bool:
    """Tell whether steps can be put after the others: a plan of many lines must not be counted anew with each."""
    last = next(reversed(run.steps.values()), None)
    fresh = {(planned.phase, planned.step) for planned in steps}
    return (
        last is not None
        and last.planned
        and len(fresh) == len(steps)
        and not any(key in run.steps for key in fresh)
        and len(run.steps) + len(fresh) <= MAX_STEPS
        and len(run.phases.keys() | {phase for phase, _ in fresh}) <= MAX_PHASES
    )


def _replace_plan(run: Run, event: e.Plan) -> None:
    if not event.continues:
        # half a plan would make what is done seem more than it is, so only whole ones count
        raise_floors(run, event.time)
        for step in run.steps.values():
            step.planned = False
    old = run.steps
    run.steps = {key: step for key, step in old.items() if step.planned}
    for planned in event.steps:
        key = _place(run, planned.phase, planned.step)
        step = old.get(key) or Step(*key, 0)
        _describe_planned(step, planned)
        run.steps[key] = step
    for key, step in old.items():
        # a step dropped from the plan before it ever started is not to come any more
        if key not in run.steps and step.state is not StepState.PENDING:
            run.steps[key] = step
    for index, step in enumerate(run.steps.values()):
        step.index = index
    _recount(run)
    run.changed.clear()
    run.changed.update(run.steps)


def _describe_planned(step: Step, planned: e.PlannedStep) -> None:
    step.package = planned.package or step.package
    step.version = planned.version or step.version
    step.sbu, step.expected_seconds = planned.sbu, planned.expected_seconds
    step.planned_disk_bytes, step.planned_memory_bytes = planned.disk_bytes, planned.memory_bytes
    step.after = tuple(planned.after or ())
    step.planned = True


def _recount(run: Run) -> None:
    floors = {name: phase.floor for name, phase in run.phases.items()}
    run.phases = {}
    run.pace, run.blind_pace, run.sbu_seconds, run.sbu_done = Pace(), Pace(), 0.0, 0.0
    for step in run.steps.values():
        phase = run.phases.get(step.phase)
        if phase is None:
            phase = run.phases[step.phase] = Phase(step.phase, floor=floors.get(step.phase, 0.0))
        phase.states[step.state] += 1
        phase.weight += step.weight
        if step.state.is_done:
            phase.done_weight += step.weight
        else:
            phase.left_squares += step.weight**2
        if step.state is StepState.SUCCEEDED:
            _learn_pace(run, step)


def _step_started(run: Run, event: e.StepStarted) -> None:
    step = _step(run, event)
    if event.time in step.starts:
        run.ignored["step_started"] += 1
        return
    if step.attempts and not step.starts and event.time <= (step.end or 0.0):
        # its end was read first
        _remember(step.starts, event.time)
        step.start = event.time
        if step.seconds is None and step.end is not None:
            step.seconds = step.end - step.start
        _describe(step, event)
        run.changed[step.key] = step
        return
    if step.state is not StepState.PENDING:
        # a first attempt begins with nothing done: it takes nothing from what is shown
        raise_floors(run, event.time)
    run.status = None if run.status is not BuildState.SUCCEEDED else run.status
    run.end = None if run.status is None else run.end
    if run.start is None:
        run.start = event.time
    if step.state is StepState.RUNNING:
        run.finished["interrupted"] += 1
    _remember(step.starts, event.time)
    step.attempts = max(step.attempts + 1, event.attempt or 0)
    step.start, step.end, step.seconds, step.ratio, step.message = event.time, None, None, None, None
    step.exit_code = step.signal = step.error_class = None
    step.cpu_seconds = step.max_rss_bytes = step.read_bytes = step.written_bytes = step.disk_bytes = None
    step.warnings = None
    step.tests = {}
    step.expected_at_start = expected_seconds(run, step)
    _describe(step, event)
    _move(run, step, StepState.RUNNING)


def _describe(step: Step, event: e.StepStarted) -> None:
    step.package = event.package or step.package
    step.version = event.version or step.version
    step.log = event.log
    step.pid = event.pid


def _step_progress(run: Run, event: e.StepProgress) -> None:
    key = (event.phase, event.step)
    step = run.running.get(key)
    if step is None:
        _explain_failure(run, event)
        return
    ratio = event.ratio
    if ratio is None and event.done is not None and event.total:
        ratio = event.done / event.total
    if ratio is not None and (step.ratio is None or ratio > step.ratio):
        if step.ratio is None:
            # the time it has run may have stood for more than it now tells
            raise_floors(run, event.time)
        step.ratio = min(CEILING, ratio)
    if event.message is not None:
        step.message = event.message
    run.changed[key] = step


def _explain_failure(run: Run, event: e.StepProgress) -> None:
    """Take words about a step that has failed without any: its log was read after its end."""
    step = run.failed.get((event.phase, event.step))
    if step is None or step.message is not None or event.message is None:
        run.ignored["step_progress"] += 1
        return
    step.message = event.message
    run.changed[step.key] = step


def _step_finished(run: Run, event: e.StepFinished) -> None:
    step = _step(run, event)
    state = _FINISHED[event.status]
    corrects = step.state is StepState.INTERRUPTED and state is not StepState.INTERRUPTED
    if event.time in step.ends or (step.state is state and not corrects):
        run.ignored["step_finished"] += 1
        return
    raise_floors(run, event.time)
    if step.state is not StepState.RUNNING and not corrects:
        # a skipped step was never tried
        step.attempts += state is not StepState.SKIPPED
        step.start = None
    if run.start is None:
        run.start = event.time
    _remember(step.ends, event.time)
    step.end = event.time
    step.seconds = _duration(step, event)
    step.exit_code, step.signal = event.exit_code, event.signal
    step.cpu_seconds, step.max_rss_bytes = event.cpu_seconds, event.max_rss_bytes
    step.read_bytes, step.written_bytes, step.disk_bytes = event.read_bytes, event.written_bytes, event.disk_bytes
    step.warnings = event.warnings
    # what it did last is no reason why it ended
    step.message = event.message
    step.error_class = failure_class(event.error_class) if state is StepState.FAILED else None
    run.finished[event.status] += 1
    if step.error_class is not None:
        run.failures[step.phase, step.error_class] += 1
    _move(run, step, state)
    _check_milestones(run, event.time, step.step)


def _duration(step: Step, event: e.StepFinished) -> float | None:
    if event.seconds is not None:
        return event.seconds
    return max(0.0, event.time - step.start) if step.start is not None else None


def _tests_reported(run: Run, event: e.TestsReported) -> None:
    step = _step(run, event)
    if event.suite not in step.tests and len(step.tests) >= MAX_SUITES:
        run.ignored["too_many_suites"] += 1
        return
    step.tests[event.suite] = event
    run.changed[step.key] = step


def _milestone_reached(run: Run, event: e.MilestoneReached) -> None:
    if event.milestone not in run.milestones and len(run.milestones) >= MAX_MILESTONES:
        run.ignored["too_many_milestones"] += 1
        return
    run.milestones.setdefault(event.milestone, event.time)


def _check_milestones(run: Run, time: float, ended: str | None = None) -> None:
    """Note the milestones reached; with `ended` the name of the one step whose end can have reached any."""
    for planned in run.planned_milestones:
        if planned.name in run.milestones or (ended is not None and planned.step not in (None, ended)):
            continue
        if is_reached(run, planned, time):
            run.milestones[planned.name] = time


def _build_finished(run: Run, event: e.BuildFinished) -> None:
    if event.time in run.ends:
        run.ignored["build_finished"] += 1
        return
    _remember(run.ends, event.time)
    raise_floors(run, event.time)
    _interrupt_running(run, event.time)
    if run.status != event.status:
        # the same told by two writers is one end
        run.results[event.status] += 1
    run.status = BuildState(event.status)
    run.end = event.time
    if run.start is None:
        run.start = event.time
    _check_milestones(run, event.time)


def _note(run: Run, event: e.Note) -> None:
    run.notes.append((event.time, event.message))
    del run.notes[:-MAX_NOTES]


def _interrupt_running(run: Run, time: float) -> None:
    if not run.running:
        return
    raise_floors(run, time)
    for step in list(run.running.values()):
        step.end = time
        step.seconds = max(0.0, time - step.start) if step.start is not None else None
        run.finished["interrupted"] += 1
        _move(run, step, StepState.INTERRUPTED)


def _step(run: Run, event: e.StepStarted | e.StepFinished | e.TestsReported) -> Step:
    step = run.steps.get((event.phase, event.step))
    if step is None:
        # one more step than planned makes what is done a smaller share
        raise_floors(run, event.time)
        key = _place(run, event.phase, event.step)
        if key in run.steps:
            return run.steps[key]
        step = Step(*key, len(run.steps))
        _enter(run, step)
    return step


def _enter(run: Run, step: Step) -> None:
    """Put a pending step after the others and into the sums of its phase."""
    run.steps[step.key] = run.changed[step.key] = step
    phase = run.phases.get(step.phase)
    if phase is None:
        phase = run.phases[step.phase] = Phase(step.phase)
    phase.states[StepState.PENDING] += 1
    phase.weight += step.weight
    phase.left_squares += step.weight**2


def _place(run: Run, phase: str, step: str) -> Key:
    """Return the key of a step: its own, or what all beyond the bounds share."""
    if (phase, step) in run.steps:
        return (phase, step)
    if len(run.steps) >= MAX_STEPS:
        run.ignored["too_many_steps"] += 1
        return TOO_MANY_STEPS
    if phase not in run.phases and len(run.phases) >= MAX_PHASES:
        run.ignored["too_many_phases"] += 1
        return ("", step)
    return (phase, step)


def _move(run: Run, step: Step, state: StepState) -> None:
    """Put a step into a state and keep every sum that depends on it."""
    _count_work(run)
    key: Key = step.key
    phase = run.phases[step.phase]
    was_done, is_done = step.state.is_done, state.is_done
    if was_done != is_done:
        weight = step.weight if is_done else -step.weight
        phase.done_weight += weight
        phase.left_squares -= weight * abs(weight)
    phase.states[step.state] -= 1
    phase.states[state] += 1
    step.state = state
    run.running.pop(key, None)
    run.failed.pop(key, None)
    if state is StepState.RUNNING:
        run.running[key] = step
    elif state is StepState.FAILED:
        run.failed[key] = step
    elif state is StepState.SUCCEEDED:
        _learn_pace(run, step)
    run.changed[key] = step


def _learn_pace(run: Run, step: Step) -> None:
    if step.seconds is None:
        return
    pace = run.pace if step.has_figures else run.blind_pace
    pace.learn(step.seconds, step.weight)
    if step.sbu:
        run.sbu_seconds += step.seconds
        run.sbu_done += step.sbu


def _remember(times: list[float], time: float) -> None:
    times.append(time)
    del times[:-MAX_ATTEMPT_TIMES]


_REMARKS: Final[frozenset[type[e.Event]]] = frozenset({e.Note, e.Feedback, e.Alert, e.Acknowledged, e.Escalated})
"""What people and Alertmanager say of a build is no sign of its life."""

_HANDLERS: Final[dict[type[e.Event], Callable[[Run, Any], None]]] = {
    e.BuildStarted: _build_started,
    e.Plan: _plan,
    e.StepStarted: _step_started,
    e.StepProgress: _step_progress,
    e.StepFinished: _step_finished,
    e.TestsReported: _tests_reported,
    e.MilestoneReached: _milestone_reached,
    e.BuildFinished: _build_finished,
    e.Note: _note,
}
