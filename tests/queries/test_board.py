"""The board of a build: figures worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from build_exporter.queries.build import board
from build_exporter.queries.builds import builds
from build_exporter.queries.context import NotFoundError
from build_exporter.queries.runs import runs
from build_exporter.queries.step import step
from build_exporter.web.page.figures import time_line

PLAN = [
    {"phase": "one", "step": "a", "expected_seconds": 100.0, "package": "pa", "version": "1"},
    {"phase": "one", "step": "b", "expected_seconds": 200.0},
    {"phase": "two", "step": "c", "expected_seconds": 500.0, "after": ["b"]},
    {"phase": "two", "step": "d", "expected_seconds": 200.0, "after": ["c"]},
]


def started(builder: Callable[..., Any]) -> Any:
    """Return a build whose first step took twice its time and whose second has run for 100 s."""
    build = builder()
    build.add("build_started", jobs=4, target="x86_64-lfs-linux-gnu", deadline=build.clock + 1000.0)
    build.add("plan", after=0.0, steps=PLAN, milestones=[{"name": "base", "phase": "one"}])
    build.step("one", "a", seconds=200.0, cpu_seconds=300.0, warnings=3)
    build.add("step_started", after=0.0, phase="one", step="b")
    return build


def test_a_running_build(builder: Callable[..., Any]) -> None:
    """Progress, phases with their share of the time, what runs, what comes and when it ends are in one answer."""
    build = started(builder)
    shown = board(build.context(after=100.0), "lfs")
    assert (shown.state, shown.end, shown.elapsed_seconds) == ("running", None, 300.0)
    assert [phase.weight_ratio for phase in shown.phases] == [0.3, 0.7]
    # steps take twice as long as planned: b has done 100 of 400 s, which is 50 of the plan's 200
    assert shown.progress_ratio == pytest.approx((100 + 50) / 1000)
    assert shown.phases[0].progress_ratio == pytest.approx(150 / 300)
    assert [phase.state for phase in shown.phases] == ["running", "pending"]
    (running,) = shown.running_steps
    assert (running.step, running.seconds, running.expected_seconds, running.overdue) == ("b", 100.0, 400.0, False)
    assert running.progress_ratio == 0.25
    assert [each.step for each in shown.upcoming] == ["c", "d"]
    assert [each.expected_seconds for each in shown.upcoming] == [1000.0, 400.0]
    assert [each.step for each in shown.recent] == ["a"]
    assert (shown.steps.total, shown.steps.succeeded, shown.steps.running, shown.steps.pending) == (4, 1, 1, 2)
    assert shown.estimate is not None
    # 850 s are left as planned, 1,700 at this run's pace so far; what one step shows of a pace counts in between
    assert 850 < shown.estimate.remaining_seconds.p50 < 1700
    assert shown.estimate.end.p50 == build.clock + 100.0 + shown.estimate.remaining_seconds.p50
    assert shown.estimate.basis == "the plan's figures, 1 finished step"
    assert (shown.sums.cpu_seconds, shown.sums.warnings, shown.sums.retried_steps) == (300.0, 3, 0)
    assert [(each.name, each.reached, each.phase) for each in shown.milestones] == [("base", None, "one")]
    assert shown.rates.steps_per_hour_since_start == pytest.approx(12.0)


def test_a_build_that_stands_still_expects_no_milestone(builder: Callable[..., Any]) -> None:
    """While it runs a milestone has the time it is expected at; once the build stopped nobody knows when."""
    build = started(builder)
    expected = time_line(board(build.context(after=100.0), "lfs"))
    assert expected is not None
    assert [mark.when is not None for mark in expected.marks] == [True]
    build.add("step_finished", phase="one", step="b", status="failed")
    stopped = time_line(board(build.context(after=100.0), "lfs"))
    assert stopped is not None
    assert [mark.when for mark in stopped.marks] == [None]


@pytest.mark.parametrize(("after", "overdue"), [(799.0, False), (800.0, True)])
def test_a_step_is_overdue_by_the_thresholds(builder: Callable[..., Any], after: float, overdue: bool) -> None:
    """A step of 400 s is overdue from twice its time on, which is more than the 300 s beyond that are asked for."""
    shown = board(started(builder).context(after=after), "lfs")
    assert shown.running_steps[0].overdue is overdue
    assert [each.kind for each in shown.attention if each.step == "b"] == (["overdue"] if overdue else [])


def test_what_needs_a_look_comes_first(builder: Callable[..., Any]) -> None:
    """A failure stands before the deadline that will be missed and the suite with failures, with what it blocks."""
    build = started(builder)
    build.add("tests_reported", phase="one", step="a", suite="check", passed=5, failed=1)
    build.add(
        "step_finished", phase="one", step="b", status="failed", error_class="compiler-error", message="x.c:1: no"
    )
    shown = board(build.context(), "lfs")
    assert [(each.kind, each.severity) for each in shown.attention] == [
        ("failed", "critical"),
        ("late", "warning"),
        ("tests", "info"),
    ]
    assert shown.attention[0].message == "x.c:1: no"
    assert shown.attention[2].message == "check: 1 of 6 tests failed"
    assert ([each.step for each in shown.blocked], shown.blocked_count) == (["c", "d"], 2)
    (card,) = shown.failures
    assert (card.class_, card.step, card.blocked_steps, card.since) == ("compiler-error", "b", 2, build.clock)
    assert msgspec.to_builtins(card)["class"] == "compiler-error"
    assert shown.bad_suites == shown.suites
    (in_list,) = builds(build.context()).builds
    assert [each.kind for each in in_list.attention] == ["failed", "late", "tests"]
    assert (in_list.attention_count, in_list.runs) == (3, 1)
    assert (shown.end, shown.elapsed_seconds) == (build.clock, 202.0), "it stands still since then"
    build.step("one", "z", status="failed")
    (in_list,) = builds(build.context(900.0)).builds
    assert ([each.step for each in in_list.attention], in_list.attention_count) == (["z", "b", None], 4)
    assert in_list.start is not None
    assert (in_list.end, in_list.elapsed_seconds) == (build.clock, build.clock - in_list.start)
    assert board(build.context(7200.0), "lfs").rates.steps_per_hour_lately == 0.0


def test_a_finished_build(builder: Callable[..., Any]) -> None:
    """After its end a build is at 1, nothing runs or comes, and the time it took no longer grows."""
    build = started(builder)
    build.add("step_finished", after=400.0, phase="one", step="b", status="succeeded")
    build.step("two", "c", seconds=1000.0)
    build.step("two", "d", seconds=400.0, status="failed")
    build.step("two", "d again", seconds=0.0)
    build.add("build_finished", after=0.0, status="succeeded")
    shown = board(build.context(after=5000.0), "lfs")
    assert {(each.state, each.progress_ratio) for each in shown.phases} == {("succeeded", 1.0)}
    assert (shown.state, shown.progress_ratio, shown.estimate) == ("succeeded", 1.0, None)
    assert (shown.elapsed_seconds, shown.end) == (2000.0, build.clock)
    assert (shown.running_steps, shown.upcoming, [each.severity for each in shown.attention]) == ([], [], ["info"])
    assert [each.step for each in shown.recent] == ["d again", "d", "c", "b", "a"]
    assert [(each.name, each.reached is not None) for each in shown.milestones] == [("base", True)]


def test_recent_steps_are_those_that_ended_last(builder: Callable[..., Any]) -> None:
    """Of two that run side by side the one that ends last is first, though it began first."""
    build = builder()
    for event, name in (("started", "a"), ("started", "b"), ("finished", "b"), ("finished", "a")):
        more = {"status": "succeeded"} if event == "finished" else {}
        build.add(f"step_{event}", phase="p", step=name, **more)
    assert [each.step for each in board(build.context(), "lfs").recent] == ["a", "b"]


def test_a_phase_is_as_its_steps_are(builder: Callable[..., Any]) -> None:
    """Left out where all were, done with the last one; milestones stand in the order in which they were reached."""
    build = builder()
    build.add("plan", steps=[{"phase": where[0], "step": where[1]} for where in ("pa", "pb", "qa", "qb", "ra", "sa")],
              milestones=[{"name": name} for name in "xyz"])  # fmt: skip
    for where, status in (("pa", "skipped"), ("pb", "skipped"), ("qa", "skipped"), ("ra", "failed")):
        build.add("step_finished", phase=where[0], step=where[1], status=status)
    for name, after in (("w", 1.0), ("z", -3.0)):
        build.add("milestone_reached", after=after, milestone=name)
    shown = board(build.context(), "lfs")
    assert [phase.state for phase in shown.phases] == ["skipped", "running", "failed", "pending"]
    assert [(each.name, each.reached and each.reached - build.clock) for each in shown.milestones] == [
        ("z", 0), ("w", 3), ("x", None), ("y", None),
    ]  # fmt: skip
    build.step("q", "b")
    assert board(build.context(), "lfs").phases[1].state == "succeeded"
    later = builder("other")
    later.tracker, later.clock = build.tracker, build.clock - 5
    later.add("build_started")
    assert [row.build for row in builds(build.context()).builds] == ["lfs", "other"]
    later.add("note", after=9.0, message="no sign of life")
    later.add("step_started", phase="p", step="a")
    assert [row.build for row in builds(build.context()).builds] == ["other", "lfs"], "the last sign of life counts"


def test_a_step_knows_its_earlier_runs(builder: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """One step's answer has its needs, its suites and what it took in earlier runs, the newest first."""
    build = started(builder)
    for day, seconds in ((3, 20.0), (4, 30.0)):
        build.add("build_finished", status="interrupted")
        build.run = f"202601{day:02}T000000Z"
        build.step("one", "a", seconds=seconds)
    found = step(build.context(), "lfs", "one", "a")
    assert [(each.run, each.seconds) for each in found.earlier] == [
        ("20260103T000000Z", 20.0),
        ("20260102T030405Z", 200.0),
    ]
    assert (found.seconds, builds(build.context()).builds[0].runs) == (30.0, 3)
    assert [(each.run[6:8], each.seconds, each.step_seconds) for each in runs(build.context(), "lfs").runs] == [
        ("04", 30.0, 30.0), ("03", 21.0, 20.0), ("02", 201.0, 200.0)
    ]  # fmt: skip
    monkeypatch.setattr("build_exporter.queries.step.MAX_EARLIER", 1)
    assert [each.run for each in step(build.context(), "lfs", "one", "a").earlier] == ["20260103T000000Z"]
    with pytest.raises(NotFoundError, match="no step one/z in lfs"):
        step(build.context(), "lfs", "one", "z")
    with pytest.raises(NotFoundError, match="no build nix"):
        step(build.context(), "nix", "one", "a")


def test_hostile_names_are_plain_and_still_found(builder: Callable[..., Any]) -> None:
    """Escapes and control characters of a step's name are in no answer, and the name as shown finds the step."""
    build = builder()
    build.step("p\x1b[31m", "s\x00\u202eevil", status="failed", message="\x1b]0;title\x07why password=hunter2")
    text = msgspec.json.encode(board(build.context(), "lfs")).decode()
    assert not any(bad in text for bad in ("\\u001b", "\\u0000", "\u202e", "hunter2", "title"))
    found = step(build.context(), "lfs", "p", "sevil")
    assert (found.phase, found.step) == ("p", "sevil")
    assert found.failure is not None
