"""History that can't be right: clocks that jump, machines that sleep, steps without a time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from build_exporter.estimate import Estimate, Estimator
from build_exporter.model import events as e
from build_exporter.tracker import Tracker

WEEK = 7 * 86_400.0
TIMES = dict(zip("abcdefghij", (60.0, 600.0, 45.0, 300.0, 20.0, 90.0, 240.0, 30.0, 150.0, 400.0), strict=True))
NEVER = st.sampled_from([0.0, 0.001, WEEK, 30 * WEEK, 1e9])
STEPS = st.sampled_from(sorted(TIMES))
JUMPS = st.dictionaries(STEPS, st.sampled_from([-WEEK, -3600.0, 3600.0, WEEK, 1e8]), max_size=2)


def lines(day: int, wrong: dict[str, float], jumps: dict[str, float], steps: str = "abcdefghij") -> list[e.Event]:
    """Return a run's events; `wrong` has what was recorded of steps, `jumps` how far the clock was set before one."""
    now = 1_700_000_000.0 + 86_400.0 * day
    found: list[e.Event] = [e.BuildStarted(time=now, build="b", jobs=4)]
    for name in steps:
        step: dict[str, Any] = {"build": "b", "phase": "p", "step": name}
        now += jumps.get(name, 0.0)
        found.append(e.StepStarted(time=now, **step))
        now += TIMES[name]
        found.append(e.StepFinished(time=now, status="succeeded", seconds=wrong.get(name, TIMES[name]), **step))
    if len(steps) == len(TIMES):
        found.append(e.BuildFinished(time=now, build="b", status="succeeded"))
    return found


def estimate(broken: int, wrong: dict[str, float], jumps: dict[str, float], done: int) -> Estimate:
    """Return the estimate with three good earlier runs and a broken one among them, when so many steps are done."""
    tracker = Tracker()
    for day in range(4):
        here = (wrong, jumps) if day == broken else ({}, {})
        tracker.feed("b", f"2026010{day + 1}T000000Z", lines(day, *here))
    begun = lines(9, wrong if broken == 9 else {}, jumps if broken == 9 else {}, "abcdefghij"[:done])
    run = tracker.feed("b", "20260201T000000Z", begun)
    found = Estimator(tracker.builds)(run, begun[-1].time)
    assert found is not None
    return found


@settings(max_examples=30)
@given(st.integers(0, 3), st.dictionaries(STEPS, NEVER), JUMPS, st.integers(1, 9))
@example(3, dict.fromkeys(TIMES, 0.0), {}, 1)
@example(3, dict.fromkeys(TIMES, WEEK), {}, 5)
@example(3, {}, {"c": 1e8}, 2)
@example(3, {}, {"c": -WEEK}, 9)
@example(3, {}, {"b": -WEEK}, 1)
@example(3, {}, {"a": 3600.0, "b": -3600.0}, 1)
@example(1, {"g": WEEK} | dict.fromkeys("abcdef", 0.001), {}, 7)
def test_no_absurd_time_of_an_earlier_run_moves_an_estimate(
    broken: int, wrong: dict[str, float], jumps: dict[str, float], done: int
) -> None:
    """Steps of 0 s or of a week, and a clock set while one of four runs went on, leave it within 4 %."""
    usual = sum(list(TIMES.values())[done:])
    assert estimate(broken, {}, {}, done).middle == pytest.approx(usual, rel=0.01)
    assert estimate(broken, wrong, jumps, done).middle == pytest.approx(usual, rel=0.04)


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from("abcdef"), NEVER, min_size=1, max_size=1), JUMPS)
def test_no_absurd_time_of_this_run_moves_its_estimate(wrong: dict[str, float], jumps: dict[str, float]) -> None:
    """One step of six done that took 0 s or a week, and a clock set meanwhile, leave what is to come within 5 %."""
    usual = sum(list(TIMES.values())[6:])
    assert estimate(9, wrong, jumps, 6).middle == pytest.approx(usual, rel=0.05)
