"""A fast path of the fold for attempts that begin and succeed in order, as almost all do.

Events come here only if they are later than every one before, so that none is one of those read again.
"""

from __future__ import annotations

from build_exporter.model import events as e
from build_exporter.model.names import MAX_TEXT_LENGTH, is_path
from build_exporter.model.states import DONE, StepState
from build_exporter.tracker.aggregates import MAX_GAP_SECONDS, add_work_time, count_flags, name
from build_exporter.tracker.durations import keep_work, work_seconds
from build_exporter.tracker.plans import check_milestones
from build_exporter.tracker.progress import expected_seconds, raise_floors
from build_exporter.tracker.state import Run
from build_exporter.tracker.step import NO_PROCESS, NO_TESTS, Step, with_time

_StepFinished = e.StepFinished
_PENDING, _RUNNING, _SUCCEEDED = StepState.PENDING, StepState.RUNNING, StepState.SUCCEEDED


def is_plain(run: Run) -> bool:
    """Return whether a run goes on, with nothing that a step's start or end could change but its own figures."""
    return (
        run.status is None
        and run.start is not None
        and not run.unclassed
        and (run.earlier is None or (run.plans > 0 and not run.adopted))
    )


def begin(run: Run, event: e.StepStarted, following: e.Event | None) -> e.Event | None:
    """Begin an attempt at a step never tried, or take a whole attempt that succeeds with the following event.

    Returns:
        The last event that was applied, None where neither was.
    """
    phase_name, step_name = event.phase, event.step
    step = run.steps.get((phase_name, step_name))
    if step is None:
        return None
    state = step.state
    if (
        type(following) is _StepFinished
        and following.step == step_name
        and following.phase == phase_name
        and following.status == "succeeded"
        and following.time > event.time
        and not run.running
        and (state is _SUCCEEDED or state is _PENDING)
    ):
        _attempt(run, step, event, following)
        return following
    if state is not _PENDING:
        if state not in DONE:
            return None
        phase = run.phases[step.phase]
        keep_work(run, step)
        raise_floors(run, event.time, (phase,))
        phase.done_weight -= step.weight
        run.done_weight -= step.weight
        forget_attempt(step)
        if run.warning_flags:
            count_flags(run, step.key, {})
    start_attempt(run, step, event)
    return event


def _attempt(run: Run, step: Step, start: e.StepStarted, end: e.StepFinished) -> None:
    """Take an attempt that nothing ran beside: what its start adds to the sums and its end takes back is left out."""
    began, ended = start.time, end.time
    if step.state is _PENDING:
        phase = run.phases[step.phase]
        phase.done_weight += step.weight
        run.done_weight += step.weight
        phase.states[0] -= 1
        phase.states[2] += 1
        step.state = _SUCCEEDED
    else:
        keep_work(run, step)
        _forget_course(step)
        if run.warning_flags:
            count_flags(run, step.key, {})
    _describe_attempt(run, step, start)
    # nothing runs, and the start is the newest event
    if run.counted_until and began - run.counted_until <= MAX_GAP_SECONDS:
        run.gap_seconds += began - run.counted_until
    run.busy_seconds += ended - began
    run.work_seconds += ended - began
    run.last_event = run.counted_until = ended
    _succeed(run, step, end)


def start_attempt(run: Run, step: Step, event: e.StepStarted) -> None:
    """Put a step that neither runs nor has failed into its next attempt; of the one before nothing is left."""
    _describe_attempt(run, step, event)
    add_work_time(run)
    states, key = run.phases[step.phase].states, step.key
    states[step.state] -= 1
    states[1] += 1
    step.state = _RUNNING
    run.running[key] = run.changed[key] = step
    run.revision += 1


def _describe_attempt(run: Run, step: Step, event: e.StepStarted) -> None:
    time, reported, attempts = event.time, event.attempt, step.attempts + 1
    step.attempts = attempts if reported is None or reported <= attempts else reported
    step.began = with_time(step.began, time)
    step.start = time
    step.tests = NO_TESTS
    step.expected_at_start = expected_seconds(run, step) if step.has_figures else None
    describe(run, step, event)


def forget_attempt(step: Step) -> None:
    """Forget how a step's newest attempt went."""
    step.end = step.seconds = step.message = None
    step.used = None
    _forget_course(step)


def _forget_course(step: Step) -> None:
    """Forget of an attempt what the end of the next one does not always replace."""
    step.ratio = step.warnings = step.error_class = None
    step.reported_ratio = step.reported_warnings = step.log_read = False
    step.floor = 0.0


def describe(run: Run, step: Step, event: e.StepStarted) -> None:
    """Record the package, log and process that a start names."""
    log, pid = event.log, event.pid
    if event.package != step.package or event.version != step.version:
        name(step, event.package, event.version)
    namespace = event.pid_namespace
    step.process = (pid, run.pid_namespace if namespace is None and pid == run.pid else namespace)
    if log != step.log_form:
        step.log = log = log if log and is_path(log) else None
    if log:
        # steps with one log for all come one after the other: no more than the last needs to be known
        before = run.newest_log
        step.shares_log = before is not None and before[0] == log and before[1] != step.key
        if before is not None and step.shares_log and before[1] in run.steps:
            run.steps[before[1]].shares_log = True
        run.newest_log = (log, step.key)


def finish(run: Run, event: e.StepFinished, following: e.Event | None) -> e.Event | None:
    """End a running attempt that succeeded; return its event, or None, having done nothing, where it is another end."""
    running = run.running
    step = running.get((event.phase, event.step))
    if step is None or event.status != "succeeded" or step.start is None:
        return None
    if len(running) > 1:
        # the pace changes with it, and by a slower one the others have done less
        raise_floors(run, event.time)
    add_work_time(run)
    phase = run.phases[step.phase]
    phase.done_weight += step.weight
    run.done_weight += step.weight
    phase.states[1] -= 1
    phase.states[2] += 1
    step.state = _SUCCEEDED
    del running[step.key]
    _succeed(run, step, event)
    return event


def _succeed(run: Run, step: Step, event: e.StepFinished) -> None:
    """Take the figures of an attempt that succeeded, and add them to the sums."""
    end_attempt(step, event)
    time, seconds = event.time, (work_seconds(run, step) if run.worked else step.seconds) or 0.0
    pace = run.pace if step.has_figures else run.unweighted_pace
    pace.taken += seconds
    pace.planned += step.weight
    if step.sbu:
        run.sbu_seconds += seconds
        run.sbu_done += step.sbu
    beyond = time - (step.start or 0.0) - (step.seconds or 0.0)
    if 0.0 < beyond <= MAX_GAP_SECONDS:
        run.gap_seconds += beyond
    run.changed[step.key] = step
    run.finished["succeeded"] += 1
    run.revision += 1
    if run.planned_milestones:
        check_milestones(run, time, step.step)


def end_attempt(step: Step, event: e.StepFinished) -> None:
    """Take the figures of an attempt that ended."""
    time = event.time
    step.process = NO_PROCESS
    step.ended = with_time(step.ended, time)
    step.end = time
    seconds = event.seconds
    if seconds is None and step.start is not None:
        seconds = max(0.0, time - step.start)
    step.seconds = seconds
    step.use(event)
    if event.warnings is not None:
        step.warnings, step.reported_warnings = event.warnings, True
    # what it did last is no reason why it ended
    step.message = event.message and event.message[:MAX_TEXT_LENGTH]
