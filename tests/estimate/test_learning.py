"""What an estimate learns of a machine and of packages, and how wide its band is."""

from __future__ import annotations

from math import log
from typing import Any

import pytest
from bench.step_table import FIRST, GLIBC, Recorded, table, with_abis

from build_exporter.estimate import Estimator, Outlook
from build_exporter.estimate.history import History
from build_exporter.estimate.sources import usual_pace_spread
from build_exporter.estimate.table import VARIANTS, typical_package
from build_exporter.estimate.tuning import DEFAULT
from build_exporter.model import events as e
from build_exporter.tracker import Run, Tracker, apply_all

DAY = 86_400.0
PACES = log(1.2) ** 2 * 2 / 3 / DEFAULT.pace_spread**2
"""Variance of runs that differ by a fifth against what is assumed of them."""


def run_of(day: int, seconds: float, names: tuple[str, ...] = tuple("abcdefghijkl")) -> list[e.Event]:
    """Return the events of a run whose steps each took so long."""
    now = 1_780_000_000.0 + DAY * day
    events: list[e.Event] = [e.BuildStarted(time=now, build="b", jobs=2)]
    for name in names:
        step: dict[str, Any] = {"build": "b", "phase": "p", "step": name}
        events.append(e.StepStarted(time=now, **step))
        now += seconds
        events.append(e.StepFinished(time=now, status="succeeded", **step))
    return [*events, e.BuildFinished(time=now, build="b", status="succeeded")]


def outlook_after(taken: list[float], now: float) -> Outlook:
    """Return the outlook when four steps of a run took `now` seconds each, after runs whose steps took `taken`."""
    tracker = Tracker()
    for day, seconds in enumerate([*taken, now]):
        events = run_of(day, seconds)
        tracker.feed("b", f"202601{day + 10}T000000Z", events if day < len(taken) else events[:9])
    run = tracker.builds["b"].current
    assert run is not None
    found = Estimator(tracker.builds).outlook(run, events[8].time)
    assert found is not None
    return found


def test_a_machine_whose_runs_differ_has_a_wider_band_and_its_own_pace_sooner() -> None:
    """After runs of 100 and 120 s a step in turn, a run of 120 s is soon taken for one, and less sure to stay so."""
    steady = outlook_after([100.0] * 5, 120.0)
    uneven = outlook_after([100.0, 120.0, 100.0, 120.0, 100.0], 120.0)
    paces = [outlook.sources.runs[0].pace / log(1.2) for outlook in (steady, uneven)]
    done, strength = 4 * (100.0 * 120.0) ** 0.5, [4000.0 * 8 / 4, 4000.0 * 8 / (4 + 4 * PACES)]
    assert paces == pytest.approx([done / (done + each) for each in strength])
    assert uneven.pace_spread > 1.5 * steady.pace_spread


def test_the_scatter_of_runs_is_measured_between_neighbours() -> None:
    """Four differences of a tenth count as much as the assumption; a run on another machine is no measure."""
    prior = DEFAULT.pace_spread
    assert usual_pace_spread(History(), DEFAULT) == pytest.approx(prior)
    found = usual_pace_spread(History(paces=[0.1, -0.1, 0.1, -0.1]), DEFAULT)
    assert found == pytest.approx(((4 * prior**2 + 4 * 0.01 * 2 / 3) / 8) ** 0.5)
    other_machine = outlook_after([100.0, 300.0, 110.0, 121.0], 100.0)
    assert other_machine.history.paces == [pytest.approx(log(1.1))]


def test_runs_of_different_packages_have_the_wider_band() -> None:
    """A run after two of other packages has the factor of such runs, one after equal runs has its own."""
    tracker = Tracker()
    for day, names in enumerate(("abcdef", "ghijkl", "abcghi")):
        tracker.feed("b", f"2026011{day}T000000Z", run_of(day, 100.0, tuple(names)))
    steps = [e.PlannedStep(phase="p", step=name) for name in "abg"]
    events = run_of(9, 100.0, tuple("abg"))
    run = tracker.feed("b", "20260120T000000Z", [events[0], e.Plan(time=events[0].time, build="b", steps=steps)])
    tracker.feed("b", run.run, events[1:3])
    outlook = Estimator(tracker.builds).outlook(run, events[2].time)
    assert outlook is not None
    assert outlook.bands == DEFAULT.bands_packages
    assert outlook_after([100.0, 100.0], 100.0).bands == DEFAULT.bands_run


