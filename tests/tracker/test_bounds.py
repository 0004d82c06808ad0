"""Large plans, and writers gone mad: what is kept is bounded, and nothing takes time that grows with the square."""

from __future__ import annotations

import itertools
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from story import built, end, run_of, start

from build_exporter.journal.decode import Decoder
from build_exporter.model import events as e
from build_exporter.model.names import MAX_TEXT_LENGTH
from build_exporter.model.states import StepState
from build_exporter.tracker import Run, apply_all
from build_exporter.tracker.aggregates import MAX_PHASES
from build_exporter.tracker.fold import MAX_SUITES
from build_exporter.tracker.records import MAX_MILESTONES

BASE: dict[str, Any] = {"build": "b"}


@pytest.fixture
def run() -> Run:
    """A run of which nothing is known."""
    return Run("b", "20260101T000000Z")


def _facts(run: Run) -> dict[str, Any]:
    return {
        "steps": [(s.key, s.index, s.state, s.planned, s.weight, s.after) for s in run.steps.values()],
        "phases": {
            name: (phase.states, round(phase.weight, 6), round(phase.done_weight, 6))
            for name, phase in run.phases.items()
        },
        "milestones": run.milestones,
        "pace": (run.pace, run.unweighted_pace),
        "changed": set(run.changed),
    }


names = st.tuples(st.sampled_from(("p", "q", "r")), st.sampled_from("abcdefgh"))
planned_steps = st.builds(
    lambda name, sbu: e.PlannedStep(phase=name[0], step=name[1], sbu=sbu), names, st.none() | st.floats(0, 9)
)


@given(
    st.lists(st.tuples(names, st.sampled_from(("started", "succeeded", "failed", "tests"))), max_size=8),
    st.lists(planned_steps, max_size=10, unique_by=lambda s: (s.phase, s.step)),
    st.lists(planned_steps, max_size=14),
    st.lists(st.integers(0, 14), max_size=4),
)
def test_a_plan_in_many_lines_is_the_plan_in_one(
    before: list[tuple[tuple[str, str], Any]],
    earlier: list[e.PlannedStep],
    plan: list[e.PlannedStep],
    cuts: list[int],
) -> None:
    """However a plan is spread over lines, and whatever was planned and had happened before, the result is the same."""
    reported: list[e.Event] = [e.Plan(time=1.0, steps=earlier, **BASE)] if earlier else []
    for number, ((phase, step), what) in enumerate(before):
        at: dict[str, Any] = {"time": 2.0 + number, "phase": phase, "step": step, **BASE}
        if what == "started":
            reported.append(e.StepStarted(**at))
        elif what == "tests":
            reported.append(e.TestsReported(**at, suite="s", passed=1, failed=0))
        else:
            reported.append(e.StepFinished(**at, status=what))
    whole, parts = Run("b", "r"), Run("b", "r")
    milestones = [e.PlannedMilestone(name="m", step="a")]
    apply_all(whole, [*reported, e.Plan(time=50.0, steps=plan, milestones=milestones, **BASE)])
    edges = [0, *sorted(min(cut, len(plan)) for cut in cuts), len(plan)]
    lines = [
        e.Plan(
            time=50.0, steps=plan[begin:end], continues=number > 0, milestones=None if number else milestones, **BASE
        )
        for number, (begin, end) in enumerate(itertools.pairwise(edges))
    ]
    apply_all(parts, [*reported, *lines])
    facts, expected = _facts(parts), _facts(whole)
    # a step that was only heard of is dropped with the first line and so has no milestone
    dropped = facts.pop("changed"), expected.pop("changed")
    assert dropped[0] == dropped[1]
    assert facts == expected


