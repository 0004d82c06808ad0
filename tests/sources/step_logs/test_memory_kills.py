"""Kills for want of memory: whether one fell into a step's time, and of what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.model.states import StepState
from build_exporter.monitor import Monitor
from build_exporter.sources.step_logs.memory_kills import MemoryKills
from build_exporter.sources.step_logs.watcher import StepLogWatcher

BOOT = 1000.0
RECORDS = """\
6,1,5000000,-;eth0: link up
4,2,90000000,-;Out of memory: Killed process 812 (cc1plus) total-vm:9kB, anon-rss:8kB
4,3,95000000,-;Memory cgroup out of memory: Killed process 813 (ld) total-vm:9kB
"""


class Kernel:
    """A kernel whose counter and log are files, and whose clock stands where it is put."""

    def __init__(self, top: Path) -> None:
        self.vmstat, self.log, self.now = top / "vmstat", top / "kmsg", BOOT + 100.0
        self.count(0)
        self.kills = MemoryKills(lambda: self.now, lambda: self.now - BOOT, str(top), str(self.log))

    def count(self, kills: int) -> None:
        """Set the counter."""
        self.vmstat.write_text(f"nr_free_pages 9\noom_kill {kills}\nzone_reclaim 0\n")


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    """A kernel that has killed nothing yet."""
    return Kernel(tmp_path)


@pytest.mark.parametrize(
    ("begin", "end", "said"),
    [
        (80.0, 96.0, "the kernel killed cc1plus, ld for want of memory"),
        (91.0, 96.0, "the kernel killed ld for want of memory"),
        (80.0, 86.9, ""),
        (80.0, 87.1, "the kernel killed cc1plus for want of memory"),
        (95.1, 99.0, ""),
    ],
)
def test_the_kernels_log_names_what_was_killed(kernel: Kernel, begin: float, end: float, said: str) -> None:
    """Where the kernel's log may be read, the step whose compiler it killed is reported by name; others are not."""
    kernel.log.write_text(RECORDS)
    assert kernel.kills.evidence(BOOT + begin, BOOT + end) == said


def test_without_the_log_the_counter_is_evidence(kernel: Kernel) -> None:
    """An ordinary user reads no kernel log: that the counter rose while the step ran is known all the same."""
    kernel.kills.poll()
    assert kernel.kills.evidence(BOOT, BOOT + 200.0) == ""
    kernel.count(2)
    kernel.kills.poll()
    assert kernel.kills.evidence(BOOT + 90.0, BOOT + 97.5) == "the kernel killed a process for want of memory"
    assert kernel.kills.evidence(BOOT + 90.0, BOOT + 96.5) == ""
    assert kernel.kills.evidence(BOOT + 100.5, BOOT + 200.0) == ""
    kernel.vmstat.unlink()
    kernel.kills.poll()


@pytest.mark.parametrize(("kills", "kind"), [(0, "killed"), (1, "out-of-memory")])
@pytest.mark.parametrize("known", [{}, {"error_class": "killed", "message": "ended by SIGKILL"}])
def test_a_killed_step_of_any_writer_is_out_of_memory_only_with_evidence(
    kernel: Kernel, journal: Path, tmp_path: Path, run_file: Callable[..., Any], kills: int, kind: str, known: Any
) -> None:
    """The hook knows an exit code alone; the exporter beside it knows whether memory was the reason."""
    log = tmp_path / "s.log"
    log.write_text("cc -c x.c\nc++: fatal error: Killed signal terminated program cc1plus\n")
    run = run_file(clock=BOOT + 80.0)
    run.add("step_started", phase="p", step="s", log=str(log))
    monitor = Monitor(str(journal))
    monitor.poll()
    watcher = StepLogWatcher(
        str(journal),
        lambda: [b.current for b in monitor.tracker.builds.values() if b.current is not None],
        lambda: kernel.now,
        memory_kills=kernel.kills,
    )
    watcher.poll()
    kernel.count(kills)
    run.add("step_finished", after=18.0, phase="p", step="s", status="failed", exit_code=137, **known)
    monitor.poll()
    watcher.poll()
    monitor.poll()
    current = monitor.tracker.builds["lfs"].current
    assert current is not None
    step = current.steps["p", "s"]
    assert (step.state, step.error_class) == (StepState.FAILED, kind)
    assert ("for want of memory" in (step.message or "")) == bool(kills)


@pytest.mark.parametrize("text", ["", "a 1\nnuma_oom_kill 3\n", "a\noom_kill x\n"])
def test_a_count_that_cannot_be_read_is_no_kill(tmp_path: Path, text: str) -> None:
    """An exporter out of descriptors for a moment raises no alert, and a kernel that does not count has no kills."""
    counter = tmp_path / "vmstat"
    counter.write_text(text)
    watched = MemoryKills(lambda: 100.0, proc=str(tmp_path))
    assert watched.poll() is None
    for count, now, before in (("3", 3, False), (None, 3, False), ("3", 3, False), ("4", 4, True)):
        counter.unlink(missing_ok=True)
        if count is not None:
            counter.write_text(f"a 1\noom_kill {count}\nb 2\n")
        assert (watched.poll(), bool(watched.evidence(99.0, 100.0))) == (now, before)
