"""Deduplicate a source's events against a run, so that a record read twice is journalled once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from build_exporter.model import events as e
from build_exporter.model.names import MAX_TEXT_LENGTH
from build_exporter.model.states import BuildState, StepState
from build_exporter.tracker import Run, Step

PROGRESS_GRAIN = 0.005
"""Least gain of a step's ratio that is worth a line."""


def is_recorded(run: Run, event: e.Event) -> bool:
    """Return whether `run` already has `event` or an equivalent one."""
    check = _CHECKS.get(type(event))
    return check is not None and check(run, event)


def is_recorded_by_count(run: Run, event: e.Event, nth: int) -> bool:
    """Return whether `run` has seen the nth start or end of a step, or plan, counted from 1, whatever their times.

    Progress is known that is of the nth attempt at a step of which a later one has begun.
    """
    if isinstance(event, e.StepStarted | e.StepFinished):
        step = run.steps.get((event.phase, event.step))
        if step is None:
            return False
        if isinstance(event, e.StepStarted):
            # attempts with only a recorded end count
            return max(step.attempts, len(step.starts)) >= nth
        # an attempt of which only the end is known adds nothing to one before it that ended alike
        return _recorded_ends(step.ends, step.state.label, event.status) >= nth or step.state.label == event.status
    if isinstance(event, e.BuildFinished):
        return _recorded_ends(run.ends, run.status, event.status) >= nth
    if isinstance(event, e.BuildStarted | e.Plan):
        return (len(run.starts) if isinstance(event, e.BuildStarted) else run.plans) >= nth
    return _is_of_earlier_attempt(run, event, nth) or is_recorded(run, event)


def _is_of_earlier_attempt(run: Run, event: e.Event, nth: int) -> bool:
    step = run.steps.get((event.phase, event.step)) if isinstance(event, e.StepProgress) else None
    return step is not None and step.attempts > nth


def _recorded_ends(ends: Sequence[float], state: str | None, status: str) -> int:
    """Return the number of known ends from the record: an interruption is inferred, not in the record."""
    return len(ends) - (state == BuildState.INTERRUPTED != status)


def _build_started(run: Run, event: e.BuildStarted) -> bool:
    return event.time in run.starts


def _build_finished(run: Run, event: e.BuildFinished) -> bool:
    """Return whether that end is known, or a later one of the same stretch: what dated it then may be gone by now."""
    if event.time in run.ends:
        return True
    end = next((end for end in run.ends if end > event.time), None)
    return end is not None and run.status == event.status and not any(event.time < at <= end for at in run.starts)


def _plan(run: Run, event: e.Plan) -> bool:
    if event.continues:
        # it adds to what is planned and leaves the rest as it is
        keyed = [(run.steps.get((each.phase, each.step)), each) for each in event.steps]
        return all(step is not None and step.planned and _is_planned_alike(step, each) for step, each in keyed)
    if run.tarballs != (event.tarballs or ""):
        return False
    planned = [step for step in run.steps.values() if step.planned]
    return len(planned) == len(event.steps) and all(map(_is_planned_alike, planned, event.steps))


def _is_planned_alike(step: Step, planned: e.PlannedStep) -> bool:
    return (
        step.key == (planned.phase, planned.step)
        and step.sbu == planned.sbu
        and step.expected_seconds == planned.expected_seconds
        and step.planned_disk_bytes == planned.disk_bytes
        and step.planned_memory_bytes == planned.memory_bytes
        and step.after == tuple(planned.after or ())
        and step.sources == tuple(planned.sources or ())
    )


def _step_started(run: Run, event: e.StepStarted) -> bool:
    step = run.steps.get((event.phase, event.step))
    return step is not None and event.time in step.starts


def _step_finished(run: Run, event: e.StepFinished) -> bool:
    step = run.steps.get((event.phase, event.step))
    if step is None:
        return False
    return event.time in step.ends or _is_settled(step, event)


def _is_settled(step: Step, event: e.StepFinished) -> bool:
    """Return whether the attempt that ended then has ended already, and this is no better news of it.

    A record may be read again after what dated the end is gone: a step that failed at its log's last change failed
    at the latest at the time the run has.
    """
    if not step.starts or not step.ends or event.time < min(step.starts):
        return False
    began = max(start for start in step.starts if start <= event.time)
    after = min((start for start in step.starts if start > began), default=None)
    if not any(began <= end and (after is None or end <= after) for end in step.ends):
        return False
    label = step.state.label
    return after is not None or label == event.status or (label == "failed" and event.status == "interrupted")


def _step_progress(run: Run, event: e.StepProgress) -> bool:
    step = run.running.get((event.phase, event.step))
    if step is None:
        return not _adds_log_detail(run, event)
    ratio = event.ratio
    if ratio is None and event.done is not None and event.total:
        ratio = event.done / event.total
    if event.warnings is not None and not step.reported_warnings and event.warnings > (step.warnings or 0):
        return False
    return ratio is None or ratio < (step.ratio or 0.0) + PROGRESS_GRAIN


def _adds_log_detail(run: Run, event: e.StepProgress) -> bool:
    """Return whether a log read after its step's end adds to what is known."""
    step = run.steps.get((event.phase, event.step))
    if step is None or step.end is None:
        return False
    if event.warnings is not None and not step.reported_warnings and event.warnings > (step.warnings or -1):
        return True
    if event.warning_flags and step.key not in run.warning_flags:
        return True
    if event.log_bytes is None:
        return False
    known = run.logs.get(step.key)
    is_example = step.state is StepState.SUCCEEDED and event.log_bytes > 0
    is_known = known is not None and (known.size, known.seconds) == (event.log_bytes, step.seconds)
    return not step.log_read or (is_example and not is_known)


def _tests_reported(run: Run, event: e.TestsReported) -> bool:
    step = run.steps.get((event.phase, event.step))
    found = step.tests.get(event.suite) if step is not None else None
    if found is None:
        return False
    return all(
        getattr(found, name) == getattr(event, name)
        for name in ("passed", "failed", "expected_failed", "unexpected_passed", "skipped", "errors")
    )


def _milestone_reached(run: Run, event: e.MilestoneReached) -> bool:
    return event.milestone in run.milestones


def _note(run: Run, event: e.Note) -> bool:
    return (event.time, event.message[:MAX_TEXT_LENGTH]) in run.notes


_CHECKS: Final[dict[type[e.Event], Callable[[Run, Any], bool]]] = {
    e.BuildStarted: _build_started,
    e.BuildFinished: _build_finished,
    e.Plan: _plan,
    e.StepStarted: _step_started,
    e.StepFinished: _step_finished,
    e.StepProgress: _step_progress,
    e.TestsReported: _tests_reported,
    e.MilestoneReached: _milestone_reached,
    e.Note: _note,
}
