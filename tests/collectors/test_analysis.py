"""Families of analysis: the schedule of the configuration, what will not fit, what got slower."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.collectors.analysis import AnalysisCollector, writes_to
from build_exporter.config.schema import Milestone, Schedule
from build_exporter.milestones import MilestoneWatcher
from build_exporter.monitor import Monitor

NOW = 1.79e9
PLAN = [{"phase": "p", "step": name, "expected_seconds": 60.0} for name in ("a", "b")]


@pytest.fixture
def show(monitor: Monitor, samples: Callable[..., Any]) -> Callable[..., dict[Any, float]]:
    """Read the journal and show its analysis under a schedule."""

    def call(planned: Schedule | None = None) -> dict[Any, float]:
        monitor.poll()
        return {
            (name, *sorted(dict(labels).values())): value
            for (name, labels), value in samples(
                AnalysisCollector(monitor, planned or Schedule(), 10).collect()
            ).items()
        }

    return call


def test_a_configured_duration_is_a_deadline(run_file: Callable[..., Any], show: Any) -> None:
    """A build that began 100 s ago, with 120 s of steps to come, is late for 150 s and in time for 1000 s."""
    run = run_file("lfs", clock=NOW - 101)
    run.add("build_started")
    run.add("plan", after=0.0, steps=PLAN)
    assert ("build_deadline_timestamp_seconds", "lfs") not in show()
    found = show(Schedule(duration=150.0))
    assert found["build_deadline_timestamp_seconds", "lfs"] == NOW + 50
    assert found["build_schedule_deviation_seconds", "lfs"] == pytest.approx(70.0)
    assert found["build_schedule_late_probability_ratio", "lfs"] > 0.5
    assert show(Schedule(duration=1000.0))["build_schedule_late_probability_ratio", "lfs"] < 0.1


def test_a_step_too_large_for_the_disk(run_file: Callable[..., Any], show: Any, journal: Path) -> None:
    """A step that was planned with a petabyte more than is free lacks that petabyte before it begins."""
    free = os.statvfs(journal)
    more = 10**15
    run = run_file("lfs", clock=NOW - 10)
    run.add("build_started")
    run.add("plan", steps=[{"phase": "p", "step": "a", "disk_bytes": free.f_bavail * free.f_frsize + more}])
    found = show()
    assert found["build_fit_shortage_bytes", "disk", "lfs"] == pytest.approx(more, rel=0.01)
    assert ("build_fit_shortage_bytes", "lfs", "memory") not in found, "nothing is known of memory"


def test_a_slower_step_has_its_ratio(run_file: Callable[..., Any], show: Any) -> None:
    """After four even runs a step that took 1.5 times as long is one, with that ratio; before them there is none."""
    for day in range(1, 6):
        run = run_file("lfs", run=f"2026010{day}T000000Z", clock=NOW - 1e6 + day * 1e5)
        for step in ("a", "b", "c", "d"):
            run.step("p", step, seconds=150.0 if day == 5 and step == "a" else 100.0)
        run.add("build_finished", status="succeeded")
    found = show()
    assert found["build_steps_slower", "lfs"] == 1
    assert found["build_step_regression_ratio", "a", "lfs", "p"] == pytest.approx(1.5)


def test_a_build_that_is_forgotten_leaves_no_differences(monitor: Monitor, run_file: Callable[..., Any]) -> None:
    """What was found of a build is kept between scrapes as long as the build is known."""
    for build in ("a", "b"):
        run_file(build).step("p", "s", seconds=100.0)
    monitor.poll()
    collector = AnalysisCollector(monitor, Schedule(), 10)
    kept = []
    for _ in range(2):
        list(collector.collect())
        kept.append(set(collector._slower))
        monitor.tracker.forget("a")
    assert kept == [{"a", "b"}, {"b"}]


def test_where_a_run_writes(monitor: Monitor, run_file: Callable[..., Any], tmp_path: Path) -> None:
    """The directory of the sources shows which disk counts; one that is gone is stood for by its parent."""
    run = run_file("lfs")
    run.add("plan", steps=PLAN, tarballs=str(tmp_path / "gone" / "sources"))
    monitor.poll()
    (current,) = monitor.newest_runs()
    assert writes_to(current, "/") == tmp_path


def test_milestones_of_the_configuration_are_journaled(monitor: Monitor, run_file: Callable[..., Any]) -> None:
    """A milestone is written once, when its step, its phase or its share of the build is done, and not before."""
    run = run_file("lfs", clock=NOW - 1000)
    run.add("build_started")
    run.add("plan", steps=PLAN)
    milestones = [
        Milestone(name="first", step="p/a"), Milestone(name="half", progress=0.4), Milestone(name="all", phase="p"),
    ]  # fmt: skip
    watcher = MilestoneWatcher(monitor, milestones)
    monitor.poll()
    assert watcher.check() == 0
    run.step("p", "a")
    monitor.poll()
    assert watcher.check() == 2
    monitor.poll()
    assert watcher.check() == 0
    run.step("p", "b")
    monitor.poll()
    assert watcher.check() == 1
    text = run.path.read_text()
    assert text.count("milestone_reached") == 3
    monitor.poll()
    assert set(monitor.newest_runs()[0].milestones) == {"first", "half", "all"}
