"""Estimates by the earlier runs: golden numbers by hand, bad records, properties."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from story import serial

from build_exporter.estimate import Estimate, Estimator
from build_exporter.model import events as e
from build_exporter.tracker import Run, Tracker, build_progress
from build_exporter.tracker.names import name_of, package_of

Steps = Sequence[tuple[str, float]]
USUAL: Steps = (("a", 100.0), ("b", 300.0), ("c", 50.0), ("d", 150.0))


def events(steps: Steps, start: float = 1000.0, *, end: bool = True, jobs: int = 4) -> list[e.Event]:
    """Return the events of a run; the last step goes on where it has no end."""
    return serial(steps, start, "succeeded" if end else None, jobs=jobs)


def after(runs: Sequence[Steps], begun: Steps, running: str | None = None) -> tuple[Tracker, Run, float]:
    """Return a tracker with earlier runs and one that has done some steps, and the time."""
    tracker = Tracker()
    for number, steps in enumerate(runs):
        tracker.feed("b", f"202601{number + 1:02}T000000Z", events(steps))
    lines = events(begun, 5000.0, end=False)
    now = 5000.0 + sum(seconds for _, seconds in begun)
    if running is not None:
        lines.append(e.StepStarted(time=now, build="b", phase="p", step=running))
    return tracker, tracker.feed("b", "20260201T000000Z", lines), now


def left(runs: Sequence[Steps], begun: Steps, running: str | None = None, passed: float = 0.0) -> Estimate:
    """Return the estimate, which there must be."""
    tracker, run, now = after(runs, begun, running)
    found = Estimator(tracker.builds)(run, now + passed)
    assert found is not None
    assert 0 <= found.low <= found.middle <= found.high < math.inf
    return found


def test_earlier_runs_are_the_plan() -> None:
    """Three runs took 500 s after their first step: so will this one, and it says what that rests on."""
    estimate = left([USUAL] * 3, USUAL[:1], "b")
    assert estimate.middle == pytest.approx(500.0, rel=0.01)
    assert estimate.basis == "3 earlier runs of this build, 1 finished step"
    assert left([USUAL] * 3, USUAL[:1], "b", passed=60.0).middle == pytest.approx(440.0, rel=0.02)


def test_progress_is_weighed_by_the_earlier_runs() -> None:
    """The first of four steps is a sixth of the time."""
    _, run, now = after([USUAL] * 2, USUAL[:1])
    assert build_progress(run, now) == pytest.approx(100.0 / 600.0)


@pytest.mark.parametrize("factor", [2.0, 0.5])
def test_another_machine_is_scaled_and_says_so(factor: float) -> None:
    """Steps that all take twice or half the time are another machine's: what is left is scaled, too."""
    steps = [(f"s{number}", 60.0) for number in range(20)]
    estimate = left([steps] * 3, [(name, factor * seconds) for name, seconds in steps[:10]])
    assert estimate.middle == pytest.approx(600.0 * factor, rel=0.25)
    assert "as of another machine, scaled by" in estimate.basis


def test_two_days_in_the_only_earlier_run_are_none_where_the_plan_says_minutes() -> None:
    """The plan's 150 s count alone for a step that the only earlier run has two days of."""
    tracker = Tracker()
    broken = [(name, 2 * 86400.0 if name == "d" else seconds) for name, seconds in USUAL]
    tracker.feed("b", "20260101T000000Z", events(broken))
    steps = [e.PlannedStep(phase="p", step=name, expected_seconds=seconds) for name, seconds in USUAL]
    start, *begun = events(USUAL[:1], 5000.0, end=False)
    run = tracker.feed("b", "20260201T000000Z", [start, e.Plan(time=5000.0, build="b", steps=steps), *begun])
    found = Estimator(tracker.builds)(run, 5100.0)
    assert found is not None
    assert found.middle == pytest.approx(500.0, rel=0.05)


def test_steps_are_found_again_under_other_numbers() -> None:
    """A step more in the middle shifts the numbers of those behind it, and changes nothing of what they take."""
    before = [("501-binutils", 60.0), ("502-gcc", 600.0), ("503-glibc", 300.0)]
    done = [("501-binutils", 60.0), ("502-new", 1.0)]
    estimate = left([before] * 2, done, "503-gcc")
    assert estimate.middle == pytest.approx(900.0, rel=0.05)


