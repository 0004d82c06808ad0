"""The fold: apply one event to a run's state.

Events may come twice, late or without their counterpart. An event is the same as one before when it has the very
time of one, so a duplicate does nothing; a clock set back does no harm.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, Final

from build_exporter.model import events as e
from build_exporter.model.names import MAX_TEXT_LENGTH
from build_exporter.model.states import BuildState, FailureClass, StepState, failure_class
from build_exporter.tracker.adopted_plan import follow_earlier
from build_exporter.tracker.aggregates import count_flags, enter, masked_key, move, place, recount
from build_exporter.tracker.durations import keep_work, work_seconds
from build_exporter.tracker.in_order import (
    begin,
    describe,
    end_attempt,
    finish,
    forget_attempt,
    is_plain,
    start_attempt,
)
from build_exporter.tracker.plans import check_milestones, take_plan
from build_exporter.tracker.progress import CEILING, raise_floors, step_progress
from build_exporter.tracker.records import (
    Handler,
    masking,
    reach_milestone,
    take_alert,
    take_answer,
    take_loss,
    take_note,
    take_rating,
    take_sources,
    take_toolchain,
)
from build_exporter.tracker.state import CLASS_SECONDS, LogShape, Run
from build_exporter.tracker.step import MAX_ATTEMPT_TIMES, Key, Step, with_time

MAX_LOGS = 10_000
"""Most steps per run whose logs serve as the next run's reference; only longer steps count."""
MAX_SUITES = 100
"""Test suites kept of a step: each of them is some series."""

_StepProgress: Final = e.StepProgress
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
    newest, plain, taken = run.newest, is_plain(run), None
    for event, following in pairwise((*events, None)):
        if event is taken or event is None:
            continue
        time, kind = event.time, type(event)
        handler, quick, is_activity = _HANDLING[kind]
        if time > newest:
            newest = run.newest = time
            if plain and quick is not None:
                run.last_event = time
                taken = quick(run, event, following)
                if taken is not None:
                    newest = run.newest = taken.time
                    continue
        if is_activity and (run.last_event is None or time > run.last_event):
            run.last_event = time
        handler(run, event)
        if kind is not _StepProgress:
            plain = is_plain(run)


def _build_started(run: Run, event: e.BuildStarted) -> None:
    if event.time in run.starts:
        run.ignored["build_started"] += 1
        return
    _remember(run.starts, event.time)
    # whatever still seemed to run belonged to a process that is gone
    _interrupt_running(run, event.time)
    if run.status is BuildState.SUCCEEDED:
        # there is more work than the finished run had
        run.reopened = True
    run.status = None
    run.end = None
    run.start = event.time if run.start is None else min(run.start, event.time)
    run.source = event.source or run.source
    run.target = event.target or run.target
    run.book = event.book or run.book
    run.jobs = event.jobs if event.jobs is not None else run.jobs
    run.tests = event.tests or run.tests
    run.pid, run.pid_namespace = event.pid, event.pid_namespace
    run.writer_is_gone = False
    run.deadline = event.deadline if event.deadline is not None else run.deadline


def _plan(run: Run, event: e.Plan) -> None:
    run.adopted = False
    take_plan(run, event)


def _step_started(run: Run, event: e.StepStarted) -> None:
    if run.earlier is not None:
        follow_earlier(run, event)
    step = _step(run, event)
    if event.time in step.starts:
        run.ignored["step_started"] += 1
        return
    if step.attempts and step.began is None and event.time <= (step.end or 0.0):
        # its end was read first
        step.began = with_time(step.began, event.time)
        step.start = event.time
        if step.seconds is None and step.end is not None:
            step.seconds = step.end - step.start
        describe(run, step, event)
        run.revision += 1
        run.changed[step.key] = step
        return
    if step.state is not StepState.PENDING:
        # a first attempt begins with nothing done: it takes nothing from what is shown
        raise_floors(run, event.time, (run.phases[step.phase],))
    run.status = None if run.status is not BuildState.SUCCEEDED else run.status
    run.end = None if run.status is None else run.end
    if run.start is None:
        run.start = event.time
    if step.state is StepState.RUNNING:
        run.finished["interrupted"] += 1
    _count_unclassed(run, step)
    if step.state is not StepState.PENDING:
        keep_work(run, step)
        move(run, step, StepState.PENDING)
        forget_attempt(step)
        count_flags(run, step.key, {})
    start_attempt(run, step, event)


