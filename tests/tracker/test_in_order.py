"""Starts and ends that come in their order are folded in a quicker way: it must come to what the other one does."""

from __future__ import annotations

import dataclasses
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build_exporter.model import events as e
from build_exporter.tracker import Run, apply_all, build_progress, fold, phases_progress, step_progress

B: dict[str, Any] = {"build": "b"}
KINDS = ("start", "start", "whole", "whole", "succeeded", "succeeded", "failed", "skipped", "interrupted", "at", "plan")
some = st.none() | st.integers(0, 50)
_Turn = tuple[str, tuple[str, str], int, int | None, int]
turns: st.SearchStrategy[_Turn] = st.tuples(
    st.sampled_from((*KINDS, "over")), st.tuples(st.sampled_from("pq"), st.sampled_from("abc")), st.integers(-3, 90),
    some, st.integers(0, 3),
)  # fmt: skip


def _events(lives: list[_Turn]) -> list[e.Event]:
    """Return a planned run in which starts, ends and all else come in any order, whole attempts among them."""
    time = 1000.0
    planned = [
        e.PlannedStep(phase=phase, step=step, expected_seconds=10.0, sbu=1.0 if step == "a" else None)
        for phase, step in (("p", "a"), ("p", "b"), ("q", "a"))
    ]
    found: list[e.Event] = [e.BuildStarted(time=time, **B, pid=7, pid_namespace="x/1")]
    found.append(e.Plan(time=time, **B, steps=planned, milestones=[e.PlannedMilestone(name="m", step="b")]))
    for kind, (phase, step), passed, some, choice in lives:
        time += passed
        which: dict[str, Any] = {**B, "phase": phase, "step": step}
        message = (None, "", "done", "x")[choice]
        begun: dict[str, Any] = {"attempt": some, "pid": some, "package": message or None}
        begun["log"] = (None, "/x", "/y", "\0")[choice]
        ended: dict[str, Any] = {
            "seconds": some,
            "io_wait_seconds": some,
            "warnings": choice or None,
            "message": message,
        }
        if kind in ("start", "whole"):
            found.append(e.StepStarted(time=time, **which, **begun))
        if kind == "whole":
            time += abs(passed) + choice
            found.append(e.StepFinished(time=time, **which, status="succeeded", **ended))
        elif kind == "at":
            found.append(e.StepProgress(time=time, **which, ratio=choice / 3))
        elif kind == "plan":
            more = e.PlannedStep(phase=phase, step=step + "2", expected_seconds=some)
            found.append(e.Plan(time=time, **B, steps=[*planned, more]))
        elif kind == "over":
            found.append(e.BuildFinished(time=time, **B, status="failed"))
        elif kind != "start":
            error = "compiler-error" if choice else None
            found.append(e.StepFinished(time=time, **which, status=kind, error_class=error, **ended))  # type: ignore[arg-type]
    return found


def _state(run: Run) -> dict[str, Any]:
    """Return all of a run's state but the floors: those of the quick way are raised later."""
    known = {field.name: getattr(run, field.name) for field in dataclasses.fields(run)}
    for name in ("floor", "alerts", "revision", "phases", "running", "failed", "changed"):
        known.pop(name)
    phases = {name: (each.steps, each.states, each.weight, each.done_weight) for name, each in run.phases.items()}
    steps = {key: [getattr(step, each.name) for each in dataclasses.fields(step)] for key, step in run.steps.items()}
    sets = [list(which) for which in (run.running, run.failed, run.changed)]
    return known | {"steps": steps, "phases": phases, "sets": sets}


def _shown(run: Run, now: float) -> list[float | None]:
    return [build_progress(run, now), *(ratio for _, ratio in phases_progress(run, now))]


@given(st.lists(turns, max_size=20), st.lists(st.integers(1, 9), min_size=42, max_size=42))
def test_the_quick_way_comes_to_the_same(lives: list[_Turn], sizes: list[int]) -> None:
    """Figures, sums and what is shown depend neither on the way events are folded nor on where a read ends."""
    quick, slow = Run("b", "20260101T000000Z"), Run("b", "20260101T000000Z")
    coming = _events(lives)
    for size in sizes:
        read, coming = coming[:size], coming[size:]
        if not read:
            break
        apply_all(quick, read)
        with mock.patch.object(fold, "is_plain", return_value=False):
            for event in read:
                apply_all(slow, [event])
        assert _state(quick) == _state(slow)
        for later in (0.0, 5.0, 1000.0):
            now = max(read[-1].time, quick.last_event or 0.0) + later
            assert _shown(quick, now) == pytest.approx(_shown(slow, now))


def _start(time: float, step: str, **fields: Any) -> e.Event:
    return e.StepStarted(time=time, **B, phase="p", step=step, **fields)


def _end(time: float, step: str, **fields: Any) -> e.Event:
    return e.StepFinished(time=time, **B, phase="p", step=step, status="succeeded", **fields)


