"""What the monitor shows when clocks are wrong, and how it counts the ends of runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from build_exporter.client.events import EventLog
from build_exporter.clocks import ClockWatch
from build_exporter.model.events import BuildStarted
from build_exporter.monitor import Monitor
from build_exporter.tracker import Run, build_progress, phases_progress

RunFiles = Callable[..., Any]
START = 1.78e9
OLD, NEW = "20260101T000000Z", "20260103T000000Z"
PLAN = [
    {"phase": "p", "step": "a", "expected_seconds": 4000.0},
    {"phase": "p", "step": "b", "expected_seconds": 4000.0},
]


class Clock:
    """A clock that a test sets."""

    now = START

    def __call__(self) -> float:
        """Return Unix seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The monitor's clock."""
    return Clock()


@pytest.fixture
def monitor(journal: Path, clock: Clock) -> Iterator[Monitor]:
    """A monitor of the journal."""
    monitor = Monitor(str(journal), clock)
    yield monitor
    monitor.follower.close()


def newest(monitor: Monitor) -> Run:
    """Return the newest run of the build, with all that was written read."""
    monitor.poll()
    (run,) = monitor.newest_runs()
    return run


def interrupted(monitor: Monitor) -> int:
    """Return how many runs of the build count as interrupted, the older ones read."""
    monitor.poll()
    list(monitor.read_history())
    return monitor.tracker.builds["lfs"].runs_by_result()["interrupted"]


def test_progress_stays_when_the_clock_is_set_back(monitor: Monitor, clock: Clock, run_file: RunFiles) -> None:
    """A clock corrected by an hour in the middle of a step takes nothing from what the bars have shown."""
    file = run_file("lfs", OLD, clock=START)
    file.add("build_started", after=0)
    file.add("plan", after=0, steps=PLAN)
    file.add("step_started", after=0, phase="p", step="a")
    clock.now = START + 2000
    run = newest(monitor)
    assert build_progress(run, clock.now) == pytest.approx(0.25)
    clock.now = START - 1600
    run = newest(monitor)
    assert build_progress(run, clock.now) == pytest.approx(0.25)
    assert phases_progress(run, clock.now)[0][1] == pytest.approx(0.25)
    clock.now = START + 2400
    assert build_progress(newest(monitor), clock.now) == pytest.approx(0.3)


def test_a_writer_with_a_clock_ahead_does_not_hide_a_stall(monitor: Monitor, clock: Clock, run_file: RunFiles) -> None:
    """Of an event an hour ahead the time it was read counts: silence after it is seen at once, not an hour later."""
    run = run_file("lfs", OLD, clock=START + 3600)
    run.add("build_started", after=0)
    assert newest(monitor).last_event == START
    clock.now += 100
    assert newest(monitor).last_event == START
    run.add("step_started", phase="p", step="s")
    assert newest(monitor).last_event == START + 100


def test_silence_counts_from_when_the_clock_was_set_back(
    monitor: Monitor, clock: Clock, journal: Path, run_file: RunFiles
) -> None:
    """A clock set back by an hour leaves no event an hour ahead: a stall is seen in time, after a restart as well."""
    run = run_file("lfs", OLD, clock=START)
    run.add("build_started", after=0)
    assert newest(monitor).last_event == START
    clock.now = START - 3600
    assert newest(monitor).last_event == START - 3600
    run.clock = START - 3500
    run.add("step_started", after=0, phase="p", step="s")
    clock.now = START - 3499
    assert newest(monitor).last_event == START - 3500
    clock.now = START - 2500
    assert newest(monitor).last_event == START - 3500
    again = Monitor(str(journal), clock)
    assert newest(again).last_event == START - 3500
    again.follower.close()


