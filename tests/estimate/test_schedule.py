"""List scheduling of steps that run side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import story
from story import built, end, over, plan, run_of

from build_exporter.estimate import Estimator
from build_exporter.estimate.schedule import release_needs, schedule
from build_exporter.model import events as e
from build_exporter.tracker import Tracker


@pytest.mark.parametrize(
    ("left", "needs", "running", "slots", "seconds", "critical"),
    [
        ([10.0] * 4, [[]] * 4, [], 2, 20.0, None),
        ([10.0, 20.0, 30.0, 1.0], [[], [0], [1], []], [], 8, 60.0, (0, 1, 2)),
        # on one free slot the step that most hangs on goes before a longer one that nothing needs
        ([5.0, 50.0, 20.0], [[], [0], []], [], 2, 55.0, (0, 1)),
        ([1.0, 50.0, 5.0, 30.0], [[], [0], [0], []], [], 1, 86.0, None),
        ([1.0, 50.0, 5.0, 30.0], [[], [0], [0], []], [], 2, 51.0, (0, 1)),
        ([5.0, 50.0, 20.0, 20.0], [[], [0], [], []], [], 2, 55.0, (0, 1)),
        ([7.0, 10.0], [[], []], [0], 1, 17.0, (0, 1)),
        ([1.0, 2.0], [[1], [0]], [], 2, 3.0, None),
        ([10.0, 20.0], [[], []], [], 0, 30.0, None),
        ([], [], [], 1, 0.0, ()),
    ],
)
def test_steps_begin_as_slots_and_needs_allow(
    left: list[float], needs: list[list[int]], running: list[int], slots: int, seconds: float, critical: Any
) -> None:
    """Side by side, in chains, after what runs, in circles that wait for nothing; the longest chain is critical."""
    found = schedule(left, needs, running, slots)
    assert found.seconds == seconds
    assert critical in (None, found.critical)


def test_an_earlier_run_shows_what_waits_for_what() -> None:
    """A step that began as another ended seems to have waited for it."""
    found = release_needs([0, 1, 2], {0: 0.0, 1: 0.0, 2: 10.0}, {0: 10.0, 1: 30.0, 2: 15.0})
    assert found == {0: [], 1: [], 2: [0]}
    for begun, waited in ((9.5, [0]), (9.4, [])):
        assert release_needs([0, 1], {0: 0.0, 1: begun}, {0: 10.0, 1: 30.0})[1] == waited, "half a second is no time"


def parallel(start: float, until: float | None = None) -> list[e.Event]:
    """Return a run on two slots: a (100 s) beside b (200 s), c (300 s) after a; up to a time."""
    spans = {"a": (0.0, 100.0), "b": (0.0, 200.0), "c": (100.0, 400.0)}
    found = [built(start), over(start + 400.0)]
    for name, (begin, finish) in spans.items():
        found += [story.start(start + begin, name), end(start + finish, name)]
    found.sort(key=lambda event: event.time)
    return [event for event in found if until is None or event.time <= start + until]


def test_a_parallel_build_ends_when_its_longest_chain_does() -> None:
    """After 50 s, 350 s are left of a build that took 400 s twice, though its steps have 550 s of work left."""
    tracker = Tracker()
    for day in (1, 2):
        tracker.feed("b", f"2026010{day}T000000Z", parallel(1000.0))
    run = tracker.feed("b", "20260103T000000Z", parallel(9000.0, until=50.0))
    estimate = Estimator(tracker.builds)(run, 9050.0)
    assert estimate is not None
    assert estimate.middle == pytest.approx(350.0, rel=0.03)


def test_needs_of_the_plan_are_kept() -> None:
    """Without history the plan's needs make the schedule."""
    steps = [
        e.PlannedStep(phase="p", step=name, expected_seconds=100.0, after=after)
        for name, after in (("a", []), ("b", []), ("c", ["a"]), ("d", ["p/c"]))
    ]
    run = run_of(built(0), e.Plan(time=0.0, build="b", steps=steps), story.start(0, "a"), story.start(0, "b"))
    estimator = Estimator()
    estimate, outlook = estimator(run, 0.0), estimator.outlook(run, 0.0)
    assert estimate is not None
    assert outlook is not None
    assert outlook.parallel is not None
    assert estimate.middle == pytest.approx(300.0, rel=0.01)
    assert outlook.parallel.critical == {("p", "a"), ("p", "c"), ("p", "d")}


def merges(start: float, seconds: Mapping[str, tuple[float, float]]) -> list[e.Event]:
    """Return the events of merges by their begin and length, as Portage does them side by side."""
    timed: list[e.Event] = []
    for name, (begin, length) in seconds.items():
        timed += [story.start(start + begin, name, "merge"), end(start + begin + length, name, phase="merge")]
    timed.sort(key=lambda event: event.time)
    return [built(start), plan(dict.fromkeys(seconds), start, "merge"), *timed, over(timed[-1].time)]


def test_the_run_of_the_same_packages_gives_the_order() -> None:
    """Six packages side by side took 620 s; single merges of others came after them: 620 s are expected, not 1,490."""
    world = {
        "a": (0.0, 20.0), "b": (20.0, 300.0), "c": (20.0, 290.0), "d": (20.0, 310.0), "e": (330.0, 290.0),
        "f": (330.0, 280.0),
    }  # fmt: skip
    tracker = Tracker()
    tracker.feed("b", "20260101T000000Z", merges(1e9, world))
    for day, name in enumerate("wxyz", 2):
        tracker.feed("b", f"2026010{day}T000000Z", merges(1e9 + 86_400 * day, {name: (0.0, 60.0)}))
    run = tracker.feed("b", "20260109T000000Z", merges(2e9, world)[:2])
    found = Estimator(tracker.builds)(run, 2e9)
    assert found is not None
    assert found.middle == pytest.approx(620.0, rel=0.1)
