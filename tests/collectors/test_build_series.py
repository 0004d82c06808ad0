"""The samples of a build, letter by letter: what Prometheus stores of a run worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from build_exporter.collectors import builds as module
from build_exporter.collectors.builds import BuildCollector
from build_exporter.exposition import TEXT, render
from build_exporter.monitor import Monitor

NOW = 1.79e9


@pytest.fixture
def family(monitor: Monitor) -> Callable[[str], dict[str, float]]:
    """Return the samples of a family of builds by their labels but the build's name."""

    def show(name: str) -> dict[str, float]:
        monitor.poll()
        lines = render(BuildCollector(monitor, 10).collect(), TEXT).decode().splitlines()
        pairs = [
            line.removeprefix(f'build_{name}{{build="b"').rpartition(" ") for line in lines if f"build_{name}{{" in line
        ]
        return {labels.lstrip(",").rstrip("}"): float(value) for labels, _, value in pairs}

    return show


def test_a_running_build_has_each_figure_in_its_family(
    run_file: Callable[..., Any], family: Callable[[str], dict[str, float]]
) -> None:
    """Jobs, times, steps by phase and state, milestones, ends of steps: nothing swapped, and no end before the end."""
    run = run_file("b", clock=NOW - 1000)
    run.add("build_started", 0.0, source="make", target="t", book="12.4", jobs=4)
    plan = [{"phase": "p", "step": step, "expected_seconds": 100.0} for step in "abcd"]
    run.add("plan", 0.0, steps=plan, milestones=[{"name": "first", "step": "a"}])
    run.step("p", "a", seconds=99.0)
    run.step("p", "b", seconds=99.0, status="failed", error_class="killed")
    run.add("step_started", phase="p", step="c")
    assert family("info") == {'run="20260102T030405Z",source="make",target="t",book="12.4"': 1}
    assert [state for state, value in family("state").items() if value] == ['state="failed"']
    assert family("jobs") == {"": 4}
    assert family("start_timestamp_seconds") == {"": NOW - 1000}
    assert family("last_event_timestamp_seconds") == {"": NOW - 799}
    assert family("end_timestamp_seconds") == {}
    steps = {"pending": 1, "running": 1, "succeeded": 1, "failed": 1, "skipped": 0, "interrupted": 0}
    assert family("steps") == {f'phase="p",state="{state}"': count for state, count in steps.items()}
    ends = {"succeeded": 1, "failed": 1, "skipped": 0, "interrupted": 0}
    assert family("steps_finished_total") == {f'status="{status}"': count for status, count in ends.items()}
    assert family("milestone_timestamp_seconds") == {'milestone="first"': NOW - 900}
    assert family("milestone_progress_ratio") == {'milestone="first"': 0.25}
    assert family("failures_total") == {'phase="p",class="killed"': 1}
    left, end = family("estimated_remaining_seconds"), family("estimated_end_timestamp_seconds")
    assert left.keys() == end.keys() == {f'percentile="{each}"' for each in ("10", "50", "90")}
    assert {label: NOW + seconds for label, seconds in left.items()} == pytest.approx(end, rel=0, abs=0.01)
    assert left['percentile="10"'] < left['percentile="50"'] < left['percentile="90"']


def test_a_standstill_has_an_end_and_a_question_is_one(
    run_file: Callable[..., Any], family: Callable[[str], dict[str, float]]
) -> None:
    """A build whose last step failed stopped then, though nobody said so; one that asks a person shows it."""
    run = run_file("b", clock=NOW - 1000)
    run.step("p", "a", seconds=99.0, status="failed")
    assert family("end_timestamp_seconds") == {"": NOW - 900}
    assert family("phase_progress_ratio") == {}, "of a phase whose steps are not known"
    assert family("waiting_for_input") == {"": 0}
    run.add("note", message="waiting-for-input: disk 2")
    assert family("waiting_for_input") == {"": 1}


