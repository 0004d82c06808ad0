"""Tables of BitBake's buildstats: a task's file, the newest sign of life, and what is read in which order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from build_exporter.sources.bitbake.stats import BuildStats, Task, read_task

KEY = ("do_compile", "a-1.0-r0")
T = 1_750_000_000.0
USED = {"cpu_seconds": 4.0, "max_rss_bytes": 3072, "read_bytes": 5, "written_bytes": 6}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (f"Started: {T + 1}", (1.0, None, None)), (f"Started: {T + 1.00049}", (1.0, None, None)), ("", None),
        (f"Started: {T + 1}\nEnded: {T + 9.5}\nStatus: PASSED", (1.0, 9.5, "succeeded")),
        (f"Started: {T + 1}\nEnded: {T + 9.5}\nStatus: FAILED", (1.0, 9.5, "failed")),
        (f"Started: {T + 1}\nEnded: {T - 9.5}\nStatus: PASSED", (1.0, 1.0, "succeeded")),
        (f"Started: {T + 1}\nEnded: {T + 9.5}", (1.0, None, None)),
        (f"Started: {T + 1}\nEnded: {T + 101}\nStatus: PASSED", (1.0, None, None)),
        (f"Started: {T + 100}", (100.0, None, None)), (f"Started: {T + 101}", None), ("Started: 946684799", None),
        ("Started: soon", None),
    ],
)  # fmt: skip
def test_a_tasks_file(lines: str, expected: tuple[float, float | None, str | None] | None) -> None:
    """Start, end and status; it has ended with both, and no earlier than it began; no time is beyond the latest."""
    found = read_task(KEY, f"Event: TaskStarted \n{lines} \n", T + 100)
    if expected is None:
        assert found is None
        return
    start, end, status = expected
    assert found == Task(KEY, T + start, None if end is None else T + end, status)  # type: ignore[arg-type]


def test_what_a_task_used() -> None:
    """CPU time of the task and its children adds up, of memory the larger counts; no figure is no field."""
    begun = f"Started: {T}\nEnded: {T + 1}\nStatus: PASSED\n"
    own = "rusage ru_utime: 0.5\nrusage ru_stime: 0.25\nrusage ru_maxrss: 2\nIO read_bytes: 5\nIO write_bytes: 6\n"
    children = "Child rusage ru_utime: 3\nChild rusage ru_stime: 0.25\nChild rusage ru_maxrss: 3\n"
    found = [read_task(KEY, begun + text) for text in (own + children, children, own.replace("5", "-5"), "")]
    assert [task.used for task in found if task is not None] == [
        USED, {"cpu_seconds": 3.25, "max_rss_bytes": 3072},
        {"max_rss_bytes": 2048, "written_bytes": 6}, {},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("beats", "changed", "over", "expected"),
    [
        ([50], 60, False, 50), ([50, 70], 60, False, 50), ([50, 61], 60, False, 61), ([50, 62], 60, False, 50),
        ([5], 60, False, 20), ([50], 60, True, 20), ([], 60, False, 20),
    ],
)  # fmt: skip
def test_the_newest_sign_of_life(tmp_path: Path, beats: list[int], changed: int, over: bool, expected: int) -> None:
    """The last end of a task or heartbeat; of one later than its file was written to nothing is believed."""
    (tmp_path / "a-1.0-r0").mkdir()
    (tmp_path / "a-1.0-r0/do_compile").write_text(f"Started: {T + 10}\nEnded: {T + 20}\nStatus: PASSED\n")
    (tmp_path / "build_stats").write_text(f"Build Started: {T}\n" + "Elapsed time: 20 seconds\n" * over)
    log = tmp_path / "monitor_disk.log"
    log.write_text("x" + "".join(f"\n\n{T + beat:.0f}\n/: 1" for beat in beats))
    os.utime(log, (T + changed, T + changed))
    stats = BuildStats(tmp_path)
    assert [task.end for task in stats.poll()] == [T + 20]
    assert (stats.newest(), stats.ended) == (T + expected, T + 20 if over else None)
    assert stats.touched()[1]
