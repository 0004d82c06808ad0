"""A run teaches the next: from the log of a step, over the journal, to the bar of the step when it runs again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.model.states import StepState
from build_exporter.monitor import Monitor
from build_exporter.sources.step_logs.attempt_logs import AttemptLogs
from build_exporter.sources.step_logs.warnings import WarningReader
from build_exporter.sources.step_logs.watcher import StepHistory, StepLogWatcher
from build_exporter.tracker import Step, step_progress

START = 1.78e9


class Watching:
    """An exporter's monitor and its reader of logs, by a clock that is set by hand."""

    def __init__(self, journal: Path) -> None:
        self.now = START
        self.monitor = Monitor(str(journal), self.clock)
        history = StepHistory(last_log=self.monitor.last_log)
        self.inside = StepLogWatcher(str(journal), self.monitor.newest_runs, self.clock, history)

    def clock(self) -> float:
        """Return the time."""
        return self.now

    def poll(self) -> Step:
        """Look at everything as a running exporter does each second; return the step."""
        self.monitor.poll()
        list(self.monitor.read_history())
        self.inside.poll()
        self.monitor.poll()
        (run,) = self.monitor.newest_runs()
        return run.steps["p", "s"]


def build(watching: Watching, run: Any, log: Path, seconds: int) -> list[tuple[float, Step, float | None]]:
    """Build the step once: checks of configure for a tenth of the time, then objects, then a silent link for a third.

    Returns for each second the share of the time that has passed, the step, and its ratio.
    """
    began = run.clock + 1
    run.add("step_started", phase="p", step="s", package="binutils", version="2.42", log=str(log))
    log.write_text("")
    seen = []
    for second in range(seconds):
        share = second / seconds
        with log.open("a") as file:
            if share < 0.1:
                file.write("checking for something that is there... yes\n" * (2000 // seconds))
            elif share < 0.66:
                file.write("  CC       object.o\n" * (600 // seconds))
        watching.now = began + second
        step = watching.poll()
        seen.append((share, step, step_progress(step_run(watching), step, watching.now)))
    run.add("step_finished", after=began + seconds - run.clock, phase="p", step="s", status="succeeded")
    watching.now = began + seconds + 1
    watching.poll()
    return seen


def step_run(watching: Watching) -> Any:
    """Return the newest run."""
    return watching.monitor.newest_runs()[0]


@pytest.mark.parametrize("pace", [60, 120, 30], ids=["as fast", "half as fast", "twice as fast"])
def test_the_second_run_follows_its_time(
    pace: int, journal: Path, tmp_path: Path, run_file: Callable[..., Any]
) -> None:
    """The bar of a step without counters follows its time within a sixth, though nothing was known of the machine."""
    watching = Watching(journal)
    first = run_file(run="20260102T030405Z", clock=START)
    assert {ratio for _, _, ratio in build(watching, first, tmp_path / "a.log", 60)} == {None}
    second = run_file(run="20260202T030405Z", clock=START + 1000)
    seen = build(watching, second, tmp_path / "b.log", pace)
    ratios = [ratio for _, _, ratio in seen if ratio is not None]
    assert len(ratios) == len(seen), "it is known from the first second"
    assert ratios == sorted(ratios)
    assert max(abs(ratio - share) for share, _, ratio in seen if ratio is not None) < 0.15
    assert len(second.path.read_text().splitlines()) < 105


def test_a_restart_in_the_middle_loses_nothing(journal: Path, tmp_path: Path, run_file: Callable[..., Any]) -> None:
    """An exporter started again shows no less than before, and continues."""
    watching = Watching(journal)
    build(watching, run_file(run="20260102T030405Z", clock=START), tmp_path / "a.log", 60)
    second = run_file(run="20260202T030405Z", clock=START + 1000)
    log = tmp_path / "b.log"
    log.write_text("checking for something that is there... yes\n" * 198 + "  CC       object.o\n" * 150)
    second.add("step_started", phase="p", step="s", package="binutils", version="2.42", log=str(log))
    watching.now = START + 1001 + 22
    before = watching.poll().ratio
    assert before is not None
    assert 0.2 < before < 0.5
    again = Watching(journal)
    again.now = watching.now + 1
    step = again.poll()
    assert step.state is StepState.RUNNING
    assert step.ratio == before
    with log.open("a") as file:
        file.write("  CC       object.o\n" * 150)
    again.now += 15
    assert (again.poll().ratio or 0.0) > before + 0.1


def test_another_version_is_measured_with_less_trust(
    journal: Path, tmp_path: Path, run_file: Callable[..., Any]
) -> None:
    """Where a new version's own counter says other than the old one's log, the counter has more of a say."""
    watching = Watching(journal)
    build(watching, run_file(run="20260102T030405Z", clock=START), tmp_path / "a.log", 60)
    log = tmp_path / "b.log"
    log.write_text("".join((tmp_path / "a.log").read_text().splitlines(keepends=True)[:400]) + "[1/100] a.o\n")
    ratios = []
    for run, version in (("20260202T030405Z", "2.43"), ("20260203T030405Z", "2.42")):
        run_file(run=run, clock=START + 1000).add(
            "step_started", phase="p", step="s", package="binutils", version=version, log=str(log)
        )
        watching.now = START + 1001 + 20
        ratios.append(watching.poll().ratio or 0.0)
    assert 0.01 < ratios[0] < ratios[1] - 0.05


def test_a_log_that_all_steps_share_is_no_steps_own(
    journal: Path, tmp_path: Path, run_file: Callable[..., Any]
) -> None:
    """Where a builder writes one log for all steps, none gets the warnings or the size of another."""
    log = tmp_path / "all.log"
    log.write_text("a.c:1: warning: x [-Wx]\n" * 3 + "[90/100] a.o\n")
    watching = Watching(journal)
    run = run_file(run="20260102T030405Z", clock=START)
    run.add("step_started", phase="p", step="first", log=str(log))
    run.add("step_finished", after=60.0, phase="p", step="first", status="succeeded")
    run.add("step_started", phase="p", step="s", log=str(log))
    watching.now = run.clock + 1
    step = watching.poll()
    assert (step.warnings, step.ratio) == (None, None)
    with log.open("a") as file:
        file.write("b.c:1: warning: y [-Wy]\n[20/100] b.o\n")
    watching.now += 10
    step = watching.poll()
    assert (step.warnings, step.ratio) == (1, 0.2)
    size = log.stat().st_size
    run.add("step_finished", after=60.0, phase="p", step="s", status="succeeded")
    watching.now = run.clock + 1
    watching.poll()
    shape = step_run(watching).logs["p", "s"]
    assert 0 < shape.size < size / 2


def test_a_shared_log_is_not_read_again_for_each_step_of_an_import(tmp_path: Path, command: Callable[..., Any]) -> None:
    """A console of a thousand steps costs one reading, and counts nothing a thousand times."""
    log = tmp_path / "console.log"
    lines = []
    for number in range(1000):
        time = f"2026-01-02T03:{number // 60:02d}:{number % 60:02d}Z"
        lines.append(f"{time} STARTED p/s{number}\n{time} x.c:1: warning: odd\n{time} COMPLETED p/s{number}\n")
    log.write_text("".join(lines))
    done = command("import", "log", str(log), "--build", "lfs", "--journal", str(tmp_path / "journal"))
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "journal" / "lfs").glob("*.jsonl")
    reported = file.read_text()
    assert reported.count('"step_finished"') == 1000
    assert "warnings" not in reported
    assert "log_bytes" not in reported


def test_what_a_shared_log_held_before_is_passed_over(tmp_path: Path) -> None:
    """What is there at the first look is of other steps; of a log that is begun anew everything counts."""
    log = tmp_path / "all.log"
    log.write_text("a.c:1:1: warning: before\n")
    logs = AttemptLogs(lambda: [WarningReader()], log, "s", None, skip=True)
    found = []
    for text, mode in (("", "a"), ("b.c:1:1: warning: x\n" * 2, "a"), ("c: warning: y\n", "w"), ("d\n", "a")):
        with log.open(mode) as file:
            file.write(text)
        logs.read(lambda _: True, over=False)
        (reader,) = logs.readers
        assert isinstance(reader, WarningReader)
        found.append((reader.count, logs.read_bytes))
    assert found == [(0, 0), (2, 40), (1, 14), (1, 16)]
