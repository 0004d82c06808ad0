"""A disk that fills and a kernel that kills: found while the build runs, and over with their cause."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from build_exporter.alerting.host_watch import HostWatch, oom_kills
from build_exporter.monitor import Monitor
from build_exporter.queries.incidents import Kind

START = 1.78e9


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a file system cannot be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)


class Clock:
    """A clock that is set by hand."""

    now = START + 10

    def __call__(self) -> float:
        return self.now


def test_a_disk_that_fills_is_reported_after_three_seconds_and_over_with_space(
    small_disk: Path, journal: Path, run_file: Callable[..., Any]
) -> None:
    """The step's log shows where it writes; three seconds without space make the incident, space ends it."""
    run_file(clock=START).add("step_started", phase="p", step="s", log=str(small_disk / "s.log"))
    monitor, clock = Monitor(str(journal)), Clock()
    monitor.poll()
    watch = HostWatch(monitor, clock)
    watch.poll()
    assert watch.standing == []
    with (small_disk / "big").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"x" * 4096)
    watch.poll()
    clock.now += 2.9
    watch.poll()
    assert watch.standing == []
    clock.now += 0.2
    watch.poll()
    (found,) = watch.standing
    assert (found.kind, found.build, found.since) == (Kind.DISK_FULL, "lfs", START + 13)
    assert str(small_disk) in found.description
    (small_disk / "big").unlink()
    watch.poll()
    assert watch.standing == []


def test_a_kill_for_lack_of_memory_is_reported_once_and_for_ten_minutes(
    journal: Path, run_file: Callable[..., Any]
) -> None:
    """Only kills while a build runs count; a second one within ten minutes is the same incident."""
    run = run_file(clock=START)
    run.add("step_started", phase="p", step="s")
    monitor, clock, kills = Monitor(str(journal)), Clock(), [7]
    monitor.poll()
    watch = HostWatch(monitor, clock, lambda: kills[0])
    watch.poll()
    assert watch.standing == []
    kills[0] = 8
    watch.poll()
    (found,) = watch.standing
    assert (found.kind, found.since) == (Kind.OUT_OF_MEMORY, START + 10)
    kills[0], clock.now = 9, START + 609
    watch.poll()
    assert [each.failure for each in watch.standing] == [found.failure]
    clock.now = START + 611
    watch.poll()
    assert watch.standing == []
    kills[0] = 10
    watch.poll()
    run.add("step_finished", phase="p", step="s", status="succeeded")
    monitor.poll()
    watch.poll()
    assert watch.standing == []


@pytest.mark.skipif(not os.access("/proc/vmstat", os.R_OK), reason="/proc/vmstat cannot be read here")
def test_the_kernel_tells_how_many_it_killed() -> None:
    """The counter is there on this machine."""
    assert (oom_kills() or 0) >= 0
