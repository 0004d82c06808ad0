"""What is kept of earlier runs: their suites, which the newest is measured by, their ends, and their order."""

from __future__ import annotations

from typing import Any

import pytest

from build_exporter.model import events as e
from build_exporter.tracker import PastStep, Run, Tracker, apply_all
from build_exporter.tracker.durations import past_steps
from build_exporter.tracker.earlier_runs import earlier_runs

STEP: dict[str, Any] = {"build": "lfs", "phase": "chapter-8", "step": "824-gcc"}
KEY = ("chapter-8", "824-gcc")


def run(run_name: str, status: str, **suites: int) -> tuple[str, str, list[e.Event]]:
    """Return a run of one step with so many passed tests of each suite."""
    return (
        "lfs",
        run_name,
        [
            e.StepStarted(time=1.0, **STEP),
            *(
                e.TestsReported(time=2.0, suite=suite, passed=count, failed=0, **STEP)
                for suite, count in suites.items()
            ),
            e.StepFinished(time=3.0, status=status, **STEP),  # type: ignore[arg-type] # one of the words
        ],
    )


def test_the_suites_of_the_last_good_run_are_known() -> None:
    """A step is measured by the suites it had results of when it succeeded last; those without any are none."""
    tracker = Tracker()
    tracker.feed(*run("20260101T000000Z", "succeeded", gcc=5, itm=0))
    build = tracker.builds["lfs"]
    assert build.earlier_suites(KEY) == frozenset(), "that is the newest run itself"
    tracker.feed(*run("20260102T000000Z", "failed"))
    assert build.earlier_suites(KEY) == {"gcc"}
    tracker.feed(*run("20260103T000000Z", "succeeded", gcc=5, libgomp=2))
    assert build.earlier_suites(KEY) == {"gcc"}, "a run in which the step failed says nothing of its suites"
    tracker.feed("lfs", "20260104T000000Z", [])
    assert build.earlier_suites(KEY) == {"gcc", "libgomp"}


def test_a_run_without_tests_ends_the_expectation() -> None:
    """Who switches tests off is reported so once at most, and not run after run."""
    tracker = Tracker()
    tracker.feed(*run("20260101T000000Z", "succeeded", gcc=5))
    tracker.feed(*run("20260102T000000Z", "succeeded", gcc=0))
    tracker.feed("lfs", "20260103T000000Z", [])
    assert tracker.builds["lfs"].earlier_suites(KEY) == frozenset()


@pytest.mark.parametrize(("now", "results"), [(700.0, {}), (700.1, {"interrupted": 1})])
def test_a_run_that_nobody_ended_is_interrupted_after_ten_silent_minutes(now: float, results: dict[str, int]) -> None:
    """From its last sign of life, at 100 s: its writer may still be at work when another run has begun."""
    tracker = Tracker()
    for seconds in (1.0, 100.0):
        tracker.feed("lfs", "20260101T000000Z", [e.StepStarted(time=seconds, **STEP)])
    tracker.feed("lfs", "20260102T000000Z", [])
    tracker.settle(now)
    tracker.settle(now)
    assert tracker.builds["lfs"].runs_by_result() == results


def test_counts_over_runs_follow_each_change_of_the_earlier_ones() -> None:
    """Asked between any two changes: a run that another follows, one without an end, one that is removed."""
    tracker = Tracker()

    def counted() -> tuple[dict[str, int], dict[tuple[str, str], int]]:
        return dict(tracker.builds["lfs"].runs_by_result()), dict(tracker.builds["lfs"].failures())

    failed = [
        e.StepFinished(time=1.0, status="failed", **STEP),
        e.BuildFinished(time=2.0, build="lfs", status="failed"),
    ]
    tracker.feed("lfs", "20260101T000000Z", failed)
    first = counted()
    assert (first[0], sum(first[1].values())) == ({"failed": 1}, 1)
    tracker.feed("lfs", "20260102T000000Z", [e.StepStarted(time=3.0, **STEP)])
    assert counted() == first
    tracker.feed("lfs", "20260103T000000Z", [])
    assert counted() == first
    tracker.settle(3000.0)
    assert counted() == (first[0] | {"interrupted": 1}, first[1])
    tracker.builds["lfs"].history.pop("20260101T000000Z")
    assert counted() == ({"interrupted": 1}, {})


@pytest.mark.parametrize(("start", "order"), [(1000.0, "abc"), (901.0, "bca"), (901.5, "abc")])
def test_steps_are_kept_in_the_order_in_which_they_began(start: float, order: str) -> None:
    """A clock that was set back to before the run's start leaves the journal's order; a second is no such thing."""
    run = Run("lfs", "20260101T000000Z")
    apply_all(run, [e.BuildStarted(time=start, build="lfs")])
    for name, begun in (("a", 1010.0), ("b", 900.0), ("c", 905.0)):
        step: dict[str, Any] = {"build": "lfs", "phase": "p", "step": name}
        apply_all(run, [e.StepStarted(time=begun, **step), e.StepFinished(time=begun + 2, status="succeeded", **step)])
    assert "".join(step.step for step in past_steps(run)) == order


def taken(names: str, seconds: float = 10.0) -> tuple[PastStep, ...]:
    """Return steps of a run, named by a letter each."""
    return tuple(PastStep("p", name, None, None, 0.0, seconds) for name in names)


@pytest.mark.parametrize(
    ("first", "second", "plan", "sequential"),
    [
        ("abcdefgh", "abcdefghij", "abcdefgh", True), ("abcdefghij", "abcdefgh", "abcdefghij", True),
        ("abcdefgh", "abcdefghijk", "", True), ("abcdefghijk", "abcdefgh", "", True),
        ("abcde", "abced", "abcde", False), ("abcde", "xabcde", "abcde", True),
    ],
)  # fmt: skip
def test_runs_of_the_same_steps_are_a_plan(first: str, second: str, plan: str, sequential: bool) -> None:
    """Four of five steps of both in common; in one order if they ran one after the other, and as in both."""
    found = earlier_runs([(taken(first), 1.14), (taken(second, 30.0), 9.0)])
    assert found is not None
    assert "".join(step.step for step in found.steps) == plan
    assert found.places == {("p", name): place for place, name in enumerate(plan)}
    assert found.sequential == sequential
    assert found.seconds["p", "a"] == 20.0
    of_four = earlier_runs([(taken("a", seconds), 1.15) for seconds in (1.0, 9.0, 4.0, 99.0)])
    assert of_four is not None
    assert (of_four.seconds["p", "a"], of_four.sequential) == (4.0, False), "the middle of three"


def test_history_may_be_read_in_any_order() -> None:
    """The newest of the earlier runs counts, whichever was read last."""
    tracker = Tracker()
    newest = tracker.feed("lfs", "20260109T000000Z", [])
    assert newest.run == "20260109T000000Z"
    for name, suites in (("20260102T000000Z", {"gcc": 5}), ("20260101T000000Z", {"old": 5})):
        older = Tracker().feed(*run(name, "succeeded", **suites))
        tracker.remember("lfs", older)
    assert tracker.builds["lfs"].earlier_suites(KEY) == {"gcc"}