def test_progress_and_pace_are_of_the_moment(
    run_file: Callable[..., Any], family: Callable[[str], dict[str, float]]
) -> None:
    """2 SBU took 100 s, so the 4 after them should take 200: 50 s into those, half of the 6 is done, 7 s were between.

    Ratings are counted by their value.
    """
    run = run_file("b", clock=NOW - 157)
    run.add("build_started", 0.0)
    plan = [{"phase": phase, "step": phase, "sbu": sbu} for phase, sbu in (("p", 2.0), ("q", 4.0))]
    run.add("plan", 0.0, steps=plan)
    run.add("step_started", 0.0, phase="p", step="p")
    run.add("step_finished", 100.0, phase="p", step="p", status="succeeded", seconds=100.0)
    run.add("step_started", 7.0, phase="q", step="q")
    for rating in (5, 5, 2):
        run.add("feedback", 0.0, rating=rating)
    assert family("sbu_seconds") == {"": 50}
    assert family("gap_seconds") == {"": 7}
    assert family("progress_ratio") == {"": 0.5}
    assert family("phase_progress_ratio") == {'phase="p"': 1, 'phase="q"': 0.25}
    assert family("feedback_ratings") == {'rating="2"': 1, 'rating="5"': 2}


@pytest.mark.parametrize(("ago", "counted"), [(30.0, {}), (31.0, {'phase="p",class="other"': 1})])
def test_a_failure_without_a_class_is_counted_late(
    run_file: Callable[..., Any], family: Callable[[str], dict[str, float]], ago: float, counted: dict[str, float]
) -> None:
    """The class may be found in the log for half a minute; a counter never goes back."""
    run_file("b", clock=NOW - ago - 11).step("p", "a", seconds=10.0, status="failed")
    assert family("failures_total") == counted


def test_estimates_of_earlier_runs_are_scored(run_file: Callable[..., Any], monitor: Monitor) -> None:
    """One run at each scrape, by marks of its time: runs alike are off by nothing, and lie in the band always."""
    for day in range(1, 5):
        run = run_file("b", run=f"2026010{day}T000000Z", clock=NOW - 1e6 + day * 1e5)
        run.add("build_started")
        for step in "abcd":
            run.step("p", step, seconds=100.0)
        run.add("build_finished", status="succeeded")
    monitor.poll()
    collector = BuildCollector(monitor, 10)
    monitor.tracker.builds["b"].history_complete = False
    assert b"build_estimate_error" not in render(collector.collect(), TEXT), "not before all runs are read"
    monitor.tracker.builds["b"].history_complete = True
    for _ in range(4):
        lines = render(collector.collect(), TEXT).decode().splitlines()
    scores = {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[:15] == "build_estimate_"
    }
    for mark in ("0.25", "0.5", "0.75"):
        labels = f'{{build="b",progress="{mark}"}}'
        assert scores[f"build_estimate_error_ratio{labels}"] < 0.05
        assert scores[f"build_estimate_band_coverage_ratio{labels}"] == 1


def test_warnings_beyond_those_that_are_shown_are_other(
    run_file: Callable[..., Any], family: Callable[[str], dict[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The most frequent options by name, the sum of the rest as one: no warning is missing."""
    monkeypatch.setattr(module, "MAX_FLAGS", 2)
    run = run_file("b", clock=NOW - 1000)
    run.step("p", "a")
    run.add("step_progress", phase="p", step="a", warning_flags={"-Wa": 5, "-Wb": 3, "-Wc": 2, "-Wd": 1})
    assert family("warnings") == {'flag="-Wa"': 5, 'flag="-Wb"': 3, 'flag="other"': 3}
    run.add("step_progress", phase="p", step="a", warning_flags={"-Wa": 5, "-Wb": 3, "other": 4})
    assert family("warnings") == {'flag="-Wa"': 5, 'flag="other"': 7}, "once, though it is among the most frequent"
