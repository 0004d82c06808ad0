"""Running sums over a run's steps, and the limits on their number."""

from __future__ import annotations

import sys
from typing import Final

from build_exporter.model.redaction import masked_name
from build_exporter.model.states import DONE, StepState
from build_exporter.tracker.durations import work_seconds
from build_exporter.tracker.state import Pace, Phase, Run
from build_exporter.tracker.step import Key, Step

MAX_STEPS = 200_000
"""Steps kept of one run: twice the largest builds known; whoever writes more names is not building."""
MAX_PHASES = 1000
"""Phases kept of a run: each of them is some series."""
MAX_GAP_SECONDS: Final = 60.0
"""A longer gap between two steps is a manual pause, and does not predict later gaps."""
MAX_FLAGGED: Final = 10_000
"""Steps of a run whose warnings are kept by the compiler's option for them."""
MAX_FLAGS: Final = 1000
"""Most warning options counted by name; compilers have some hundred."""
OTHER_FLAG: Final = "other"
_RUNNING, _SUCCEEDED, _FAILED = StepState.RUNNING, StepState.SUCCEEDED, StepState.FAILED
TOO_MANY_STEPS: Final[Key] = ("", "too many steps")


def add_work_time(run: Run) -> None:
    """Add the time since the set of running steps changed to the sums of concurrency."""
    now = run.last_event or 0.0
    passed = now - run.counted_until
    if run.running:
        run.busy_seconds += passed
        run.work_seconds += passed * len(run.running)
    elif run.counted_until and passed <= MAX_GAP_SECONDS:
        run.gap_seconds += passed
    run.counted_until = now


def recount(run: Run) -> None:
    """Make every sum again from the steps."""
    run.revision += 1
    floors = {name: phase.floor for name, phase in run.phases.items()}
    run.phases, run.weight, run.done_weight = {}, 0.0, 0.0
    run.pace, run.unweighted_pace, run.sbu_seconds, run.sbu_done = Pace(), Pace(), 0.0, 0.0
    for step in run.steps.values():
        phase = run.phases.get(step.phase)
        if phase is None:
            phase = run.phases[step.phase] = Phase(step.phase, floor=floors.get(step.phase, 0.0))
        phase.steps += 1
        phase.states[step.state] += 1
        phase.weight += step.weight
        run.weight += step.weight
        if step.state.is_done:
            phase.done_weight += step.weight
            run.done_weight += step.weight
        if step.state is StepState.SUCCEEDED:
            learn_pace(run, step)


def enter(run: Run, step: Step) -> None:
    """Put a pending step after the others and into the sums of its phase."""
    run.revision += 1
    run.steps[step.key] = run.changed[step.key] = step
    phase = run.phases.get(step.phase)
    if phase is None:
        phase = run.phases[step.phase] = Phase(step.phase)
    phase.steps += 1
    phase.states[StepState.PENDING] += 1
    phase.weight += step.weight
    run.weight += step.weight


def name(step: Step, package: str | None, version: str | None) -> None:
    """Take package and version where an event has them; many steps share one, and so one text."""
    if package and package != step.package:
        step.package = sys.intern(masked_name(package))
    if version and version != step.version:
        step.version = sys.intern(masked_name(version))


def place(run: Run, phase: str, step: str) -> Key:
    """Return the key of a step: its own with secrets masked, or what all beyond the bounds share."""
    if (phase, step) in run.steps:
        return (phase, step)
    phase, step = masked_key(phase, step)
    if (phase, step) in run.steps:
        return (phase, step)
    if len(run.steps) >= MAX_STEPS:
        run.ignored["too_many_steps"] += 1
        return TOO_MANY_STEPS
    if phase not in run.phases and len(run.phases) >= MAX_PHASES:
        run.ignored["too_many_phases"] += 1
        return ("", step)
    return (phase, step)


def masked_key(phase: str, step: str) -> Key:
    """Return the key of a step with secrets masked: names are labels, headings and parts of addresses."""
    return (masked_name(phase), masked_name(step))


def has_room(run: Run, fresh: set[Key]) -> bool:
    """Return whether so many more steps are within the bounds."""
    phases = run.phases.keys() | {phase for phase, _ in fresh}
    return len(run.steps) + len(fresh) <= MAX_STEPS and len(phases) <= MAX_PHASES


def move(run: Run, step: Step, state: StepState) -> None:
    """Put a step into a state and keep every sum that depends on it."""
    run.revision += 1
    add_work_time(run)
    key, before = step.key, step.state
    phase = run.phases[step.phase]
    was_done, is_done = before in DONE, state in DONE
    if was_done is not is_done:
        weight = step.weight if is_done else -step.weight
        phase.done_weight += weight
        run.done_weight += weight
    states = phase.states
    states[before] -= 1
    states[state] += 1
    step.state = state
    if before is _RUNNING:
        del run.running[key]
    elif before is _FAILED:
        del run.failed[key]
    if state is _RUNNING:
        run.running[key] = step
    elif state is _SUCCEEDED:
        learn_pace(run, step)
        if step.start is not None and step.end is not None and step.seconds is not None:
            beyond = step.end - step.start - step.seconds
            run.gap_seconds += beyond if 0.0 < beyond <= MAX_GAP_SECONDS else 0.0
    elif state is _FAILED:
        run.failed[key] = step
    run.changed[key] = step


def count_flags(run: Run, key: Key, flags: dict[str, int]) -> None:
    """Put warnings by option in place of those of the step's attempt before."""
    sums = run.flag_sums
    for flag, count in run.warning_flags.pop(key, {}).items():
        sums[flag] -= count
        if not sums[flag]:
            del sums[flag]
    if not flags or len(run.warning_flags) >= MAX_FLAGGED:
        return
    kept: dict[str, int] = {}
    for flag, count in flags.items():
        name = flag if flag in sums or len(sums) < MAX_FLAGS else OTHER_FLAG
        kept[name] = kept.get(name, 0) + count
        sums[name] += count
    run.warning_flags[key] = kept


def learn_pace(run: Run, step: Step) -> None:
    """Count what a step that succeeded took against what was planned for it."""
    seconds = work_seconds(run, step)
    if seconds is None:
        return
    pace = run.pace if step.has_figures else run.unweighted_pace
    pace.taken += seconds
    pace.planned += step.weight
    if step.sbu:
        run.sbu_seconds += seconds
        run.sbu_done += step.sbu
