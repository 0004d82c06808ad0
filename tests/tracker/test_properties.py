"""What holds for any build, however it went and in whatever order its lines were read."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from build_exporter.model import events as e
from build_exporter.model.states import StepState
from build_exporter.tracker import Run, Step, apply, apply_all, build_progress, phases_progress
from build_exporter.tracker.aggregates import enter
from build_exporter.tracker.step import COMPACT_FROM

STATUSES = ("succeeded", "failed", "skipped", "interrupted")


@st.composite
def steps_lives(draw: st.DrawFn) -> list[list[e.Event]]:
    """Lives of some steps: each a list of its own events in order, with times that no two events share."""
    count = draw(st.integers(1, 5))
    lives = []
    for number in range(count):
        time = 1000.0 + number / 16
        life: list[e.Event] = []
        name: dict[str, Any] = {"build": "b", "phase": f"phase-{number % 2}", "step": f"step-{number}"}
        for _ in range(draw(st.integers(1, 3))):
            time += draw(st.integers(1, 50))
            life.append(e.StepStarted(time=time, **name))
            for ratio in sorted(draw(st.lists(st.floats(0, 1), max_size=2))):
                time += draw(st.integers(1, 50))
                life.append(e.StepProgress(time=time, ratio=ratio, **name))
            time += draw(st.integers(1, 50))
            life.append(e.StepFinished(time=time, status=draw(st.sampled_from(STATUSES)), **name))
        lives.append(life)
    return lives


def _facts(run: Run) -> dict[str, Any]:
    """Return what must be the same however the events came."""
    return {
        "steps": {
            key: (step.state, step.attempts, step.start, step.end, step.seconds, step.error_class)
            for key, step in run.steps.items()
        },
        "phases": {name: tuple(phase.states) for name, phase in run.phases.items()},
        "finished": dict(run.finished),
        "failures": dict(run.failures),
        "last": run.last_event,
        "running": set(run.running),
        "failed": set(run.failed),
        "state": run.state,
    }


def _merged(lives: list[list[e.Event]], choose: random.Random) -> list[e.Event]:
    left = [list(life) for life in lives]
    merged = []
    while any(left):
        life = choose.choice([life for life in left if life])
        merged.append(life.pop(0))
    return merged


def _fold(events: list[e.Event]) -> Run:
    run = Run("b", "20260101T000000Z")
    apply_all(run, events)
    return run


@given(steps_lives(), st.randoms(use_true_random=False))
def test_the_order_of_independent_steps_does_not_matter(lives: list[list[e.Event]], choose: random.Random) -> None:
    """Lines of parallel steps may be read in any interleaving and give the same state."""
    by_time = sorted((event for life in lives for event in life), key=lambda event: event.time)
    assert _facts(_fold(_merged(lives, choose))) == _facts(_fold(by_time))


@given(steps_lives(), st.randoms(use_true_random=False))
def test_duplicates_do_no_harm(lives: list[list[e.Event]], choose: random.Random) -> None:
    """Any event may be reported again at any later time, as a writer that retries does, without being counted twice."""
    events = _merged(lives, choose)
    repeated: list[e.Event] = []
    for place, event in enumerate(events):
        repeated.append(event)
        if choose.random() < 0.5:
            repeated.append(choose.choice(events[: place + 1]))
    # progress of a running step is a ratio that only rises, so that telling it again changes nothing either
    assert _facts(_fold(repeated)) == _facts(_fold(events))


BASE: dict[str, Any] = {"time": st.just(0.0), "build": st.just("b")}
STEP: dict[str, Any] = {**BASE, "phase": st.sampled_from("xy"), "step": st.sampled_from("abcde")}
amounts = st.none() | st.floats(0, 1e6)
planned_steps = st.builds(
    e.PlannedStep, phase=STEP["phase"], step=STEP["step"], sbu=st.none() | st.floats(0, 100), expected_seconds=amounts
)
any_event = st.one_of(
    st.builds(e.BuildStarted, **BASE),
    st.builds(e.Plan, **BASE, steps=st.lists(planned_steps, max_size=8)),
    st.builds(e.StepStarted, **STEP),
    st.builds(e.StepProgress, **STEP, ratio=st.none() | st.floats(0, 1), done=amounts, total=amounts),
    st.builds(e.StepFinished, **STEP, status=st.sampled_from(STATUSES), seconds=amounts),
    st.builds(e.BuildFinished, **BASE, status=st.sampled_from(("failed", "interrupted"))),
)


@given(st.lists(st.tuples(any_event, st.floats(0, 1000)), max_size=40))
def test_progress_never_goes_back_and_is_never_one_before_the_end(reported: list[tuple[e.Event, float]]) -> None:
    """Whatever happens in a run that has not succeeded, its bar never goes back and is not full."""
    run = Run("b", "20260101T000000Z")
    time = 1000.0
    shown: float = 0.0
    for event, passed in reported:
        time += passed
        event.time = time
        before = build_progress(run, time)
        if before is not None:
            shown = max(shown, before)
        apply_all(run, [event])
        after = build_progress(run, time)
        if after is not None:
            assert shown - 1e-9 <= after < 1
        for phase, ratio in phases_progress(run, time):
            if phase.states[StepState.RUNNING] and not isinstance(event, e.Plan):
                assert ratio >= phase.floor, phase.name


@given(st.lists(st.tuples(any_event, st.floats(-5000, 5000)), max_size=40))
def test_sums_agree_with_the_steps_whatever_is_reported(reported: list[tuple[e.Event, float]]) -> None:
    """Counts by state, by phase and the sets of running and failed steps always agree, even with a clock gone wild."""
    run = Run("b", "20260101T000000Z")
    time = 1e6
    for event, passed in reported:
        time += passed
        event.time = time
        apply_all(run, [event])
    for state in StepState:
        assert run.count(state) == sum(step.state is state for step in run.steps.values())
    assert set(run.running) == {k for k, s in run.steps.items() if s.state is StepState.RUNNING}
    assert set(run.failed) == {k for k, s in run.steps.items() if s.state is StepState.FAILED}
    for phase in run.phases.values():
        members = [step for step in run.steps.values() if step.phase == phase.name]
        assert abs(phase.weight - sum(s.weight for s in members)) < 1e-6 * max(1.0, phase.weight)
        assert abs(phase.done_weight - sum(s.weight for s in members if s.state.is_done)) < 1e-6 * max(
            1.0, phase.weight
        )


COUNTS = st.none() | st.integers(0, 10**18)
SECONDS = st.none() | st.floats(0, 1e18)
USED: dict[str, st.SearchStrategy[Any]] = {
    "exit_code": st.none() | st.integers(-(2**31), 2**32 - 1),
    "cpu_seconds": SECONDS,
    **dict.fromkeys(
        ("signal", "max_rss_bytes", "read_bytes", "written_bytes", "disk_bytes", "disk_before_bytes"), COUNTS
    ),
}


@given(
    st.fixed_dictionaries(USED), st.tuples(SECONDS, SECONDS, SECONDS), st.text(st.characters(codec="ascii"), min_size=1)
)
def test_what_a_step_used_is_kept_as_it_was_written(used: dict[str, Any], waits: tuple[Any, ...], log: str) -> None:
    """Every figure of an end, and the path of the log, come back the same, of steps kept compact too."""
    for place in (0, COMPACT_FROM):
        run = Run("b", "r")
        enter(run, Step("p", "gcc", place))
        _check_used(run, used, waits, log)


def _check_used(run: Run, used: dict[str, Any], waits: tuple[Any, ...], log: str) -> None:
    step: dict[str, Any] = {"build": "b", "phase": "p", "step": "gcc"}
    path = f"/{log.replace(chr(0), '')}gcc.log"
    apply(run, e.StepStarted(time=1.0, log=path, **step))
    names = ("cpu_wait_seconds", "memory_wait_seconds", "io_wait_seconds")
    apply(run, e.StepFinished(time=2.0, status="failed", **step, **used, **dict(zip(names, waits, strict=True))))
    found = run.steps["p", "gcc"]
    assert {name: getattr(found, name) for name in used} == used
    assert found.log == path
    assert found.waits == (None if waits == (None,) * 3 else tuple(each or 0.0 for each in waits))
    apply(run, e.StepStarted(time=3.0, **step))
    assert [getattr(found, name) for name in ("exit_code", "cpu_seconds", "waits", "log")] == [None] * 4