def _step_progress(run: Run, event: e.StepProgress) -> None:
    key = (event.phase, event.step)
    step = run.running.get(key)
    if step is None and key not in run.steps:
        key = masked_key(*key)
        step = run.running.get(key)
    if step is None:
        _step_log_read(run, event, key)
        return
    ratio = event.ratio
    if ratio is None and event.done is not None and event.total:
        ratio = event.done / event.total
    if event.estimated:
        if step.reported_ratio:
            ratio = None
    elif ratio is not None:
        step.reported_ratio = True
    if ratio is not None and (step.ratio is None or ratio > step.ratio):
        if step.ratio is None:
            # its elapsed time may have implied more than it now reports
            raise_floors(run, event.time)
            step.floor = step_progress(run, step, event.time) or 0.0
        step.ratio = min(CEILING, ratio)
    if event.message is not None:
        step.message = event.message[:MAX_TEXT_LENGTH]
    if event.warnings is not None and event.warnings > (step.warnings or -1):
        step.warnings = event.warnings
    run.changed[key] = step


def _step_log_read(run: Run, event: e.StepProgress, key: Key) -> None:
    """Take what the log of a step amounted to that was read after its end."""
    step = run.steps.get(key)
    if step is None or step.end is None:
        run.ignored["step_progress"] += 1
        return
    learned = _explain_failure(run, step, event) | _shorten(run, step, event.seconds)
    if event.warnings is not None and not step.reported_warnings and event.warnings > (step.warnings or -1):
        step.warnings = event.warnings
        learned = True
    if event.warning_flags:
        count_flags(run, step.key, event.warning_flags)
        learned = True
    if event.log_bytes is not None:
        step.log_read = learned = True
    # of a repeat with nothing to do neither time nor log says anything of the next attempt
    worked = step.seconds if step.seconds == work_seconds(run, step) else None
    if event.log_bytes and step.state is StepState.SUCCEEDED and worked is not None:
        if step.key in run.logs or len(run.logs) < MAX_LOGS:
            curve = array("f", event.log_curve or ())
            run.logs[step.key] = LogShape(
                step.seconds or 0.0, event.log_bytes, event.log_tasks or 0, curve, step.version
            )
            learned = True
        else:
            run.ignored["too_many_logs"] += 1
    if not learned:
        run.ignored["step_progress"] += 1
        return
    run.reports += 1
    run.changed[step.key] = step


def _shorten(run: Run, step: Step, seconds: float | None) -> bool:
    """Take how long a step took at most, where the clock that wrote its end was ahead."""
    if seconds is None or step.start is None or step.seconds is None or seconds > step.seconds:
        return False
    step.seconds, step.end = seconds, step.start + seconds
    recount(run)
    return True


def _explain_failure(run: Run, step: Step, event: e.StepProgress) -> bool:
    """Take words and class of a step that has failed without any."""
    if step.state is not StepState.FAILED:
        return False
    learned = step.message is None and event.message is not None
    if learned and event.message is not None:
        step.message = event.message[:MAX_TEXT_LENGTH]
    kind = failure_class(event.error_class)
    if kind in (FailureClass.OTHER, step.error_class):
        return learned
    if step.error_class != FailureClass.OTHER and event.message is not None:
        # who reads the log knows better than who wrote the end, as a rule of the user's own
        step.message = event.message[:MAX_TEXT_LENGTH]
    if step.key in run.unclassed and event.time <= run.unclassed[step.key] + CLASS_SECONDS:
        del run.unclassed[step.key]
        run.failures[step.phase, kind] += 1
    step.error_class = kind
    return True


def _count_failure(run: Run, step: Step) -> None:
    """Count the end of a step that has failed; one of class `other` not before its log could be read."""
    _count_unclassed(run, step)
    if step.error_class == FailureClass.OTHER and step.end is not None:
        run.unclassed[step.key] = step.end
    elif step.error_class is not None:
        run.failures[step.phase, step.error_class] += 1


def _count_unclassed(run: Run, step: Step) -> None:
    """Count a failure whose class has not become known as `other`: the step is tried again, or ends again."""
    if run.unclassed and run.unclassed.pop(step.key, None) is not None:
        run.failures[step.phase, FailureClass.OTHER.value] += 1