def test_after_a_restart_silence_counts_from_the_last_activity_of_the_whole_file(
    journal: Path, clock: Clock, run_file: RunFiles
) -> None:
    """Of a run whose last step is an hour ahead: neither a note, nor only what is in the same piece of a large file."""
    run = run_file("lfs", OLD, clock=START)
    run.add("build_started", after=0)
    for _ in range(6):
        run.add("note", after=0, message="x" * 60_000)
    run.clock = START + 100
    run.add("note", after=0, message="that a person wrote")
    run.clock = START + 5000
    run.add("step_started", after=0, phase="p", step="s")
    clock.now = START + 1000
    monitor = Monitor(str(journal), clock)
    assert newest(monitor).last_event == START
    run.add("step_progress", after=0, phase="p", step="s", ratio=0.5)
    clock.now += 10
    assert newest(monitor).last_event == START + 1010, "what is new happens now"
    monitor.follower.close()


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/St_Johns"])
def test_the_nights_when_clocks_change_are_nights_like_others(
    journal: Path, run_file: RunFiles, clock: Clock, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step over the hour that a zone's clocks skip or repeat takes as long as it took, and runs keep their order."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        # 29 March and 25 October 2026, 00:30 UTC, to 01:30 UTC: Berlin goes from 2 to 3 and from 3 to 2 at 1 UTC
        for begin, name in ((1774744200.0, "20260329T003000Z"), (1792888200.0, "20261025T003000Z")):
            clock.now = begin
            monkeypatch.setattr(time, "time", clock)
            log = EventLog("lfs", str(journal), new=True)
            log.append(BuildStarted(time=begin, build="lfs"))
            assert log.path == str(journal / "lfs" / f"{name}.jsonl")
            run = run_file("lfs", name, clock=begin)
            run.step("p", "over the change", seconds=3600.0)
            clock.now = begin + 3700
            known = Monitor(str(journal), clock)
            shown = newest(known)
            assert (shown.run, shown.steps["p", "over the change"].seconds) == (name, 3600.0)
            assert shown.last_event == begin + 3601
            known.follower.close()
    time.tzset()


def test_an_event_slightly_ahead_keeps_its_time(monitor: Monitor, run_file: RunFiles) -> None:
    """Clocks of two machines that differ by seconds change nothing."""
    run_file("lfs", OLD, clock=START + 59).add("build_started", after=0)
    assert newest(monitor).last_event == START + 59


def test_an_end_is_counted_once_it_is_known(monitor: Monitor, clock: Clock, run_file: RunFiles) -> None:
    """A run that another follows counts as interrupted only after it stayed silent: counters never go back."""
    old = run_file("lfs", OLD, clock=START)
    old.add("build_started", after=0)
    assert interrupted(monitor) == 0
    run_file("lfs", NEW, clock=START + 10).add("build_started", after=0)
    clock.now = START + 600
    assert interrupted(monitor) == 0
    assert monitor.tally("lfs", OLD) is None, "retention leaves it"
    clock.now = START + 601
    assert interrupted(monitor) == 1
    assert interrupted(monitor) == 1
    assert monitor.tally("lfs", OLD) is not None


def test_an_end_that_comes_late_is_the_only_one(monitor: Monitor, clock: Clock, run_file: RunFiles) -> None:
    """A writer that ends its run after the next one began is counted by its own word."""
    old = run_file("lfs", OLD, clock=START)
    old.add("build_started", after=0)
    monitor.poll()
    run_file("lfs", NEW, clock=START + 10).add("build_started", after=0)
    assert interrupted(monitor) == 0
    old.add("build_finished", after=20, status="succeeded")
    clock.now = START + 5000
    assert interrupted(monitor) == 0
    assert monitor.tracker.builds["lfs"].runs_by_result()["succeeded"] == 1


def test_a_step_closed_by_a_clock_that_is_ahead_takes_no_hour(
    monitor: Monitor, clock: Clock, journal: Path, run_file: RunFiles
) -> None:
    """A step that another writer ends an hour in the future took at most until that was read, after a restart too."""
    run = run_file("lfs", clock=START)
    run.add("build_started", after=0.0)
    run.add("step_started", after=0.0, phase="p", step="a")
    run.add("step_started", after=0.0, phase="p", step="right")
    clock.now = START + 40.0
    monitor.poll()
    run.add("step_finished", after=39.0, phase="p", step="right", status="succeeded")
    run.add("step_finished", after=3601.0, phase="p", step="a", status="succeeded")
    run.add("build_finished", after=0.0, status="succeeded")
    watch = ClockWatch(monitor)
    monitor.poll()
    assert watch.poll() == 2
    for each in (monitor, Monitor(str(journal), clock)):
        each.poll()
        known = each.tracker.builds["lfs"].current
        assert known is not None
        assert [(step.seconds, step.end) for step in known.steps.values()] == [(40.0, START + 40), (39.0, START + 39)]
        assert (known.end, known.results, known.pace.taken + known.unweighted_pace.taken) == (
            START + 40,
            {"succeeded": 1},
            79.0,
        )
        assert ClockWatch(each).poll() == 0
        each.follower.close()


def test_a_step_that_a_clock_ahead_began_and_ended_keeps_its_time(
    monitor: Monitor, clock: Clock, run_file: RunFiles
) -> None:
    """Where start and end are by one clock that is ahead, their difference is right and stays."""
    run = run_file("lfs", clock=START + 3600)
    run.step("p", "a", seconds=7.0)
    monitor.poll()
    assert ClockWatch(monitor).poll() == 0
    known = monitor.tracker.builds["lfs"].current
    assert known is not None
    assert known.steps["p", "a"].seconds == 7.0
