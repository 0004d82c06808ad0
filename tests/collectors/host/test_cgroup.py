"""Control groups of version 2, planted and real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from build_exporter.collectors.host.cgroup import find_mount, moved_bytes
from build_exporter.collectors.host.process_tree import ProcessTrees
from build_exporter.exposition import Family

SamplesOf = Callable[[Iterable[Family]], dict[str, float]]


class Kernel(Protocol):
    proc: Path
    uptime: float

    def fork(self, parent: int = 1, pid: int | None = None) -> int: ...


Charge = Callable[..., None]
Shown = Callable[..., Callable[[], dict[str, float]]]


@pytest.fixture
def charge(kernel: Kernel) -> Charge:
    """Return the function that sets what a control group has used."""

    def write(path: str, usage: int, **files: str) -> None:
        group = kernel.proc.parent / "cgroup" / path
        group.mkdir(parents=True, exist_ok=True)
        (group / "cpu.stat").write_text(
            f"usage_usec {usage}\nuser_usec 1\nnr_throttled 1\nthrottled_usec {usage // 2}\n"
        )
        for name, content in files.items():
            (group / name.replace("_", ".")).write_text(content)

    return write


@pytest.fixture
def groups(kernel: Kernel, samples_of: SamplesOf) -> Callable[[ProcessTrees], dict[str, float]]:
    """Return the function that samples trees and gives the figures of their control groups."""

    def take(trees: ProcessTrees) -> dict[str, float]:
        found = samples_of(trees.collect()).items()
        return {series.removeprefix("build_process_cgroup_"): value for series, value in found if "_cgroup_" in series}

    return take


@pytest.fixture
def shown(
    kernel: Kernel, groups: Callable[[ProcessTrees], dict[str, float]], process_trees: Callable[..., ProcessTrees]
) -> Shown:
    """Return the function that watches planted processes and gives a look at the figures of their control groups."""

    def watch(*roots: int) -> Callable[[], dict[str, float]]:
        trees = process_trees(lambda: {"lfs": [*roots]}, str(kernel.proc), boottime=lambda: kernel.uptime)
        return lambda: groups(trees)

    return watch


def enter(kernel: Kernel, pid: int, path: str) -> None:
    """Move a planted process into a control group."""
    (kernel.proc / str(pid) / "cgroup").write_text(f"4:memory:/old\n0::{path}\n")


def test_a_control_group_of_the_builds_own_is_shown(kernel: Kernel, charge: Charge, shown: Shown) -> None:
    """CPU, throttling, memory, I/O and out-of-memory kills of the step's control group are reported."""
    root = kernel.fork()
    enter(kernel, root, "/build.slice")
    files = {"memory_current": "1000\n", "memory_peak": "9000\n", "memory_events": "low 0\noom 2\noom_kill 4\n"}
    charge("build.slice", 5_000_000, io_stat="8:0 rbytes=10 wbytes=20 rios=1\n8:16 rbytes=1 wbytes=2\n", **files)
    look = shown(root)
    assert look() == {
        'cpu_seconds_total{build="lfs"}': 0,
        'throttled_seconds_total{build="lfs"}': 0,
        'memory_bytes{build="lfs"}': 1000,
        'peak_memory_bytes{build="lfs"}': 9000,
        'read_bytes_total{build="lfs"}': 0,
        'written_bytes_total{build="lfs"}': 0,
        'oom_kills_total{build="lfs"}': 0,
    }
    files["memory_events"] = "oom_kill 5\n"
    charge("build.slice", 7_500_000, io_stat="8:0 rbytes=110 wbytes=220\n8:16 rbytes=1 wbytes=2\n", **files)
    found = look()
    assert found['cpu_seconds_total{build="lfs"}'] == 2.5
    assert found['throttled_seconds_total{build="lfs"}'] == 1.25
    assert (found['read_bytes_total{build="lfs"}'], found['written_bytes_total{build="lfs"}']) == (100, 200)
    assert found['oom_kills_total{build="lfs"}'] == 1


