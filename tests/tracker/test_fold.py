"""The fold of events into a run's state: what the events of a build amount to."""

from __future__ import annotations

from typing import Any

import pytest
from story import B, at, built, end, needs, over, plan, run_of, start, step_of

from build_exporter.model import events as e
from build_exporter.model.states import BuildState, StepState
from build_exporter.tracker import Run, apply_all, build_progress, phases_progress, step_progress

SECONDS: dict[str, float | None] = {"s": 100, "t": 300, "u": 1200}


def test_progress_is_weighted_by_planned_time() -> None:
    """A quarter of the planned time done is a quarter of progress; a running step counts by time, then by ratio."""
    run = run_of(start(0), end(100), start(100, "t"))
    assert build_progress(run, 100) is None, "of a build without a plan no share is made up"
    run = run_of(plan(SECONDS), start(0), end(100), start(100, "t"))
    assert [build_progress(run, now) for now in (100, 250)] == pytest.approx([100 / 1600, 250 / 1600])
    apply_all(run, [at(251, "t", done=75, total=100)])
    assert build_progress(run, 251) == pytest.approx(325 / 1600)


def test_progress_never_goes_back() -> None:
    """A first ratio below the time's share, a failure, a new attempt and a longer plan take nothing from the bar."""
    run = run_of(plan(SECONDS), start(0), end(100), start(100, "t"))
    shown = build_progress(run, 250)
    for event in (at(250, "t", ratio=0.01), end(250, "t", "failed"), start(250, "t"), plan({"v": 9e9}, 250)):
        apply_all(run, [event])
        assert build_progress(run, 250) == shown == pytest.approx(250 / 1600), event
    assert [name for _, name in run.steps] == ["v", "s", "t"], "what was built stays"


def test_a_phase_keeps_what_its_steps_had_shown() -> None:
    """A phase of a done step and one that fails half way stands at both, as does the one begun anew."""
    run = run_of(plan({"s": 100, "t": 100}), start(0), end(100), start(100, "t"), at(150, "t", ratio=0.5))
    apply_all(run, [end(151, "t", "failed"), start(152, "t")])
    assert phases_progress(run, 152)[0][1] == pytest.approx(0.75)
    apply_all(run, [plan({"s": 100, "t": 100, "u": 1000}, 153)])
    assert phases_progress(run, 153)[0][1] == pytest.approx(0.75), "nor does a longer plan take it back"


def test_a_failed_step_fails_the_build_until_it_is_tried_again() -> None:
    """A retry that works leaves no failed build behind, but the failure stays counted; classes are a closed set."""
    run = run_of(
        needs({"s": [], "t": ["s"], "u": ["p/t"]}), start(1), end(2, status="failed", error_class="killed", exit_code=2)
    )
    assert (run.state, [step.step for step in run.blocked()]) == (BuildState.FAILED, ["t", "u"])
    apply_all(run, [start(3)])
    assert not run.failed
    apply_all(run, [end(4)])
    step = run.steps["p", "s"]
    assert (run.state, step.state, step.attempts, step.exit_code) == (
        BuildState.RUNNING, StepState.SUCCEEDED, 2, None,
    )  # fmt: skip
    assert (run.failures, run.blocked()) == ({("p", "killed"): 1}, [])
    assert run_of(start(1), end(2, status="failed", error_class="gremlins")).failure_counts() == {("p", "other"): 1}


@pytest.mark.parametrize(("cut", "state"), [(built(9), BuildState.RUNNING), (over(9, "failed"), BuildState.FAILED)])
def test_what_still_ran_at_a_restart_or_an_end_was_interrupted(cut: e.Event, state: BuildState) -> None:
    """No step runs on for ever because its writer was killed; a late end puts its state right, as one attempt."""
    run = run_of(start(1), cut)
    step = run.steps["p", "s"]
    assert (step.state, step.seconds, run.state, run.running) == (StepState.INTERRUPTED, 8, state, {})
    assert run.finished == {"interrupted": 1}
    apply_all(run, [end(9)])
    assert (step.state, step.attempts) == (StepState.SUCCEEDED, 1), "of the very time: clocks are coarse"
    apply_all(run, [end(9, status="interrupted")])
    assert step.state is StepState.SUCCEEDED
    apply_all(run, [start(10), end(70)])
    assert (step.attempts, step.seconds, run.finished) == (2, 60, {"interrupted": 1, "succeeded": 2})


def test_a_writer_that_is_gone_is_back_with_a_new_start() -> None:
    """A run whose process was found dead is alive again once it is taken up."""
    run = run_of(built(1, pid=7))
    run.writer_is_gone = True
    apply_all(run, [built(2, pid=8)])
    assert (run.pid, run.writer_is_gone) == (8, False)