def _build(count: int) -> tuple[Run, float]:
    """Return a run of a plan of many lines, a tenth of it built until one fails, and the CPU seconds that took."""
    run = Run("b", "20260101T000000Z")
    steps = [e.PlannedStep(phase=f"c-{n % 50}", step=f"{n}", sbu=1.0, after=[f"{n - 1}"]) for n in range(count)]
    milestones = [e.PlannedMilestone(name=f"m{n}", step=f"{n}") for n in range(0, count, count // 10)]
    reported: list[e.Event] = []
    for place in range(0, count, 700):
        first = {"milestones": milestones} if not place else {"continues": True}
        reported.append(e.Plan(time=1.0 + place, steps=steps[place : place + 700], **BASE, **first))
    for number, planned in enumerate(steps[: count // 10]):
        at: dict[str, Any] = {"phase": planned.phase, "step": planned.step, **BASE}
        status: Any = "failed" if number == count // 10 - 1 else "succeeded"
        clock = 2.0 * (count + number)
        reported += [e.StepStarted(time=clock, **at), e.StepFinished(time=clock + 1, status=status, **at)]
    began = time.process_time()
    apply_all(run, reported)
    assert len(run.blocked()) == count - count // 10
    return run, time.process_time() - began


def test_time_grows_with_the_steps_and_not_with_their_square() -> None:
    """Plan, milestones and needs of 40,000 steps take ten times what 4,000 take, not a hundred."""
    run, large = _build(40_000)
    assert len(run.steps) == 40_000
    assert run.milestones.keys() == {"m0"}
    small = min(_build(4_000)[1] for _ in range(3))
    assert large < 40 * small


def test_phases_are_bounded(run: Run) -> None:
    """A writer that makes up a phase for each step fills one phase without a name, not the metrics."""
    for number in range(2 * MAX_PHASES):
        at: dict[str, Any] = {"phase": f"phase-{number}", "step": f"s{number}", **BASE}
        apply_all(
            run, [e.StepStarted(time=1.0 + number, **at), e.StepFinished(time=1.5 + number, status="failed", **at)]
        )
    assert len(run.phases) == MAX_PHASES + 1
    assert run.phases[""].states[StepState.FAILED] == MAX_PHASES
    assert len(run.failure_counts()) == MAX_PHASES + 1
    assert run.failure_counts().total() == 2 * MAX_PHASES
    assert run.count(StepState.RUNNING) == 0


def test_planned_steps_are_bounded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that never ends stops at as many steps as are kept of any build."""
    monkeypatch.setattr("build_exporter.tracker.aggregates.MAX_STEPS", 100)
    for number in range(50):
        steps = [e.PlannedStep(phase="p", step=f"{number}-{each}") for each in range(10)]
        apply_all(run, [e.Plan(time=1.0 + number, steps=steps, continues=number > 0, **BASE)])
        assert len(run.steps) == min(10 * number + 10, 101)
    assert sum(phase.states[StepState.PENDING] for phase in run.phases.values()) == 101
    apply_all(run, [e.StepStarted(time=90.0 + number, phase="p", step=f"more {number}", **BASE) for number in range(9)])
    assert (len(run.steps), run.ignored["too_many_steps"]) == (101, 400 + 9)


def test_milestones_and_suites_are_bounded(run: Run) -> None:
    """Names made up without end for milestones and test suites are not kept; those known continue."""
    for number in range(MAX_MILESTONES + 50):
        apply_all(run, [e.MilestoneReached(time=1.0 + number, milestone=f"m{number}", **BASE)])
    assert len(run.milestones) == MAX_MILESTONES
    for number in range(MAX_SUITES + 50):
        at: dict[str, Any] = {"time": 1.0 + number, "phase": "p", "step": "s", **BASE}
        apply_all(run, [e.TestsReported(**at, suite=f"suite-{number}", passed=1, failed=0)])
    apply_all(run, [e.TestsReported(time=9.0, phase="p", step="s", suite="suite-0", passed=7, failed=0, **BASE)])
    tests = run.steps["p", "s"].tests
    assert len(tests) == MAX_SUITES
    assert tests["suite-0"].passed == 7


def test_a_milestone_planned_after_its_step_is_reached(run: Run) -> None:
    """A milestone reported only when its step is done has been reached, by the time it was reported."""
    apply_all(run, [e.StepFinished(time=1.0, phase="p", step="s", status="succeeded", **BASE)])
    milestones = [e.PlannedMilestone(name="done", step="s"), e.PlannedMilestone(name="not", step="t")]
    apply_all(run, [e.Plan(time=2.0, steps=[e.PlannedStep(phase="p", step="t")], milestones=milestones, **BASE)])
    assert run.milestones == {"done": 2.0}


def test_a_failure_with_a_book_for_a_message_is_still_a_failure(run: Run) -> None:
    """Words too many are cut; the step they came with is counted as failed and its state known."""
    apply_all(run, [e.StepStarted(time=1.0, **BASE, phase="p", step="s")])
    reported = e.StepFinished(time=2.0, **BASE, phase="p", step="s", status="failed", message="x" * 60_000)
    apply_all(run, Decoder().decode(e.encode_line(reported), "b"))
    step = run.failed["p", "s"]
    assert step.message == "x" * MAX_TEXT_LENGTH


def test_long_messages_are_kept_in_part_alone() -> None:
    """Of messages as long as a line no more is in memory than is shown, and the steps' figures stay."""
    tracemalloc.start()
    run = run_of(built(0))
    for number in range(200):
        text = f"{number} {'x' * 60_000}"
        apply_all(run, [start(10, f"s{number}"), end(20, f"s{number}", "failed", message=text, max_rss_bytes=7)])
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 200 * MAX_TEXT_LENGTH + 2e6
    assert {step.max_rss_bytes for step in run.steps.values()} == {7}
