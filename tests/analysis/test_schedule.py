"""Whether a run is on schedule, early enough to act."""

from __future__ import annotations

import pytest
from tests.analysis.conftest import MakeRun

from build_exporter.analysis.schedule import deadline_of, late_probability, schedule


@pytest.mark.parametrize(
    ("available", "probability"), [(50.0, 0.9), (100.0, 0.5), (300.0, 0.1), (0.0, 1.0), (1e6, 0.0)]
)
def test_probability_follows_the_band(available: float, probability: float) -> None:
    """With a band of 50, 100 and 300 s, the percentiles themselves are the probabilities."""
    assert late_probability((50.0, 100.0, 300.0), available) == pytest.approx(probability, abs=0.001)


def test_an_estimate_without_width_is_certain() -> None:
    """A band of no width is late or not."""
    assert (late_probability((100.0,) * 3, 99.0), late_probability((100.0,) * 3, 101.0)) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("left", "state", "deviation"),
    [
        ((100.0, 200.0, 400.0), "on-schedule", -800.0),
        ((500.0, 900.0, 1200.0), "at-risk", -100.0),
        ((900.0, 1101.0, 1300.0), "late", 101.0),
    ],
)
def test_a_missed_deadline_is_seen_before_it_is_missed(
    make_run: MakeRun, left: tuple[float, float, float], state: str, deviation: float
) -> None:
    """A run of 2000 s planned, half of it gone, with 5 % tolerance is late once half its band lies beyond 1100 s."""
    run = make_run({}, over=False)
    found = schedule(run, 3000.0, 0.05, left, 2000.0)
    assert (found.state, found.tolerance_seconds) == (state, 100.0)
    assert found.deviation_seconds == pytest.approx(deviation)


@pytest.mark.parametrize(("deadline", "state"), [(1095.0, "missed"), (1100.0, "met"), (1099.0, "met")])
def test_a_run_that_ended(make_run: MakeRun, deadline: float, state: str) -> None:
    """A run that ended after 100 s met a deadline within its tolerance of 2 %, and missed another."""
    found = schedule(make_run({"p/a": 100.0}), deadline, 0.02, None, 5000.0)
    assert (found.state, found.deviation_seconds) == (state, 1100.0 - deadline)


def test_whose_deadline_counts(make_run: MakeRun) -> None:
    """The build's own deadline comes before the configured one, a duration counts from the run's start."""
    run = make_run({}, over=False)
    assert (deadline_of(run, None, None), deadline_of(run, None, 60.0), deadline_of(run, 9.0, None)) == (
        None, 1060.0, 9.0,
    )  # fmt: skip
    run.deadline = 7.0
    assert deadline_of(run, 9.0, None) == 7.0
