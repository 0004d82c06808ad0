"""Families of whole builds: the newest run's figures, counts over all runs, and their bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from build_exporter.collectors.builds import BuildCollector, ThresholdCollector
from build_exporter.collectors.steps import StepCollector
from build_exporter.monitor import EARLIER_RUNS, Monitor

RunFiles = Callable[..., Any]
RUNS = [f"2026010{number}T000000Z" for number in range(1, 8)]


@pytest.fixture
def show(monitor: Monitor, samples: Callable[..., Any]) -> Callable[..., dict[Any, float]]:
    """Read the journal and show its builds, at most `most`."""

    def call(most: int = 100) -> dict[Any, float]:
        monitor.poll()
        found: dict[Any, float] = samples(BuildCollector(monitor, most).collect())
        return found

    return call


def value(found: dict[Any, float], name: str, **labels: str) -> float | None:
    """Return the one sample of a name with exactly these labels, None without one."""
    return found.get((name, frozenset(labels.items())))


def test_a_build_has_one_state(run_file: RunFiles, show: Any) -> None:
    """Every state is shown, the one the build is in as 1, through all of a build's life."""
    run = run_file("lfs")
    states = ("pending", "running", "succeeded", "failed", "interrupted")

    def state() -> str:
        found = show()
        reported = {each: value(found, "build_state", build="lfs", state=each) for each in states}
        assert sorted(reported.values(), key=lambda v: v or 0) == [0, 0, 0, 0, 1]
        return next(each for each, on in reported.items() if on)

    run.raw(b"")
    assert state() == "pending"
    run.add("build_started")
    assert state() == "running"
    run.step("p", "s", status="failed")
    assert state() == "failed"
    run.add("step_started", phase="p", step="s")
    assert state() == "running"
    run.add("build_finished", status="interrupted")
    assert state() == "interrupted"
    run.add("build_started")
    run.step("p", "s")
    run.add("build_finished", status="succeeded")
    assert state() == "succeeded"


def test_facts_of_the_newest_run(run_file: RunFiles, show: Any) -> None:
    """What the run reported itself is in one info series; the run's name is a label there and nowhere else."""
    run_file("lfs", RUNS[0]).add("build_started", target="old")
    run_file("lfs", RUNS[1]).add("build_started", source="jhalfs", target="x86_64", book="12.4", jobs=8)
    found = show()
    facts = {"build": "lfs", "run": RUNS[1], "source": "jhalfs", "target": "x86_64", "book": "12.4"}
    assert value(found, "build_info", **facts) == 1
    assert value(found, "build_jobs", build="lfs") == 8
    assert {name for name, labels in found if "run" in dict(labels)} == {"build_info"}


def test_results_are_counted_over_all_runs(run_file: RunFiles, show: Any) -> None:
    """Each run of the journal is counted by how it ended; one that another followed without an end was interrupted."""
    for run, status in zip(RUNS, ("succeeded", "failed", None, "failed"), strict=False):
        file = run_file("lfs", run)
        file.add("build_started")
        if status:
            file.add("build_finished", status=status)
    run_file("lfs", RUNS[4]).add("build_started")
    found = show()
    reported = {each: value(found, "build_runs_total", build="lfs", result=each) for each in ("succeeded", "failed")}
    assert reported == {"succeeded": 1, "failed": 2}
    assert value(found, "build_runs_total", build="lfs", result="interrupted") == 1


def test_counters_never_go_back(run_file: RunFiles, show: Any, monitor: Monitor) -> None:
    """Whatever a build goes through, ends, resumes and new runs, no counter is ever lower than it was before."""
    before: dict[Any, float] = {}

    def check() -> None:
        found = {key: count for key, count in show().items() if key[0] in ("build_runs_total", "build_failures_total")}
        assert before.keys() <= found.keys()
        assert all(found[key] >= count for key, count in before.items()), (before, found)
        before.update(found)

    for run in RUNS[:3]:
        file = run_file("lfs", run)
        for _ in range(2):
            for event in (
                {"event": "build_started"},
                {"event": "step_started", "phase": "p", "step": "s"},
                {"event": "step_finished", "phase": "p", "step": "s", "status": "failed", "error_class": "disk-full"},
                {"event": "build_finished", "status": "failed"},
                {"event": "build_finished", "status": "failed"},
            ):
                file.add(**event)
                check()
    fresh = Monitor(monitor.follower.root, monitor.clock)
    fresh.poll()
    for _ in fresh.read_history():
        pass
    # two ends of each of three runs, the same reported twice being one
    assert fresh.tracker.builds["lfs"].runs_by_result() == {"failed": 6}
    assert value(before, "build_runs_total", build="lfs", result="failed") == 6
    assert value(before, "build_failures_total", build="lfs", phase="p", **{"class": "disk-full"}) == 6


def test_a_newest_run_that_is_removed_gives_way(run_file: RunFiles, show: Any) -> None:
    """Without the file of its newest run a build shows the run before, counted once, as after a restart."""
    old, new = run_file("lfs", RUNS[0]), run_file("lfs", RUNS[1])
    old.add("build_finished", status="failed")
    new.add("build_finished", status="succeeded")
    assert value(show(), "build_state", build="lfs", state="succeeded") == 1
    new.path.unlink()
    found = show()
    assert {dict(labels)["run"] for name, labels in found if name == "build_info"} == {RUNS[0]}
    assert value(found, "build_state", build="lfs", state="failed") == 1
    assert value(found, "build_runs_total", build="lfs", result="failed") == 1
    old.path.unlink()
    assert show() == {}


def test_counts_wait_for_the_history(run_file: RunFiles, journal: Any, samples: Any) -> None:
    """After a start no counter over runs is shown until all runs are read: a lower count would look like a reset."""
    for run in RUNS[: EARLIER_RUNS + 2]:
        run_file("lfs", run).add("build_finished", status="succeeded")
    monitor = Monitor(str(journal), lambda: 1.79e9)
    monitor.poll()
    names = {name for name, _ in samples(BuildCollector(monitor, 10).collect())}
    assert "build_info" in names
    assert "build_runs_total" not in names
    for _ in monitor.read_history():
        pass
    found = samples(BuildCollector(monitor, 10).collect())
    assert value(found, "build_runs_total", build="lfs", result="succeeded") == EARLIER_RUNS + 2


def test_only_the_builds_active_last_have_series(run_file: RunFiles, show: Any, monitor: Monitor, samples: Any) -> None:
    """Of many builds as many have series as configured, those with the newest events, in all families."""
    for number in range(20):
        file = run_file(f"b{number}", clock=1.78e9 + (number * 7 % 20))
        file.add("build_started")
        file.step("p", "s")
    found = {dict(labels)["build"] for _, labels in show(5)}
    assert found == {f"b{number}" for number in range(20) if number * 7 % 20 >= 15}
    steps = StepCollector(monitor, 100, 5)
    assert {dict(labels)["build"] for _, labels in samples(steps.collect())} == found
    steps.limit(100, 50)
    assert len({dict(labels)["build"] for _, labels in samples(steps.collect())}) == 20


def test_thresholds_are_shown_as_configured(samples: Any) -> None:
    """The limits the rules compare with are those of the configuration, also after it was read again."""
    collector = ThresholdCollector({"a": 1.5})
    assert samples(collector.collect()) == {("build_threshold", frozenset({("name", "a")})): 1.5}
    collector.configure({"b": 2})
    assert samples(collector.collect()) == {("build_threshold", frozenset({("name", "b")})): 2}