def test_steps_left_out_this_time_are_not_waited_for() -> None:
    """Where steps run one after the other, those far before the one that runs are not to come any more."""
    steps = [(f"{500 + number}-s{number}", 100.0) for number in range(10)]
    estimate = left([steps] * 2, steps[:1], "509-s9")
    assert estimate.middle == pytest.approx(400.0, rel=0.05)


def test_another_build_has_no_plan_of_this_one() -> None:
    """Steps that no earlier run had end the plan: nothing is estimated of what is not known."""
    strange = [(f"x{number}", 10.0) for number in range(9)]
    tracker, run, now = after([USUAL] * 2, [*USUAL[:1], *strange])
    assert not run.has_plan
    assert Estimator(tracker.builds)(run, now) is None


def test_a_quarter_of_new_steps_is_the_same_build() -> None:
    """Of a build of 20 steps six more may be new; with the seventh, of 26 begun before it, it is another one."""
    known = [(f"s{number}", 10.0) for number in range(20)]
    for strangers in (6, 7):
        _, run, _ = after([known] * 2, [*known, *((f"x{number}", 10.0) for number in range(strangers))])
        assert run.has_plan == (strangers == 6)


def test_more_jobs_take_less_time() -> None:
    """Runs at -j1 are a guide for one at -j4 once what runs side by side is allowed for."""
    tracker = Tracker()
    tracker.feed("b", "20260101T000000Z", events(USUAL, jobs=1))
    run = tracker.feed("b", "20260102T000000Z", [e.BuildStarted(time=5000.0, build="b", jobs=4)])
    run = tracker.feed("b", "20260102T000000Z", [e.StepStarted(time=5000.0, build="b", phase="p", step="a")])
    estimate = Estimator(tracker.builds)(run, 5000.0)
    assert estimate is not None
    # half serial, half shared by four: (0.5 + 0.5 / 4) / 1 of 600 s
    assert estimate.middle == pytest.approx(375.0, rel=0.01)
    assert "1 earlier run of this build (with another -j, tests or ABIs: converted)" in estimate.basis


def test_an_estimate_is_kept_until_a_step_ends() -> None:
    """Between two steps only the clock moves it: the same work is not done for every scrape."""
    tracker, run, now = after([USUAL] * 2, USUAL[:1], "b")
    estimator = Estimator(tracker.builds)
    outlook = estimator.outlook(run, now)
    assert estimator.outlook(run, now + 5.0) is outlook
    assert outlook is not None
    assert [each.step.step for each in outlook.steps(run, now)] == ["b", "c", "d"]
    assert outlook.steps(run, now + 60.0)[0].remaining_seconds == pytest.approx(240.0, rel=0.05)
    tracker.feed("b", run.run, [e.StepFinished(time=now + 300.0, build="b", phase="p", step="b", status="succeeded")])
    assert [each.step.step for each in outlook.steps(run, now)] == ["c", "d"], "what has ended since is not to come"
    assert estimator.outlook(run, now + 300.0) is not outlook


seconds = st.floats(0.0, 1e7, allow_nan=False)
runs = st.lists(st.lists(seconds, min_size=4, max_size=4), max_size=5)


@given(runs, st.lists(seconds, max_size=3), st.floats(0.0, 1e6))
def test_bands_are_bands(earlier: list[list[float]], begun: list[float], passed: float) -> None:
    """Whatever the records say, an estimate is finite and its percentiles are in their order."""
    history = [list(zip("abcd", taken, strict=True)) for taken in earlier]
    tracker, run, now = after(history, list(zip("abcd", begun, strict=False)), "abcd"[len(begun)])
    found = Estimator(tracker.builds)(run, now + passed)
    if found is not None:
        assert 0 <= found.low <= found.middle <= found.high < math.inf


