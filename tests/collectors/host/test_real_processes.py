"""Process trees of real processes: what the kernel says in the end is what was shown."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest

from build_exporter.collectors.host.process_tree import ProcessTrees
from build_exporter.exposition import Family

Sample = Callable[[ProcessTrees], dict[str, float]]
MIB = 1024**2

BURN = "import time\nwhile time.process_time() < {seconds}: pass\n"


@pytest.fixture
def sample(samples_of: Callable[[Iterable[Family]], dict[str, float]]) -> Sample:
    """Return the function that takes a sample and returns its figures by the family's name without prefix."""

    def take(trees: ProcessTrees) -> dict[str, float]:
        found = samples_of(trees.collect())
        return {series.partition("{")[0].removeprefix("build_process_"): value for series, value in found.items()}

    return take


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Return the function that starts a shell script in a process group of its own; ended with the test."""
    running: list[subprocess.Popen[bytes]] = []

    def run(script: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = ["sh", "-c", script, "sh", *arguments]
        running.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True))
        return running[-1]

    yield run
    for process in running:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()


def until(check: Callable[[], bool]) -> None:
    """Poll until something holds."""
    deadline = time.monotonic() + 30
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def open_files() -> int:
    """Return how many descriptors this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def has_ended(pid: int) -> bool:
    """Return whether a child of ours has ended; it is not waited for."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def test_cpu_time_is_what_the_kernel_bills_in_the_end(
    start: Callable[..., subprocess.Popen[bytes]],
    sample: Sample,
    process_trees: Callable[..., ProcessTrees],
) -> None:
    """Over processes that come and go the counter only rises, and ends at the rusage of the whole tree."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    burn = BURN.format(seconds=0.08)
    script = 'for i in 1 2 3; do "$0" -c "$1" & "$0" -c "$1" & wait; (sh -c "\\"$0\\" -c \\"$1\\"" "$0" "$1"); done'
    root = start(f'exec sh -c \'{script}\' "$1" "$2"', sys.executable, burn)
    trees = process_trees(lambda: {"lfs": [root.pid]})
    seen = [0.0]
    while not has_ended(root.pid):
        seen.append(sample(trees)["cpu_seconds_total"])
    seen.append(sample(trees)["cpu_seconds_total"])
    root.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert seen == sorted(seen)
    assert used > 0.6
    # the kernel rounds user and system time of each of the shells and burners to hundredths
    assert seen[-1] == pytest.approx(used, abs=0.1)
    assert sample(trees)["cpu_seconds_total"] == seen[-1]


def test_memory_is_seen_now_and_at_its_peak(
    start: Callable[..., subprocess.Popen[bytes]], sample: Sample, process_trees: Callable[..., ProcessTrees]
) -> None:
    """A compiler that took memory and ended leaves its peak behind."""
    program = "import sys; held = bytearray(b'x') * (64 << 20); print('held', flush=True); sys.stdin.readline()"
    root = start('"$1" -c "$2"; echo done; read line', sys.executable, program)
    assert root.stdin is not None
    assert root.stdout is not None
    trees = process_trees(lambda: {"lfs": [root.pid]})
    assert root.stdout.readline() == b"held\n"
    full = sample(trees)
    assert full["memory_bytes"] > 64 * MIB
    assert full["processes"] == 2
    root.stdin.write(b"\n")
    root.stdin.flush()
    assert root.stdout.readline() == b"done\n"
    after = sample(trees)
    assert after["memory_bytes"] < 16 * MIB
    assert after["peak_memory_bytes"] >= full["memory_bytes"]
    assert after["processes"] == 1


def test_bytes_written_by_children_that_ended_are_counted(
    start: Callable[..., subprocess.Popen[bytes]],
    sample: Sample,
    tmp_path: Path,
    process_trees: Callable[..., ProcessTrees],
) -> None:
    """What the linker wrote before it ended is the step's; files in memory are not storage."""
    probe = Path("/proc/self/io").read_text()
    (tmp_path / "probe").write_bytes(bytes(MIB))
    if probe.split()[11] == Path("/proc/self/io").read_text().split()[11]:
        pytest.skip("the tests' directory is not on storage")
    root = start('head -c 8388608 /dev/zero > "$1"; echo done; read line', str(tmp_path / "big"))
    trees = process_trees(lambda: {"lfs": [root.pid]})
    assert root.stdout is not None
    assert root.stdout.readline() == b"done\n"
    assert 8 * MIB <= sample(trees)["written_bytes_total"] < 9 * MIB


