"""What is known of a step from its log: estimates, warnings, and how it grew, for the next run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from story import at, end, start, step_of

from build_exporter.model import events as e
from build_exporter.monitor import EARLIER_RUNS, Monitor
from build_exporter.sources.dedup import is_recorded
from build_exporter.tracker import Run, Step, Tracker, apply_all, expected_seconds, step_progress

CURVE = [0.5, 1.0]


class SourceEvent:
    """One step of a run, and its events."""

    def __init__(self) -> None:
        self.run, self.time = Run("lfs", "20260101T000000Z"), 1000.0
        planned = e.PlannedStep(phase="p", step="s", expected_seconds=100.0)
        self.apply_event(e.BuildStarted).apply_event(e.Plan, steps=[planned]).apply_event(
            e.StepStarted, phase="p", step="s"
        )

    def apply_event(self, kind: type[e.Event], after: float = 0.0, **fields: Any) -> SourceEvent:
        """Emit an event some seconds after the one before."""
        self.time += after
        apply_all(self.run, [kind(time=self.time, build="lfs", **fields)])
        return self

    def progress(self, after: float = 1.0, **fields: Any) -> Step:
        """Emit progress and return the step."""
        self.apply_event(e.StepProgress, after, phase="p", step="s", **fields)
        return self.step

    def finish(self, status: str = "succeeded", **fields: Any) -> Step:
        """End the step and return it."""
        self.apply_event(e.StepFinished, 10.0, phase="p", step="s", status=status, **fields)
        return self.step

    @property
    def step(self) -> Step:
        """The step."""
        return self.run.steps["p", "s"]


@pytest.fixture
def reported() -> SourceEvent:
    """A run with a step that has begun."""
    return SourceEvent()


def test_an_estimate_gives_way_to_what_the_builder_tells(reported: SourceEvent) -> None:
    """Once a builder says how far it is, no guess from its log moves the bar."""
    assert reported.progress(ratio=0.2, estimated=True).ratio == 0.2
    assert reported.progress(ratio=0.3).ratio == 0.3
    assert reported.progress(ratio=0.8, estimated=True).ratio == 0.3
    assert reported.progress(ratio=0.4).ratio == 0.4


def test_the_bar_never_goes_back_when_the_first_ratio_is_reported(reported: SourceEvent) -> None:
    """What the clock stood for stays on show until the step's own word has caught up."""
    by_time = step_progress(reported.run, reported.step, reported.time + 50.0)
    assert by_time == pytest.approx(0.5)
    reported.progress(50.0, ratio=0.1)
    assert reported.step.ratio == 0.1
    assert step_progress(reported.run, reported.step) == pytest.approx(0.5)
    reported.progress(ratio=0.6)
    assert step_progress(reported.run, reported.step) == 0.6
    reported.finish("failed")
    reported.apply_event(e.StepStarted, 1.0, phase="p", step="s").progress(ratio=0.1)
    assert step_progress(reported.run, reported.step) == pytest.approx(0.1), "another attempt begins anew"


def test_the_clock_alone_never_claims_the_end(reported: SourceEvent) -> None:
    """A step that overruns its plan continues moving, ever slower, and is not at 0.99 at once."""
    shown = [
        step_progress(reported.run, reported.step, reported.time + seconds) or 0.0
        for seconds in (50, 90, 100, 150, 1000)
    ]
    assert shown == pytest.approx([0.5, 0.9, 0.95, 1 - 0.01 / 0.7, 0.999], abs=0.001)
    assert shown == sorted(shown)


@pytest.mark.parametrize(
    ("events", "warnings"),
    [
        ([start(1), end(2)], None), ([start(1), at(2, warnings=0)], 0), ([start(1), end(2), at(3, warnings=0)], 0),
        ([start(1), at(2, warnings=3), at(3, warnings=2)], 3), ([start(1), at(2, warnings=3), end(3)], 3),
        ([start(1), at(2, warnings=3), end(3), at(4, warnings=5)], 5),
        ([start(1), at(2, warnings=9), end(3, warnings=4)], 4), ([start(1), end(3, warnings=4), at(4, warnings=9)], 4),
    ],
)  # fmt: skip
def test_warnings_are_as_many_as_were_ever_counted(events: list[e.Event], warnings: int | None) -> None:
    """None is a count too; a later count is taken, a lower one is not; the builder's own at the end counts for good."""
    assert step_of(*events).warnings == warnings


def test_warnings_by_option_are_those_of_the_newest_attempt(reported: SourceEvent) -> None:
    """A step built again counts once in the build's sums."""
    reported.finish()
    reported.progress(warnings=5, warning_flags={"-Wformat=": 3, "-Wunused": 2})
    reported.progress(warnings=6, warning_flags={"-Wformat=": 4, "-Wunused": 2})
    assert reported.run.flag_sums == {"-Wformat=": 4, "-Wunused": 2}
    reported.apply_event(e.StepStarted, 1.0, phase="p", step="s")
    assert reported.run.flag_sums == {}
    reported.finish()
    reported.progress(warnings=1, warning_flags={"-Wunused": 1})
    assert reported.run.flag_sums == {"-Wunused": 1}