@given(st.integers(0, 3), st.floats(1.0, 1e5))
def test_a_step_that_takes_longer_leaves_no_less(done: int, passed: float) -> None:
    """While a step runs and nothing else happens, the time left falls by no more than the time that passes."""
    tracker, run, now = after([USUAL] * 3, USUAL[:done], "abcd"[done])
    estimator = Estimator(tracker.builds)
    first, later = estimator(run, now), estimator(run, now + passed)
    assert first is not None
    assert later is not None
    assert later.middle >= first.middle - passed - 1e-6


@pytest.mark.parametrize(
    ("step", "version", "name"),
    [
        ("502-gcc-pass1", "14.2.0", "gcc-pass1"),
        ("1001-fstab", None, "fstab"),
        ("875-01-libarchive", None, "libarchive"),
        ("Cus-025-cmake", "3.28", "cmake"),
        ("601-m4-build_2", None, "m4-build_2"),
        ("sys-devel/llvm-12.0.0", "12.0.0", "sys-devel/llvm"),
        ("acl-2.3.2-r0", "2.3.2", "acl"),
        ("505-gcc-libstdc++", "14.2.0", "gcc-libstdc++"),
        ("7zip", None, "7zip"),
        ("Python", None, "python"),
    ],
)
def test_names_without_numbers_and_versions(step: str, version: str | None, name: str) -> None:
    """A step is known again by what it builds."""
    assert name_of("p", step, version) == ("p", name)


def versions(steps: Sequence[tuple[str, float, str]], start: float, *, upto: int | None = None) -> list[e.Event]:
    """Return the events of a run of steps with packages and versions, finished where `upto` is None."""
    planned = [e.PlannedStep(phase="p", step=s, package=s.partition("-")[0], version=v) for s, _, v in steps]
    found: list[e.Event] = [e.BuildStarted(time=start, build="b", jobs=4), e.Plan(time=start, build="b", steps=planned)]
    now = start
    for step, seconds, _ in steps[:upto]:
        found.append(e.StepStarted(time=now, build="b", phase="p", step=step))
        now += seconds
        found.append(e.StepFinished(time=now, build="b", phase="p", step=step, status="succeeded", seconds=seconds))
    return found if upto is not None else [*found, e.BuildFinished(time=now, build="b", status="succeeded")]


def test_a_new_version_that_takes_longer_at_first_takes_longer_later_too() -> None:
    """A new compiler a fifth slower in its first pass is expected to be slower in its last; an old one is not."""
    rest = [(f"lib{number}-x", 100.0, "1") for number in range(8)]
    runs = [("gcc-pass1", 600.0, "14"), *rest, ("gcc-final", 1000.0, "14")]
    estimates = {}
    for version in ("14", "15"):
        tracker = Tracker()
        for day in (1, 2, 3):
            tracker.feed("b", f"2026010{day}T000000Z", versions(runs, 1e9 + 86_400 * day))
        now = [("gcc-pass1", 720.0, version), *rest, ("gcc-final", 1000.0, version)]
        run = tracker.feed("b", "20260201T000000Z", versions(now, 2e9, upto=9))
        found = estimates[version] = Estimator(tracker.builds)(run, 2e9 + 1520.0)
        assert found is not None
    old, new = estimates["14"], estimates["15"]
    assert old is not None
    assert new is not None
    assert old.middle == pytest.approx(1000.0, rel=0.05)
    assert 1100.0 < new.middle < 1200.0
    assert new.high / new.middle > old.high / old.middle


def test_a_package_built_twice_has_two_times() -> None:
    """The second build of a package in a chapter is not expected to take what the first one takes."""
    steps = [("801-freetype", 60.0), ("802-other", 50.0), ("803-freetype-build_2", 600.0)]
    assert left([steps] * 2, steps[:2], "803-freetype-build_2").middle == pytest.approx(600.0, rel=0.03)
    assert left([steps] * 2, (), "801-freetype").middle == pytest.approx(710.0, rel=0.03)


def test_a_package_is_the_name_without_its_pass() -> None:
    """gcc's first pass and its last are of one package."""
    assert package_of(("p", "gcc-pass1"), None) == "gcc"
    assert package_of(("p", "freetype-build_2"), None) == "freetype"
    assert package_of(("p", "gcc-pass1"), "GCC") == "gcc"