@pytest.mark.parametrize(
    ("fields", "space"),
    [
        ({"pid": 7}, "4"),
        ({"pid": 8}, None),
        ({"pid": 7, "pid_namespace": "5"}, "5"),
        ({"pid": 8, "pid_namespace": ""}, ""),
    ],
)
def test_a_steps_process_is_looked_for_where_it_is(fields: dict[str, Any], space: Any) -> None:
    """The builder's own process is in its own namespace; another is where the step says, or nowhere known."""
    assert step_of(built(1, pid=7, pid_namespace="4"), start(2, **fields)).pid_namespace == space


def test_an_end_read_before_its_start_is_one_attempt() -> None:
    """Two writers' lines may come in the wrong order: that is one attempt, with its start, log and duration."""
    run = run_of(end(60))
    run.changed.clear()
    apply_all(run, [start(20, log="/logs/s.log")])
    step = run.steps["p", "s"]
    assert (step.attempts, step.start, step.end, step.seconds, step.log, step.state) == (
        1, 20, 60, 40, "/logs/s.log", StepState.SUCCEEDED,
    )  # fmt: skip
    assert run.changed == run.steps


def test_needs_in_a_circle_end() -> None:
    """A plan whose steps need each other in a circle blocks them all and hangs nothing."""
    circle = needs({"a": ["c"], "b": ["a"], "c": ["b"], "free": []})
    assert [step.step for step in run_of(circle, start(1, "a"), end(2, "a", "failed")).blocked()] == ["b", "c"]


def test_parallel_steps_show_how_many_ran_at_once() -> None:
    """Two steps side by side for 60 of 100 seconds are a concurrency of 1.6."""
    run = run_of(start(1, "a"), start(1, "b"), end(61, "a"), end(101, "b"))
    assert run.concurrency == pytest.approx(1.6)


def test_the_reason_of_a_failure_is_not_what_was_done_last() -> None:
    """Words of progress do not stand as the reason; words that come after a failure without any do, once."""
    run = run_of(start(1), at(2, message="[12/40] a.c"), end(3, status="failed"))
    assert run.steps["p", "s"].message is None
    apply_all(run, [at(4, message="a.c:3: error: boom"), at(5, message="later words")])
    assert run.steps["p", "s"].message == "a.c:3: error: boom"


def test_what_a_log_shows_to_have_been_shorter_is_shorter() -> None:
    """Where the clock that wrote the end was ahead, duration, end and pace are the log's, never longer ones."""
    events = (plan({"s": 100}), start(0), end(400), at(401, seconds=200.0), at(402, seconds=300.0))
    for known, seconds in ((3, 400), (4, 200), (5, 200)):
        run = run_of(*events[:known])
        assert (run.steps["p", "s"].seconds, run.steps["p", "s"].end, run.pace.ratio) == (
            seconds, seconds, seconds / 100,
        )  # fmt: skip


def test_waits_are_known_or_not() -> None:
    """A kernel that measures no pressure leaves a step's waits unknown; one figure makes the others 0."""
    assert step_of(start(1), end(2)).waits is None
    waits = step_of(start(1), end(2, io_wait_seconds=3.0)).waits
    assert waits is not None
    assert (waits.cpu, waits.memory, waits.io) == (0.0, 0.0, 3.0)


def test_ratings_are_counted_by_their_number() -> None:
    """How people rated a run is shown by number, whoever rated it twice."""
    assert run_of(*(e.Feedback(time=n, **B, rating=r) for n, r in enumerate((5, 1, 5)))).ratings == {5: 2, 1: 1}


@pytest.mark.parametrize(("figures", "half"), [({"sbu": 2.0}, 200.0), ({}, 120.0)])
def test_the_bar_of_a_first_build_moves_before_a_step_ends(figures: dict[str, Any], half: float) -> None:
    """A step of which no time is known counts for half after 100 s an SBU, or two minutes; its ratio stays unknown."""
    run = Run("b", "20260101T000000Z")
    steps = [e.PlannedStep(phase="p", step=name, **figures) for name in "sxyz"]
    apply_all(run, [e.Plan(time=0.0, steps=steps, **B), e.StepStarted(time=10.0, phase="p", step="s", **B)])
    shown = [build_progress(run, 10.0 + passed) for passed in (-5.0, 0.0, half, 3 * half)]
    assert shown == [0.0, 0.0, 0.125, 0.1875]
    assert phases_progress(run, 10.0 + half) == [(run.phases["p"], 0.125)]
    assert step_progress(run, run.steps["p", "s"], 10.0 + half) is None
    apply_all(run, [e.StepStarted(time=10.0 + half, phase="p", step="x", **B)])
    assert run.floor == 0.0, "a first attempt takes nothing away"
    apply_all(run, [e.StepFinished(time=11.0 + half, phase="p", step="x", status="succeeded", **B)])
    assert (build_progress(run, 11.0 + half) or 0.0) > 0.375, "the end of another one takes nothing back"
