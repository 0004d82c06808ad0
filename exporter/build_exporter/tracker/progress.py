"""Progress weighted by time. It never decreases within a run and is 1 only at the end.

A running step counts by the ratio it reports, else by its elapsed against its expected time. Where that is not known
it counts for half after as long as it weighs, or after two minutes without figures. What was once shown is kept as a
floor in the state, raised with each event by that event's own time: so a restart, which sees the same events, shows no
less than what was shown before.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from build_exporter.model.events import PlannedMilestone
from build_exporter.model.states import DONE, BuildState, StepState
from build_exporter.tracker.state import Phase, Run
from build_exporter.tracker.step import Step

CEILING = 0.999
"""Most that is shown before the end."""

APPROACH_FROM = 0.9
"""Ratio above which what time or size stand for is taken to be ever less: a step they say is done still runs."""

HALF_SECONDS = 120.0
"""After this long a running step of which nothing is known counts for half: the bar moves, and never as if it ended."""

_RUNNING = StepState.RUNNING
MAX_CREDITED = 500
"""Most running steps whose partial progress counts, which bounds the cost of an event."""


def expected_seconds(run: Run, step: Step) -> float | None:
    """Return the seconds a step should take on this machine: as planned, times how slow the run is against its plan.

    Earlier runs count before the plan. None where nothing is planned, or planned in SBU alone before any step has
    calibrated the SBU.
    """
    if not step.has_figures:
        return None
    pace = run.pace
    if pace.planned:
        return step.weight * (pace.taken / pace.planned)
    return step.expected_seconds if step.usual_seconds is None else step.usual_seconds


def expected_at_start(run: Run, step: Step) -> float | None:
    """Return what a step should take: of one that ran, what was expected when it began."""
    return step.expected_at_start if step.attempts else expected_seconds(run, step)


def step_progress(run: Run, step: Step, now: float | None = None) -> float | None:
    """Return a step's ratio: 1 when done, None where it is unknown.

    With `now` (Unix seconds) a running step without a ratio gets one by its time.
    """
    state = step.state
    if state is _RUNNING:
        # first, because each event asks this of every running step
        if step.ratio is not None:
            return max(step.floor, step.ratio)
        if now is None or step.start is None:
            return None
        expected = expected_seconds(run, step)
        return min(CEILING, approach((now - step.start) / expected)) if expected else None
    if state in DONE:
        return 1.0
    if state is StepState.PENDING:
        return 0.0
    return max(step.floor, step.ratio) if step.ratio is not None else None


def approach(share: float) -> float:
    """Return the ratio to show where a step seems to have done a share, which may be above 1 though it still runs.

    Up to `APPROACH_FROM` they are the same. From there, without a bend, the ratio comes ever nearer to 1: 0.95 at
    a share of 1, 0.99 at 1.8.
    """
    left = 1.0 - APPROACH_FROM
    if share <= APPROACH_FROM:
        return max(0.0, share)
    return 1.0 - left * left / (share - APPROACH_FROM + left)


def build_progress(run: Run, now: float) -> float | None:
    """Return the run's ratio at `now`, None where the steps to come are not known."""
    return progress_at(run, now)[0]


def phases_progress(run: Run, now: float) -> list[tuple[Phase, float]]:
    """Return each phase with its ratio at `now`."""
    return progress_at(run, now)[1]


def progress_at(run: Run, now: float) -> tuple[float | None, list[tuple[Phase, float]]]:
    """Return the run's ratio at `now`, None where the steps to come are not known, and each phase with its ratio.

    All are 1 once the run succeeded, by whatever step a failure was repaired, but of a phase none of whose steps ever
    ran: that stays at 0.
    """
    phases = list(run.phases.values())
    if run.status is BuildState.SUCCEEDED:
        return 1.0, [(each, 0.0 if 0 < each.steps == each.states[StepState.PENDING] else 1.0) for each in phases]
    by_phase: dict[str, float] = {}
    credit = _credit(run, now, by_phase)
    whole = max(run.floor, min(_whole(run, credit), CEILING)) if run.has_plan else None
    return whole, [(each, _phase_ratio(each, by_phase.get(each.name, 0.0))) for each in phases]


def _phase_ratio(phase: Phase, credit: float) -> float:
    if phase.done_weight and _all_done(phase):
        return 1.0
    ratio = (phase.done_weight + credit) / phase.weight if phase.weight else 0.0
    return max(phase.floor, min(ratio, CEILING))


def is_reached(run: Run, milestone: PlannedMilestone, now: float) -> bool:
    """Return whether what a milestone waits for has come: the end of a step, of a phase, or a progress ratio."""
    if milestone.step is not None:
        steps = (s for s in run.steps.values() if s.step == milestone.step and milestone.phase in (None, s.phase))
        return any(step.state.is_done for step in steps)
    if milestone.phase is not None:
        phase = run.phases.get(milestone.phase)
        return phase is not None and _all_done(phase)
    return milestone.progress is not None and (build_progress(run, now) or 0.0) >= milestone.progress


def raise_floors(run: Run, now: float, losing: Iterable[Phase] = ()) -> None:
    """Keep what progress is at `now`, so that it can't go back below it.

    That is of the run, of the phases with running steps, and of those `losing` a share of what is done.
    """
    if not run.plans:
        return
    by_phase = {phase.name: 0.0 for phase in losing}
    ratio = _whole(run, _credit(run, now, by_phase) if run.running else 0.0)
    if ratio > run.floor:
        run.floor = min(ratio, CEILING)
    for name, credit in by_phase.items():
        phase = run.phases[name]
        phase.floor = min(_phase_ratio(phase, credit), CEILING)


def _whole(run: Run, credit: float) -> float:
    """Return the share done of all planned time; `credit` is what running steps have done of theirs, in seconds."""
    return (run.done_weight + credit) / run.weight if run.weight else 0.0


def _credit(run: Run, now: float, by_phase: dict[str, float]) -> float:
    """Return what the running steps have done of their planned time, in seconds, and add it up by phase.

    Where steps are begun and never ended, those begun first count.
    """
    # one look at each step, as every event that starts or ends one comes here; and always in the same order, so that a
    # floor is not below what was shown by a rounding
    whole = 0.0
    for step in islice(run.running.values(), MAX_CREDITED):
        ratio = step_progress(run, step, now)
        if ratio is None:
            passed = max(0.0, now - step.start) if step.start is not None else 0.0
            ratio = passed / (passed + (step.weight if step.has_figures else HALF_SECONDS))
        credit = step.weight * ratio
        whole += credit
        by_phase[step.phase] = by_phase.get(step.phase, 0.0) + credit
    return whole


def _all_done(phase: Phase) -> bool:
    states = phase.states
    return states[StepState.SUCCEEDED] + states[StepState.SKIPPED] == phase.steps
