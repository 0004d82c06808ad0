"""Hooks run on live events, get them whole, and can neither block nor break anything."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.config.schema import Hooks
from build_exporter.hooks.process import OUTPUT_BYTES, hooks_in, run_hook
from build_exporter.hooks.runner import MAX_WAITING, HookRunner
from build_exporter.monitor import Monitor

Poll = Callable[..., None]
NASTY = "$(touch pwned); `touch pwned` \x1b[31m'\"\nsecond"
CLEAN = NASTY.replace("\x1b[31m", "").replace("\n", " ")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory for hooks."""
    place = tmp_path / "hooks"
    place.mkdir()
    return place


def write(directory: Path, name: str, script: str, mode: int = 0o755) -> Path:
    """Write a hook."""
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(mode)
    return path


def test_a_hook_gets_the_event(
    journal: Path, run_file: Callable[..., Any], directory: Path, tmp_path: Path, poll: Poll
) -> None:
    """The event is on standard input as JSON and in the environment; text of the build is run by no shell."""
    got = tmp_path / "got"
    write(directory, "one", f'cat >>{got}.json; printf "%s\\n" "$BUILD_EXPORTER_STEP=$BUILD_EXPORTER_STATUS" >>{got}')
    run = run_file("lfs")
    run.step("p", "before")
    monitor = Monitor(str(journal))
    runner = HookRunner(monitor, Hooks(directory=str(directory)))
    monitor.poll()
    run.step("p", NASTY, status="failed", message="token=abcdefghij1234567890 boom")
    monitor.poll()
    poll(lambda: runner.counts["one", "succeeded"] == 1)
    event = json.loads(Path(f"{got}.json").read_text())
    assert (event["event"], event["build"], event["run"], event["step"]) == ("step_finished", "lfs", run.run, CLEAN)
    (line,) = got.read_text().splitlines()
    assert line.startswith("$(touch pwned)")
    assert line.endswith("=failed")
    assert "\x1b" not in line
    assert not Path("pwned").exists()
    assert runner.counts.total() == 1, "what was there before the start runs no hook"


def test_only_the_chosen_events(journal: Path, run_file: Callable[..., Any], directory: Path, poll: Poll) -> None:
    """Hooks run on the configured events; a milestone counts once, whether an event or the plan says it is reached."""
    write(directory, "all", "exit 0")
    run = run_file("lfs")
    run.add("plan", steps=[{"phase": "p", "step": "a"}], milestones=[{"name": "half", "step": "a"}])
    monitor = Monitor(str(journal))
    runner = HookRunner(monitor, Hooks(directory=str(directory), events=("milestone_reached",)))
    monitor.poll()
    run.step("p", "a")
    run.add("milestone_reached", milestone="half")
    monitor.poll()
    poll(lambda: runner.counts["all", "succeeded"] == 1)
    run.add("note", message="nothing")
    monitor.poll()
    assert runner.counts.total() == 1


def test_a_hook_that_hangs_is_killed_with_its_children(directory: Path, tmp_path: Path) -> None:
    """After its time a hook and what it started are gone, and what it had said is kept."""
    left = tmp_path / "pid"
    path = write(directory, "slow", f"echo begun; sleep 60 & echo $! >{left}; wait")
    done = run_hook(path, b"{}", {}, 0.5)
    assert (done.result, done.output) == ("timeout", "begun\n")
    child = Path(f"/proc/{left.read_text().strip()}/stat")
    assert not child.exists() or child.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize(("script", "result", "code"), [("exit 0", "succeeded", 0), ("exit 3", "failed", 3)])
def test_exit_codes(directory: Path, script: str, result: str, code: int) -> None:
    """0 is success, everything else a failure; one that reads nothing of a large event is no failure."""
    done = run_hook(write(directory, "h", script), b"x" * 1_000_000, {}, 10.0)
    assert (done.result, done.code) == (result, code)


def test_output_is_bounded(directory: Path) -> None:
    """Of a flood only the end is kept."""
    done = run_hook(write(directory, "h", "head -c 1000000 /dev/zero | tr '\\0' x; echo end"), b"", {}, 30.0)
    assert len(done.output) == OUTPUT_BYTES
    assert done.output.endswith("xend\n")


def test_what_others_may_write_is_not_run(directory: Path) -> None:
    """A hook that anyone may change, a hidden one, a backup and a plain file are passed over; the first is reported."""
    write(directory, "fine", "exit 0")
    write(directory, "open", "exit 0", 0o777)
    write(directory, ".hidden", "exit 0")
    write(directory, "old~", "exit 0")
    write(directory, "readme", "text", 0o644)
    found, refused = hooks_in(directory)
    assert [path.name for path in found] == ["fine"]
    assert [path.name for path, _ in refused] == ["open"]


def test_a_burst_is_bounded_and_never_waited_for(
    journal: Path, run_file: Callable[..., Any], directory: Path, poll: Poll
) -> None:
    """More events than may wait are dropped and counted; taking them costs the monitor nothing."""
    gate = directory / ".gate"
    os.mkfifo(gate)
    write(directory, "h", f"read line <{gate}")
    run = run_file("lfs")
    run.add("build_started")
    monitor = Monitor(str(journal))
    runner = HookRunner(monitor, Hooks(directory=str(directory), parallel=1, timeout=0.2))
    monitor.poll()
    for number in range(MAX_WAITING + 50):
        run.step("p", f"s{number}")
    monitor.poll()
    assert runner.counts["h", "dropped"] in (49, 50)
    runner.stop()


def test_a_directory_that_is_gone_is_no_failure(journal: Path, run_file: Callable[..., Any], tmp_path: Path) -> None:
    """Without the directory nothing runs, and events are read all the same."""
    run = run_file("lfs")
    run.add("build_started")
    monitor = Monitor(str(journal))
    runner = HookRunner(monitor, Hooks(directory=str(tmp_path / "gone")))
    monitor.poll()
    run.step("p", "a")
    assert monitor.poll() == 2
    assert runner.counts.total() == 0
