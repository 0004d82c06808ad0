"""Verdicts of steps that a control group holds back, provoked with real groups where root may make them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

GROUPS = Path("/sys/fs/cgroup")
MIB = 1024**2
LIMITS = {
    # controller: version 1's files, version 2's
    "cpu": ({"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "15000"}, {"cpu.max": "15000 100000"}),
    "memory": ({"memory.limit_in_bytes": str(64 * MIB)}, {"memory.max": str(64 * MIB)}),
}
BUSY = "while :; do :; done & while :; do :; done & while :; do :; done"
THRASH = f"""
import mmap, os, random
with open("data", "w+b") as file:
    for _ in range(192):
        file.write(os.urandom({MIB}))
    file.flush()
    data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    data.madvise(mmap.MADV_RANDOM)
    while True:
        data[random.randrange(len(data))]
"""
STEPS = {"throttled": ("cpu", ["sh", "-c", BUSY]), "swapping": ("memory", [sys.executable, "-c", THRASH])}


def make_group(controller: str, name: str) -> Path:
    """Return a new control group with a tight limit; skip where there can be none."""
    old, new = LIMITS[controller]
    is_first_version = (GROUPS / controller).is_dir()
    group = (GROUPS / controller if is_first_version else GROUPS) / name
    try:
        group.mkdir()
        for file, value in (old if is_first_version else new).items():
            (group / file).write_text(value)
    except OSError as error:
        with suppress(OSError):
            group.rmdir()
        pytest.skip(f"no control group with a limit of {controller} can be made here: {error}")
    return group


@pytest.fixture
def held_back(journal: Path, tmp_path: Path) -> Iterator[None]:
    """A step whose CPU quota is a tenth of what it wants, and one whose file is three times its memory."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(tmp_path)], capture_output=True, text=True, check=True).stdout
    if "tmpfs" in kind:
        pytest.skip("files in memory can't be dropped from it and read back")
    groups, started = [], []
    for verdict, (controller, command) in STEPS.items():
        groups.append(make_group(controller, f"build-exporter-{verdict}-{os.getpid()}"))
        words = [sys.executable, "-m", "build_exporter", "run", "--journal", str(journal), "--build", verdict]
        enter = f'echo $$ > {groups[-1]}/cgroup.procs; exec "$@"'
        started.append(
            subprocess.Popen(
                ["sh", "-c", enter, "sh", *words, "--phase", "p", "--step", "s", "--", *command],
                cwd=tmp_path,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )
    yield
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
    for group in groups:
        while pids := (group / "cgroup.procs").read_text().split():
            for pid in map(int, pids):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        group.rmdir()


@pytest.mark.timeout(240)
def test_what_a_control_group_holds_back_is_named(
    held_back: None,
    serve: Callable[..., Any],
    poll: Callable[..., None],
    verdict_on: Callable[[Any, str], str],
) -> None:
    """A quota and want of memory are distinguished from a step that is merely slow."""
    exporter = serve()
    verdict = partial(verdict_on, exporter)
    for build in STEPS:
        poll(lambda build=build: verdict(build) == build, 90, f"{build} is {verdict(build)}")