def test_the_counters_continue_over_the_groups_of_many_packages(kernel: Kernel, charge: Charge, shown: Shown) -> None:
    """A group for each package comes and goes, a name comes back empty: the build's counter only rises."""
    root = kernel.fork()
    look = shown(root)
    seen = []
    for path, usage in (("a", 10), ("a", 13), ("b", 100), ("b", 105), ("b", 2), ("gone", 0)):
        enter(kernel, root, f"/{path}")
        if path != "gone":
            charge(path, usage * 1_000_000)
        seen.append(look()['cpu_seconds_total{build="lfs"}'])
    assert seen == [0, 3, 3, 8, 10, 10]


def test_a_group_that_holds_the_exporter_is_not_the_builds(kernel: Kernel, charge: Charge, shown: Shown) -> None:
    """Where build and exporter share a group, or the exporter is within the build's, its figures would say nothing."""
    root = kernel.fork()
    look = shown(root)
    for path in ("/system.slice/exporter.service", "/system.slice", "/", "/../outside"):
        charge(path.strip("/"), 1_000_000, memory_current="5\n")
        enter(kernel, root, path)
        assert look() == {}, path


def test_a_group_within_anothers_is_counted_once(kernel: Kernel, charge: Charge, shown: Shown) -> None:
    """Two steps of which one's group is within the other's: the outer's figures hold both."""
    outer, inner = kernel.fork(), kernel.fork()
    enter(kernel, outer, "/build")
    enter(kernel, inner, "/build/package")
    charge("build", 1, memory_current="700\n")
    charge("build/package", 1, memory_current="300\n")
    assert shown(outer, inner)()['memory_bytes{build="lfs"}'] == 700


@pytest.mark.parametrize("text", ["", "8:0 \n", "max\n"])
def test_an_io_stat_without_figures_shows_nothing(text: str) -> None:
    """A group without I/O accounts has no I/O figures, and no zeros either."""
    assert moved_bytes(text.encode()) == {}


@pytest.fixture
def real_group() -> Iterator[Path]:
    """Return a new control group of version 2 on this machine."""
    mount = find_mount(Path("/proc/self/mountinfo").read_bytes())
    path = Path(mount or "/nowhere", f"build-exporter-test-{os.getpid()}")
    try:
        path.mkdir()
    except OSError:
        pytest.skip("no control groups of version 2 that this user may make")
    yield path
    deadline = time.monotonic() + 10
    while True:
        try:
            path.rmdir()
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_real_control_groups_cpu_time_is_reported(
    real_group: Path,
    groups: Callable[[ProcessTrees], dict[str, float]],
    process_trees: Callable[..., ProcessTrees],
) -> None:
    """What the kernel charges to a real group comes out as it stands in its cpu.stat."""
    burn = "import time\nwhile time.process_time() < 30: pass"
    # the shell enters the group and only then becomes the one that burns
    enter_and_run = 'echo $$ > "$1/cgroup.procs" && echo in && read line && exec "$2" -c "$3"'
    command = ["sh", "-c", enter_and_run, "sh", str(real_group), sys.executable, burn]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdin is not None
            if process.stdout.readline() != b"in\n":
                pytest.skip("the group takes no processes")
            trees = process_trees(lambda: {"lfs": [process.pid]})
            assert groups(trees)['cpu_seconds_total{build="lfs"}'] == 0
            first = usage(real_group)
            process.stdin.write(b"\n")
            process.stdin.flush()
            deadline = time.monotonic() + 60
            while groups(trees)['cpu_seconds_total{build="lfs"}'] < 0.3:
                assert time.monotonic() < deadline
            low = usage(real_group) - first
            shown = groups(trees)['cpu_seconds_total{build="lfs"}']
            assert low - 1e-6 <= shown <= usage(real_group) - first + 0.01
        finally:
            process.send_signal(signal.SIGKILL)


def usage(group: Path) -> float:
    """Return a group's CPU time in seconds."""
    return int((group / "cpu.stat").read_text().split()[1]) / 1e6