def test_invented_options_do_not_fill_memory(reported: SourceEvent) -> None:
    """A log made to name ever new options ends in one name for the rest."""
    reported.finish()
    for number in range(200):
        flags = {f"-W{number}-{each}": 1 for each in range(10)}
        done = e.StepFinished(time=2000.0, build="lfs", phase="p", step=f"s{number}", status="succeeded")
        late = e.StepProgress(time=2001.0, build="lfs", phase="p", step=f"s{number}", warning_flags=flags)
        apply_all(reported.run, [done, late])
    assert len(reported.run.flag_sums) <= 1001
    assert reported.run.flag_sums.total() == 2000
    assert reported.run.flag_sums["other"] == 1000


def test_how_the_log_grew_is_kept_of_what_succeeded(reported: SourceEvent) -> None:
    """The log of a failed attempt is no measure for the next."""
    reported.finish("failed")
    reported.progress(log_bytes=500, log_curve=CURVE)
    assert reported.run.logs == {}
    reported.apply_event(e.StepStarted, 1.0, phase="p", step="s", version="2.42").finish()
    reported.progress(log_bytes=1000, log_tasks=7, log_curve=CURVE)
    shape = reported.run.logs["p", "s"]
    assert (shape.seconds, shape.size, shape.tasks, list(shape.curve), shape.version) == (10.0, 1000, 7, CURVE, "2.42")
    reported.apply_event(e.StepStarted, 1.0, phase="p", step="s")
    reported.progress(log_bytes=5)
    assert reported.run.logs["p", "s"] is shape, "it stays the measure while the step runs again"


def test_what_is_known_of_a_log_is_no_news(reported: SourceEvent) -> None:
    """Importing a record again writes nothing again."""
    event = e.StepProgress(time=1100.0, build="lfs", phase="p", step="s", log_bytes=1000, warnings=2)
    reported.finish()
    assert not is_recorded(reported.run, event)
    apply_all(reported.run, [event])
    assert is_recorded(reported.run, event)


def summarised(name: str, size: int) -> Run:
    """Return a run whose step wrote so much."""
    reported = SourceEvent()
    reported.run.run = name
    reported.finish()
    reported.progress(log_bytes=size, log_curve=CURVE)
    return reported.run


def test_the_newest_earlier_run_is_the_measure() -> None:
    """Whatever the order in which history is read, the last run that shows counts, and the current one before all."""
    tracker = Tracker()
    for run in (
        summarised("20260103T000000Z", 3),
        summarised("20260101T000000Z", 1),
        summarised("20260102T000000Z", 2),
    ):
        tracker.remember("lfs", run)
    build = tracker.builds["lfs"]
    found = build.last_log(("p", "s"))
    assert found is not None
    assert found.size == 3
    build.current = summarised("20260104T000000Z", 4)
    found = build.last_log(("p", "s"))
    assert found is not None
    assert found.size == 4
    assert build.last_log(("p", "other")) is None


def test_a_run_that_another_follows_is_the_measure(run_file: Callable[..., Any], journal: Path) -> None:
    """A build begun while the exporter runs is measured by the one it saw end."""
    first = run_file(run="20260102T030405Z")
    first.step("p", "s", seconds=100.0)
    first.add("step_progress", phase="p", step="s", log_bytes=1000, log_curve=CURVE)
    monitor = Monitor(str(journal))
    monitor.poll()
    assert monitor.last_log("lfs", ("p", "s")) is not None
    run_file(run="20260202T030405Z", clock=1.781e9).add("step_started", phase="p", step="s")
    monitor.poll()
    shape = monitor.last_log("lfs", ("p", "s"))
    assert shape is not None
    assert shape.size == 1000
    assert monitor.last_log("other", ("p", "s")) is None


def test_history_read_late_is_the_measure(run_file: Callable[..., Any], journal: Path) -> None:
    """After a start the runs before are read, and measure the one that runs."""
    first = run_file(run="20260102T030405Z")
    first.step("p", "s", seconds=100.0)
    first.add("step_progress", phase="p", step="s", log_bytes=1000, log_curve=CURVE)
    for day in range(EARLIER_RUNS):
        run_file(run=f"2026010{day + 3}T030405Z").add("note", message="nothing built")
    run_file(run="20260202T030405Z", clock=1.781e9).add("step_started", phase="p", step="s")
    monitor = Monitor(str(journal))
    monitor.poll()
    assert monitor.last_log("lfs", ("p", "s")) is None
    list(monitor.read_history())
    assert monitor.last_log("lfs", ("p", "s")) is not None


def test_an_ended_run_stays_ended_when_a_log_is_read_late(
    run_file: Callable[..., Any], journal: Path, command: Callable[..., Any]
) -> None:
    """What the exporter writes about a log after the build's end does not make the next build join that run."""
    run = run_file()
    run.step("p", "s", status="succeeded")
    run.add("build_finished", status="succeeded")
    run.add("step_progress", phase="p", step="s", log_bytes=1000)
    assert command("run", "--journal", str(journal), "--build", "lfs", "--", "true").returncode == 0
    files = sorted((journal / "lfs").glob("*.jsonl"))
    assert len(files) == 2
    assert json.loads(files[0].read_text().splitlines()[-1])["log_bytes"] == 1000


def test_what_a_step_should_take_is_not_changed_by_estimates(reported: SourceEvent) -> None:
    """Estimates move the bar, not the plan."""
    reported.progress(ratio=0.5, estimated=True)
    assert expected_seconds(reported.run, reported.step) == 100.0