def test_a_process_whose_parent_was_killed_stays_the_steps(
    start: Callable[..., subprocess.Popen[bytes]],
    sample: Sample,
    process_trees: Callable[..., ProcessTrees],
) -> None:
    """A step that is killed half-way continues using the machine, and that is shown."""
    root = start(
        'sh -c "\\"\\$0\\" -c \\"\\$1\\" & echo \\$\\$; wait" "$1" "$2"; read line',
        sys.executable,
        BURN.format(seconds=60),
    )
    assert root.stdout is not None
    middle = int(root.stdout.readline())
    trees = process_trees(lambda: {"lfs": [root.pid]})
    until(lambda: sample(trees)["processes"] == 3)
    os.kill(middle, signal.SIGKILL)
    until(lambda: sample(trees)["processes"] == 2)
    used = sample(trees)["cpu_seconds_total"]
    until(lambda: sample(trees)["cpu_seconds_total"] > used + 0.1)


def test_a_pid_that_the_kernel_gave_to_another_process_is_not_followed(
    sample: Sample, process_trees: Callable[..., ProcessTrees]
) -> None:
    """A real reuse of the root's pid: what runs under it now is not the build's."""
    last = Path("/proc/sys/kernel/ns_last_pid")
    try:
        last.write_text(last.read_text())
    except OSError:
        # its mode lets everyone, the kernel root alone
        pytest.skip("choosing the next pid takes root")
    first = subprocess.Popen(["sleep", "60"])
    trees = process_trees(lambda: {"lfs": [first.pid]})
    assert sample(trees)["processes"] == 1
    start = time.clock_gettime(time.CLOCK_BOOTTIME)
    first.kill()
    first.wait()
    # two processes with one pid differ by their start in hundredths of a second at least
    until(lambda: time.clock_gettime(time.CLOCK_BOOTTIME) > start + 0.05)
    second = None
    for _ in range(300):
        last.write_text(str(first.pid - 1))
        second = subprocess.Popen(["sleep", "60"])
        if second.pid == first.pid:
            break
        second.kill()
        second.wait()
    assert second is not None
    try:
        if second.pid != first.pid:
            pytest.skip("others took the pid each time")
        shown = sample(trees)
        assert (shown["processes"], shown["memory_bytes"]) == (0, 0)
    finally:
        second.kill()
        second.wait()


def test_descriptors_are_kept_within_bounds_and_given_back(
    start: Callable[..., subprocess.Popen[bytes]],
    sample: Sample,
    process_trees: Callable[..., ProcessTrees],
) -> None:
    """Many processes do not use up what the exporter may open, and a step that ended leaves nothing open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    root = start("for i in $(seq 60); do sleep 60 & done; wait")
    running = {"lfs": [root.pid]}
    before = open_files()
    limit = before + 100  # whatever this process has open besides
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        trees = process_trees(lambda: running)
        until(lambda: sample(trees)["processes"] == 61)
        assert sample(trees)["processes"] == 61
        assert before < open_files() <= before + limit // 4
        running = {}
        sample(trees)
        assert open_files() == before
        running = {"lfs": [root.pid]}
        sample(trees)
        trees.close()
        assert open_files() == before
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_another_users_processes_show_all_but_their_io(
    start: Callable[..., subprocess.Popen[bytes]],
    sample: Sample,
    unprivileged: Callable[[], AbstractContextManager[None]],
    process_trees: Callable[..., ProcessTrees],
) -> None:
    """An exporter that is not root still shows what the root's build uses, I/O excepted."""
    if os.geteuid() != 0:
        pytest.skip("processes of two users take root")
    root = start("read line")
    trees = process_trees(lambda: {"lfs": [root.pid]})
    with unprivileged():
        shown = sample(trees)
        shown = sample(trees)
    assert {"cpu_seconds_total", "memory_bytes", "processes"} <= shown.keys()
    assert not [name for name in shown if name in ("read_bytes_total", "written_bytes_total")]