def test_packages_whose_times_scattered_have_a_wider_band() -> None:
    """Where each package took twice as long the next time, the band of a single one has half and twice its time."""
    for factor, scatter in ((1.0, 0.0), (2.0, log(2.0) ** 2)):
        tracker = Tracker()
        for day, names in enumerate(("abcdef", "ghijkl", "abcghi")):
            tracker.feed("b", f"2026011{day}T000000Z", run_of(day, 100.0 * (factor if day == 2 else 1.0), tuple(names)))
        events = run_of(9, 100.0, ("d", "j"))
        steps = [e.PlannedStep(phase="p", step=name) for name in "dj"]
        run = tracker.feed("b", "20260120T000000Z", [events[0], e.Plan(time=events[0].time, build="b", steps=steps)])
        outlook = Estimator(tracker.builds).outlook(run, events[0].time)
        assert outlook is not None
        assert outlook.scatter_before == pytest.approx(scatter)
        found = outlook.at(run, events[0].time)
        assert (found.high > 2 * found.middle, found.low < found.middle / 2) == (factor > 1.0, factor > 1.0)


def test_history_that_is_left_out_is_named() -> None:
    """An earlier run whose step took a twelfth is not counted beside a plan, and the basis says so."""
    steps = [e.PlannedStep(phase="p", step=name, expected_seconds=100.0) for name in "abcdefghijkl"]
    tracker = Tracker()
    tracker.feed("b", "20260110T000000Z", run_of(0, 100.0))
    events = run_of(1, 1200.0)[:3]
    run = tracker.feed("b", "20260111T000000Z", [events[0], e.Plan(time=events[0].time, build="b", steps=steps)])
    tracker.feed("b", run.run, events[1:])
    found = Estimator(tracker.builds)(run, events[-1].time)
    assert found is not None
    assert "1 earlier run of this build left out (steps take 12.0 times as long now)" in found.basis


def test_a_package_that_the_table_has_not_takes_as_long_as_packages_do() -> None:
    """In an LFS build, where a step without a version writes a file; elsewhere nothing is known of either."""

    def expected(*before: e.PlannedStep) -> list[float]:
        steps = [*before, e.PlannedStep(phase="custom", step="x", package="x", version="1")]
        steps.append(e.PlannedStep(phase="custom", step="y"))
        run = Run("b", "20260101T000000Z")
        apply_all(run, [e.BuildStarted(time=0.0, build="b", jobs=4), e.Plan(time=0.0, build="b", steps=steps)])
        outlook = Estimator().outlook(run, 0.0)
        return [each.expected_seconds for each in outlook.steps(run, 0.0)[-2:]] if outlook is not None else []

    typical = typical_package(4, VARIANTS[0])
    assert 0.1 < typical < 0.4, "SBU"
    lfs = e.PlannedStep(phase="chapter-6", step="m4", package="m4", version="1.4")
    assert expected(lfs) == pytest.approx([140.0 * typical, 10.0])
    assert expected(e.PlannedStep(phase="q", step="z", expected_seconds=5.0)) == pytest.approx([10.0, 10.0])


def test_the_table_counts_abis_among_runs_of_the_same_jobs() -> None:
    """A C library that takes 4 times the first step at -j3 and 5 times at -j4 is single at both; twice that is not."""
    runs = [Recorded(3, "none", 1, {FIRST: 100.0, GLIBC: 400.0}), Recorded(4, "none", 1, {FIRST: 80.0, GLIBC: 400.0})]
    runs.append(Recorded(4, "none", 1, {FIRST: 80.0, GLIBC: 800.0}))
    found = with_abis(runs)
    assert [run.abis for run in found] == [1, 1, 2]
    rows = dict(table(found, {("chapter-10", "kernel"): 2.5, GLIBC: 9.0}))
    assert rows[GLIBC].abi == pytest.approx(1.0, abs=0.05)
    assert rows["chapter-10", "kernel"].on(4) == pytest.approx(2.5), "the book's figure for what no run had"
