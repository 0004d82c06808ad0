"""Other people's builds: the same state imported, followed, attached late or restarted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.model.states import StepState
from build_exporter.tracker.progress import build_progress

BUILDS = {
    # stamp: console log, state, steps, tasks that succeeded, failed, seconds from beginning to end
    "20240412132338": ("20240412132202.log", "FAILED", 1, 0, 0, 194),
    "20240412132813": ("20240412132810.log", "SUCCEEDED", 176, 175, 0, 2545),
    "20241228144901": ("20241228144725.log", "FAILED", 11, 7, 3, 84),
    "20241228215036": ("20241228215033.log", "FAILED", 4, 1, 3, 38),
}


@pytest.fixture
def record(records: Path) -> Path:
    """The recorded build directory."""
    return records / "bitbake/buildstats/c08yyl/build"


@pytest.mark.parametrize("stamp", BUILDS)
def test_a_real_build_is_imported(record: Path, follow: Callable[..., Any], stamp: str) -> None:
    """Importing a build directory emits each build's tasks, failures, end and state as its files have them."""
    _, state, steps, succeeded, failed, seconds = BUILDS[stamp]
    follower = follow(record)
    assert follower.poll(over=True) > 0
    run = follower.runs()[list(BUILDS).index(stamp)]
    tasks = [step for step in run.steps.values() if step.phase.startswith("do_")]
    restored = [step for step in run.steps.values() if step.phase == "setscene"]
    assert (run.state.name, run.target, round(run.end - run.start)) == (state, "qemux86-64", seconds)
    assert len(tasks) + len(restored) == steps
    assert [sum(step.state.name == name for step in tasks) for name in ("SUCCEEDED", "FAILED")] == [succeeded, failed]
    assert all(step.message and "FileNotFoundError" in step.message for step in run.failed.values())
    follower.restart()
    assert follower.poll(over=True) == 0


def test_a_real_console_log_is_imported(records: Path, follow: Callable[..., Any]) -> None:
    """A console log alone gives every task that was run, that all succeeded, and no duration it does not know."""
    follower = follow(records / "bitbake/console-dunfell-9030-tasks.log")
    follower.poll(over=True)
    (run,) = follower.runs()
    assert (run.state.name, len(run.steps), len(run.phases)) == ("SUCCEEDED", 7863, 60)
    assert {step.state.name for step in run.steps.values()} == {"SUCCEEDED"}
    assert {step.seconds for step in run.steps.values()} == {None}
    follower.restart()
    assert follower.poll(over=True) == 0


def test_a_real_console_log_followed(records: Path, tmp_path: Path, follow: Callable[..., Any]) -> None:
    """A console log that grows gives the import's states, and progress that follows its total."""
    lines = (records / "bitbake/console-dunfell-9030-tasks.log").read_bytes().splitlines(keepends=True)
    log = tmp_path / "console.log"
    log.touch()
    followed, restarted = follow(log, "followed"), follow(log, "restarted")
    with log.open("ab", buffering=0) as file:
        for begin in range(0, len(lines), 1500):
            file.write(b"".join(lines[begin : begin + 1500]))
            followed.poll()
            restarted.restart()
            restarted.poll()
            if begin == 12000:
                (run,) = followed.runs()
                # tasks with nothing to run are in BitBake's total, and are no steps
                done = run.count(StepState.SUCCEEDED)
                left = run.steps["tasks", "tasks-not-begun-yet"].expected_seconds / 10
                assert 3000 < done < 5000
                assert 9030 - 1200 < done + left < 9030 + 90
                assert build_progress(run, run.last_event) == pytest.approx(done / (done + left), abs=0.01)
    for follower in (followed, restarted):
        (run,) = follower.runs()
        assert (run.state.name, len(run.steps)) == ("SUCCEEDED", 7863)
        assert {step.state.name for step in run.steps.values()} == {"SUCCEEDED"}
        assert {step.attempts for step in run.steps.values()} == {1}