def _step_finished(run: Run, event: e.StepFinished) -> None:
    step = _step(run, event)
    state = _FINISHED[event.status]
    corrects = step.state is StepState.INTERRUPTED and state is not StepState.INTERRUPTED
    # clocks are coarse: better news of the newest end may bear the very time of it
    is_known = event.time in step.ends and not (corrects and event.time == step.end)
    if is_known or (step.state is state and not corrects):
        run.ignored["step_finished"] += 1
        return
    # a step that was done and has failed after all takes from what is shown
    raise_floors(run, event.time, (run.phases[step.phase],) if step.state.is_done else ())
    if step.state is not StepState.RUNNING and not corrects:
        # a skipped step was never tried
        if state is not StepState.SKIPPED:
            step.attempts += 1
            step.warnings = None
            if run.warning_flags:
                count_flags(run, step.key, {})
        step.start = None
    if run.start is None:
        run.start = event.time
    end_attempt(step, event)
    step.error_class = failure_class(event.error_class) if state is StepState.FAILED else None
    run.finished[event.status] += 1
    _count_failure(run, step)
    move(run, step, state)
    check_milestones(run, event.time, step.step)


def _tests_reported(run: Run, event: e.TestsReported) -> None:
    step = _step(run, event)
    kept = {name: report for name, report in step.tests.items() if name != event.replaces or name == event.suite}
    if event.suite in kept or len(kept) < MAX_SUITES:
        kept[event.suite] = event
    else:
        run.ignored["too_many_suites"] += 1
    step.tests = kept
    run.reports += 1
    run.changed[step.key] = step


def _build_finished(run: Run, event: e.BuildFinished) -> None:
    if event.time in run.ends:
        run.ignored["build_finished"] += 1
        return
    _remember(run.ends, event.time)
    raise_floors(run, event.time)
    _interrupt_running(run, event.time)
    if run.status != event.status:
        # the same end from two writers counts once
        run.results[event.status] += 1
    run.status = BuildState(event.status)
    run.end = event.time
    if run.start is None:
        run.start = event.time
    check_milestones(run, event.time)


def _interrupt_running(run: Run, time: float) -> None:
    if not run.running:
        return
    raise_floors(run, time)
    for step in list(run.running.values()):
        step.end = time
        step.seconds = max(0.0, time - step.start) if step.start is not None else None
        run.finished["interrupted"] += 1
        move(run, step, StepState.INTERRUPTED)


def _step(run: Run, event: e.StepStarted | e.StepFinished | e.TestsReported) -> Step:
    step = run.steps.get((event.phase, event.step))
    if step is None:
        # one more step than planned makes what is done a smaller share
        known = run.phases.get(event.phase)
        raise_floors(run, event.time, () if known is None else (known,))
        key = place(run, event.phase, event.step)
        if key in run.steps:
            return run.steps[key]
        step = Step(*key, len(run.steps))
        enter(run, step)
    return step


def _remember(times: list[float], time: float) -> None:
    times.append(time)
    del times[:-MAX_ATTEMPT_TIMES]


_Quick = Callable[[Run, Any, e.Event | None], e.Event | None]

_HANDLERS: Final[dict[type[e.Event], Handler]] = {
    e.Feedback: take_rating,
    e.BuildStarted: masking(_build_started),
    e.Plan: _plan,
    e.StepStarted: _step_started,
    e.StepProgress: _step_progress,
    e.StepFinished: _step_finished,
    e.TestsReported: masking(_tests_reported),
    e.MilestoneReached: masking(reach_milestone),
    e.BuildFinished: _build_finished,
    e.Toolchain: masking(take_toolchain),
    e.Note: take_note,
    e.EventsLost: take_loss,
    e.Alert: masking(take_alert),
    e.Acknowledged: masking(take_answer),
    e.Escalated: masking(take_answer),
    e.SourcesVerified: take_sources,
}

_IN_ORDER: Final[dict[type[e.Event], _Quick]] = {e.StepStarted: begin, e.StepFinished: finish}

_HANDLING: Final[dict[type[e.Event], tuple[Handler, _Quick | None, bool]]] = {
    kind: (handler, _IN_ORDER.get(kind), kind not in e.NOT_BUILD_ACTIVITY) for kind, handler in _HANDLERS.items()
}
"""How each event is applied, what is tried before where it is later than all before it, and whether the build did it.

What is tried takes the event that follows too.
"""
