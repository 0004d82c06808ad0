"""What counts as slower: beyond noise, at the run's own pace, with what explains it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from story import end, run_of, start
from tests.analysis.conftest import Figures, MakeRun

from build_exporter.analysis.comparison import compare
from build_exporter.analysis.differences import Floors, differences
from build_exporter.analysis.samples import times_of
from build_exporter.analysis.trends import trends
from build_exporter.model import events as e
from build_exporter.tracker import RunSummary, apply, summarise

STEPS = {"p/a": 100.0, "p/b": 200.0, "p/c": 50.0, "p/d": 400.0, "p/e": 80.0}


def history_of(make_run: MakeRun, runs: Sequence[Figures]) -> list[RunSummary]:
    """Return summaries of runs, oldest first."""
    return [summarise(make_run(figures, f"202601{day:02}T000000Z")) for day, figures in enumerate(runs, 1)]


def scaled(factor: float, **changed: float) -> dict[str, float]:
    """Return the steps on a machine so many times as slow, with some changed."""
    named = {f"p/{name}": seconds for name, seconds in changed.items()}
    return {name: named.get(name, seconds * factor) for name, seconds in STEPS.items()}


def test_a_repeat_with_nothing_to_do_is_no_time_of_its_step() -> None:
    """Run again after a failure elsewhere, make finds all of it built: the step still took its minute."""
    events = [start(0, "a"), end(60, "a"), start(90, "b"), end(95, "b", "failed"), start(100, "a"), end(100.04, "a")]
    (sample,) = times_of(run_of(*events)).values()
    assert sample.seconds == 60.0


def test_a_slower_step_is_found_and_a_slower_machine_is_not_a_slower_step(make_run: MakeRun) -> None:
    """On a machine 1.5 times as slow only the step that is slower still is reported, with its arithmetic."""
    history = history_of(make_run, [STEPS] * 4)
    found = differences(make_run(scaled(1.5, b=390.0), "20260201T000000Z"), history)
    assert found.pace_ratio == pytest.approx(1.5)
    (only,) = found.differences
    assert (only.step, only.samples) == ("b", 4)
    assert only.usual_seconds == pytest.approx(300.0)
    assert only.ratio == pytest.approx(1.3)
    assert only.difference_seconds == pytest.approx(90.0)
    assert only.is_regression


@pytest.mark.parametrize(("seconds", "reported"), [(229.0, False), (231.0, True)])
def test_the_relative_floor(make_run: MakeRun, seconds: float, reported: bool) -> None:
    """A step of 200 s counts as slower beyond 15 %, not below."""
    found = differences(make_run(scaled(1.0, b=seconds), "20260201T000000Z"), history_of(make_run, [STEPS] * 4))
    assert bool(found.differences) is reported


@pytest.mark.parametrize(("seconds", "reported"), [(24.9, False), (25.1, True)])
def test_the_absolute_floor(make_run: MakeRun, seconds: float, reported: bool) -> None:
    """A step of 20 s counts as slower beyond 5 s, however many per cent less is."""
    usual = STEPS | {"p/short": 20.0}
    found = differences(make_run(usual | {"p/short": seconds}, "20260201T000000Z"), history_of(make_run, [usual] * 4))
    assert bool(found.differences) is reported


@pytest.mark.parametrize(("runs", "reported"), [(2, False), (3, True)])
def test_samples_needed(make_run: MakeRun, runs: int, reported: bool) -> None:
    """Two earlier runs say nothing of noise, three do."""
    found = differences(make_run(scaled(1.0, b=400.0), "20260201T000000Z"), history_of(make_run, [STEPS] * runs))
    assert bool(found.differences) is reported


def test_a_noisy_step_needs_more_or_a_second_run(make_run: MakeRun) -> None:
    """A step that varies by a tenth is reported at 1.4 times its time only when two runs in a row agree."""
    noisy = [scaled(1.0, b=each) for each in (180.0, 220.0, 200.0, 222.0, 178.0, 200.0)]
    history = history_of(make_run, noisy)
    slow = scaled(1.0, b=285.0)
    assert differences(make_run(slow, "20260201T000000Z"), history).differences == []
    again = differences(make_run(slow, "20260202T000000Z"), [*history, summarise(make_run(slow, "20260201T000000Z"))])
    assert [each.step for each in again.differences] == ["b"]


def test_a_new_version_explains_a_difference(make_run: MakeRun) -> None:
    """A package that got slower with its new version is named with both versions and is no regression."""
    old = STEPS | {"p/b": {"seconds": 200.0, "package": "gcc", "version": "13.2"}}
    new = STEPS | {"p/b": {"seconds": 300.0, "package": "gcc", "version": "14.1"}}
    (found,) = differences(make_run(new, "20260201T000000Z"), history_of(make_run, [old] * 4)).differences
    assert (found.version_before, found.version, found.cause) == ("13.2", "14.1", "version")
    assert not found.is_regression


def test_a_cold_cache_explains_a_difference(make_run: MakeRun) -> None:
    """A step that is slower while ccache knew nothing is set apart from regressions."""
    history = [
        RunSummary(s.run, s.result, s.results, s.start, s.end, s.failures, s.steps, s.usage, s.jobs, 0.9)
        for s in history_of(make_run, [STEPS] * 4)
    ]
    run = make_run(scaled(1.0, b=300.0), "20260201T000000Z")
    apply(run, e.Toolchain(time=2000.0, build="lfs", ccache_hits=0, ccache_misses=500))
    (found,) = differences(run, history).differences
    assert found.cause == "cache-cold"


@pytest.mark.parametrize(("ids", "ratio"), [("mmtttm", 1.5), ("mmttt", 0.75)])
def test_a_step_is_compared_with_runs_of_its_machine(make_run: MakeRun, ids: str, ratio: float) -> None:
    """A step that only a twin of this machine is slow at is a regression here; with too few runs here all count."""
    history = []
    for day, machine in enumerate(ids, 1):
        run = make_run(STEPS if machine == "m" else scaled(1.0, b=400.0), f"202601{day:02}T000000Z")
        apply(run, e.Toolchain(time=2000.0, build="lfs", machine=machine))
        history.append(summarise(run))
    run = make_run(scaled(1.0, b=300.0), "20260201T000000Z")
    apply(run, e.Toolchain(time=2000.0, build="lfs", machine="m"))
    (found,) = differences(run, history).differences
    assert found.ratio == pytest.approx(ratio, abs=0.05)


def test_steps_are_the_same_though_the_book_shifted_them(make_run: MakeRun) -> None:
    """`817-binutils` and `818-binutils` of chapter 8 are one step."""
    before, after = STEPS | {"ch/817-binutils": 300.0}, STEPS | {"ch/818-binutils": 450.0}
    found = differences(make_run(after, "20260201T000000Z"), history_of(make_run, [before] * 3))
    assert [each.step for each in found.differences] == ["818-binutils"]


def test_floors_are_the_callers(make_run: MakeRun) -> None:
    """A caller that wants 60 s hears nothing of 40 s."""
    run = make_run(scaled(1.0, b=240.0), "20260201T000000Z")
    assert differences(run, history_of(make_run, [STEPS] * 4), Floors(seconds=60.0)).differences == []


def test_comparison_of_two_runs(make_run: MakeRun) -> None:
    """Two runs side by side: what changed most comes first, what only one of them has stays without a figure."""
    before = make_run(STEPS | {"p/gone": 5.0}, "20260101T000000Z")
    after = make_run(scaled(1.0, d=700.0) | {"p/new": 7.0}, "20260102T000000Z")
    found = compare(before, after)
    first = found.steps[0]
    assert (first.step, first.significant, first.difference_seconds, first.ratio) == ("d", True, 300.0, 1.75)
    rows = {row.step: row for row in found.steps}
    assert (rows["new"].before_seconds, rows["new"].seconds) == (None, 7.0)
    assert (rows["gone"].before_seconds, rows["gone"].seconds) == (5.0, None)
    assert (found.before.step_seconds, found.after.step_seconds) == (835.0, 1137.0)
    assert not any(row.significant for row in found.steps[1:])


def test_a_trend_and_its_size(make_run: MakeRun) -> None:
    """A step that takes a tenth more each run is increasing by 1.1 to the fourth over five runs, the others steady."""
    history = history_of(make_run, [scaled(1.0, b=200.0 * 1.1**each) for each in range(5)])
    found = trends("lfs", history)
    first = found.steps[0]
    assert (first.step, first.direction) == ("b", "increasing")
    assert first.change_ratio == pytest.approx(1.1**4, rel=0.01)
    assert {row.direction for row in found.steps[1:]} == {"steady"}
    assert len(found.runs) == 5