def _plan(time: float, **seconds: float) -> e.Event:
    steps = [e.PlannedStep(phase="p", step=name, expected_seconds=each) for name, each in seconds.items()]
    return e.Plan(time=time, **B, steps=steps)


def test_figures_of_two_attempts_in_order() -> None:
    """Two attempts of 10 and 30 s with 5 s before each and 2 s after the first's own 8: the sums are those by hand."""
    run = Run("b", "20260101T000000Z")
    opening = [e.BuildStarted(time=100, **B), _plan(100, a=20, b=20)]
    apply_all(run, [*opening, _start(105, "a"), _end(115, "a", seconds=8, cpu_seconds=6, warnings=2)])
    step = run.steps["p", "a"]
    assert (step.seconds, step.cpu_seconds, step.warnings, run.pace.ratio) == (8, 6, 2, 8 / 20)
    apply_all(run, [_start(120, "a")])
    assert (step.attempts, step.end, step.seconds, step.cpu_seconds, step.warnings) == (2, None, None, None, None)
    assert (step.expected_at_start, run.done_weight, list(run.running)) == (8.0, 0.0, [("p", "a")])
    apply_all(run, [_end(150, "a")])
    assert (list(step.starts), list(step.ends), step.seconds) == ([105, 120], [115, 150], 30)
    # nothing ran before the first step, so that only the second pause counts
    assert (run.busy_seconds, run.work_seconds, run.gap_seconds) == (40, 40, 5 + 2)
    assert (run.pace.taken, run.pace.planned, run.done_weight, run.finished["succeeded"]) == (38, 40, 20, 2)
    assert run.phases["p"].states[:3] == [1, 0, 1]
    # a third attempt, its start and end read at once, keeps nothing of the second's and adds 10 s and a pause of 50 s
    apply_all(run, [_start(200, "a"), _end(210, "a")])
    assert (step.attempts, step.start, step.end, step.seconds, step.expected_at_start) == (3, 200, 210, 10, 19.0)
    assert (run.busy_seconds, run.work_seconds, run.gap_seconds, run.last_event) == (50, 50, 5 + 2 + 50, 210)
    assert (run.pace.taken, run.pace.planned, run.done_weight, run.finished["succeeded"]) == (48, 60, 20, 3)
    assert (run.phases["p"].states[:3], run.phases["p"].done_weight, dict(run.running)) == ([1, 0, 1], 20, {})


def test_what_runs_beside_an_attempt_counts_too() -> None:
    """A step of 10 s read at once beside one of 30 s: 30 s in which any ran, 40 s of work."""
    run = Run("b", "20260101T000000Z")
    opening = [e.BuildStarted(time=100, **B), _plan(100, a=30, b=10), _start(100, "a")]
    apply_all(run, [*opening, _start(110, "b"), _end(120, "b"), _end(130, "a")])
    assert (run.busy_seconds, run.work_seconds) == (30, 40)


def test_a_phase_keeps_its_progress_when_there_is_more_of_it_to_do() -> None:
    """Half a phase is done: it stays so when the step is done again, a plan adds some, or an unknown one begins."""
    opening = [e.BuildStarted(time=100, **B), _plan(100, a=10, b=10), _start(101, "a"), _end(111, "a")]
    for more in (_start(112, "a"), _plan(112, a=10, b=10, c=80), _start(112, "z")):
        run = Run("b", "20260101T000000Z")
        apply_all(run, opening)
        assert (phases_progress(run, 111)[0][1], build_progress(run, 111)) == (0.5, 0.5)
        apply_all(run, [more])
        assert (phases_progress(run, 112)[0][1], build_progress(run, 112)) == (0.5, 0.5)


def test_an_event_is_known_again_though_the_last_time_was_set_back() -> None:
    """A start read twice stays one, also where the monitor has taken a later time for a wrong clock's."""
    run = Run("b", "20260101T000000Z")
    opening = [e.BuildStarted(time=100, **B), _plan(100, a=20), _start(5000, "a"), _end(5010, "a")]
    apply_all(run, opening)
    run.last_event = 200.0
    apply_all(run, opening[2:])
    assert (run.steps["p", "a"].attempts, run.ignored["step_started"], run.finished["succeeded"]) == (1, 1, 1)


def test_a_slow_step_takes_nothing_from_what_is_shown_of_those_beside_it() -> None:
    """Two steps of 10 s run for 90: after one ends, the other counts 0.95, and the build's progress stays."""
    run = Run("b", "20260101T000000Z")
    opening = [e.BuildStarted(time=100, **B), _plan(100, a=10, b=10), _start(101, "a"), _start(102, "b")]
    apply_all(run, [*opening, _end(192, "a", seconds=90)])
    whole = ((1 - 0.01 / (91 / 10 - 0.8)) + (1 - 0.01 / 8.2)) / 2
    assert step_progress(run, run.steps["p", "b"], 192) == pytest.approx(0.95)
    assert build_progress(run, 192) == pytest.approx(whole)
    assert phases_progress(run, 192)[0][1] == pytest.approx(whole)
