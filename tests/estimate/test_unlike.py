"""Runs unlike those before them, and steps that nothing is known of."""

from __future__ import annotations

import pytest
from story import built, plan, run_of, serial

from build_exporter.estimate import Estimator
from build_exporter.estimate.backtest import RecordedRun, Settings, backtest
from build_exporter.tracker import Tracker, apply_all


def recorded(day: int, seconds: float) -> RecordedRun:
    """Return a run of 24 steps that each took so long."""
    events = serial([(f"s{number}", seconds) for number in range(24)], 1_780_000_000.0 + 86_400.0 * day)
    return RecordedRun("b", f"2026010{day}T000000Z", events)


@pytest.mark.parametrize(("last", "words"), [(330.0, "5 % slower"), (270.0, "5 % faster")])
def test_a_run_unlike_the_others_is_outside_the_band_and_named(last: float, words: str) -> None:
    """Ten times as slow or fast as three equal runs is no case of the band; half of a tenth is believed by now."""
    runs = [recorded(day, 300.0) for day in (1, 2, 3)]
    for factor in (10.0, 0.1):
        *_, found = backtest([*runs, recorded(4, 300.0 * factor)], Settings((0.1,)))
        assert found.marks[0.1].inside_band is False
    tracker = Tracker()
    for each in runs:
        tracker.feed("b", each.run, each.events)
    tracker.feed("b", "20260104T000000Z", recorded(4, last).events[:42])
    run = tracker.builds["b"].current
    assert run is not None
    estimate = Estimator(tracker.builds)(run, recorded(4, last).events[41].time)
    assert estimate is not None
    assert f"(this one is {words})" in estimate.basis


def test_nothing_is_said_of_a_run_that_has_not_begun() -> None:
    """A plan alone is no run: no estimate before its start; a step that nothing is known of has no expected time."""
    run = run_of(plan({"a": 9.0, "b": None}))
    assert Estimator()(run, 1.0) is None
    apply_all(run, [built(1.0)])
    estimator = Estimator()
    assert estimator(run, 1.0) is not None
    assert estimator.expected_seconds(run, run.steps["p", "b"], 1.0) is None
    assert estimator.expected_seconds(run, run.steps["p", "a"], 1.0) == pytest.approx(9.0)
