"""Where the time went, and what would save most, each with its arithmetic."""

from __future__ import annotations

import pytest
from story import end, run_of, start
from tests.analysis.conftest import MakeRun

from build_exporter.analysis.advice import outcomes
from build_exporter.analysis.bottlenecks import analyze
from build_exporter.model import events as e
from build_exporter.tracker import apply_all, summarise


def step(seconds: float, cores: float, pause: float = 0.0) -> dict[str, float]:
    """Return a step that kept so many cores busy."""
    return {"seconds": seconds, "cpu_seconds": seconds * cores, "pause": pause}


def test_sums_shares_and_gaps(make_run: MakeRun) -> None:
    """Two parallel steps and a serial one with a pause of a minute: shares, efficiency and idle time add up."""
    found = analyze(make_run({"p/a": step(100.0, 4.0), "q/b": step(100.0, 1.0, pause=60.0), "q/c": step(200.0, 4.0)}))
    assert (found.wall_seconds, found.step_seconds, found.idle_seconds) == (460.0, 400.0, 60.0)
    assert found.parallel_efficiency_ratio == pytest.approx(1300.0 / 1600.0)
    assert found.serial_ratio == pytest.approx(0.25)
    assert [(row.phase, row.seconds, row.share) for row in found.phases] == [("q", 300.0, 0.75), ("p", 100.0, 0.25)]
    assert [row.step for row in found.slowest] == ["c", "a", "b"]
    assert [(gap.after, gap.before, gap.seconds) for gap in found.gaps] == [("p/a", "q/b", 60.0)]


def test_idle_cores_are_worked_out_from_what_other_steps_reach(make_run: MakeRun) -> None:
    """A step of 300 s on one core, where others keep four busy, can save at most 300 - 300/4 s."""
    steps = {f"p/{name}": step(50.0, 4.0) for name in "abcd"} | {"p/slow": step(300.0, 1.0)}
    found = [each for each in analyze(make_run(steps)).recommendations if each.kind == "idle-cores"]
    assert [each.saves_seconds for each in found] == [pytest.approx(225.0)]
    assert found[0].steps == ["p/slow"]
    assert "300 s - 300 CPU s / 4.0" in found[0].arithmetic


def test_fewer_jobs_than_cores(make_run: MakeRun) -> None:
    """-j4 on eight CPUs: half of the 400 s in which four jobs were busy can be saved."""
    found = analyze(make_run({"p/a": step(400.0, 3.9), "p/b": step(100.0, 1.0)}), cores=8).recommendations
    assert [each.kind for each in found] == ["jobs"]
    assert found[0].saves_seconds == pytest.approx(200.0)


def test_a_pause_before_a_repeat_is_a_persons_and_all_attempts_are_time_of_steps(make_run: MakeRun) -> None:
    """A failure, 345 s of a person's, and the repeat: both attempts count, and nothing is to be saved by no pause."""
    run = make_run({"p/a": 3.0, "p/b": {"seconds": 3.0, "status": "failed"}}, over=False)
    again = [
        e.StepStarted(time=1351.0, build="lfs", phase="p", step="b"),
        e.StepFinished(time=1354.0, build="lfs", phase="p", step="b", status="succeeded"),
        e.StepStarted(time=1374.0, build="lfs", phase="p", step="c"),
        e.StepFinished(time=1375.0, build="lfs", phase="p", step="c", status="succeeded"),
    ]
    apply_all(run, again)
    found = analyze(run)
    assert (found.step_seconds, found.idle_seconds, found.recommendations) == (10.0, 365.0, [])
    assert [(gap.after, gap.before, gap.after_failure) for gap in found.gaps] == [
        ("p/b", "p/b", True),
        ("p/b", "p/c", False),
    ]
    assert [(row.step, row.seconds) for row in found.slowest] == [("b", 6.0), ("a", 3.0), ("c", 1.0)]


def test_a_step_that_waits_keeps_no_core_busy(make_run: MakeRun) -> None:
    """`sleep` uses no CPU: none of its time is that of one core, and no process after the other holds it up."""
    found = analyze(make_run({"p/sleep": step(100.0, 0.0), "p/link": step(100.0, 0.5)}))
    assert (found.serial_ratio, found.bounds) == (0.5, {"serial": 0.5})


def test_failed_attempts_cost_their_time(make_run: MakeRun) -> None:
    """A step that failed after 120 s and was tried again cost those 120 s."""
    run = make_run({"p/a": {"seconds": 120.0, "status": "failed"}}, over=False)
    apply_all(
        run,
        [
            e.StepStarted(time=2000.0, build="lfs", phase="p", step="a"),
            e.StepFinished(time=2050.0, build="lfs", phase="p", step="a", status="succeeded"),
        ],
    )
    found = [each for each in analyze(run).recommendations if each.kind == "failed-attempts"]
    assert [each.saves_seconds for each in found] == [120.0]


def test_work_that_a_repeat_found_done_is_not_lost() -> None:
    """Of the step that failed once its 50 s are lost; the 59 s of the one that was only run again are not."""
    ends = [start(0, "a"), end(59, "a"), start(60, "b"), end(110, "b", "failed")]
    run = run_of(*ends, start(200, "a"), end(200.04, "a"), start(201, "b"), end(261, "b"))
    (only,) = [each for each in analyze(run).recommendations if each.kind == "failed-attempts"]
    assert (only.saves_seconds, only.steps) == (50.0, ["p/b"])


def test_regressions_are_advice_and_are_checked_by_the_next_run(make_run: MakeRun) -> None:
    """A step that took 100 s too long is named, and the run after it shows how much of that came back."""
    usual = {"p/a": 100.0, "p/b": 200.0, "p/c": 300.0}
    history = [summarise(make_run(usual, f"2026010{day}T000000Z")) for day in range(1, 5)]
    slow, later = make_run(usual | {"p/b": 300.0}, "20260105T000000Z"), make_run(usual, "20260106T000000Z")
    (advice,) = analyze(slow, history).recommendations
    assert (advice.kind, advice.steps) == ("regression", ["p/b"])
    assert advice.saves_seconds == pytest.approx(100.0)
    (outcome,) = outcomes([advice], slow, later)
    assert outcome.saved_seconds == pytest.approx(100.0)


def test_nothing_is_recommended_without_a_measured_number(make_run: MakeRun) -> None:
    """A run of which only durations are known, and no earlier one, gets no advice."""
    assert analyze(make_run({"p/a": 1000.0, "p/b": 10.0}), cores=64).recommendations == []
