"""Every family of every topic, of a machine whose files are known."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from build_exporter.exposition import TEXT, Family, render

GOLDEN = Path(__file__).with_name("golden.prom")

Statvfs = Callable[[bytes], os.statvfs_result | None]
Collected = Callable[[Path, Statvfs], Iterator[Family]]


@pytest.fixture
def statvfs() -> Statvfs:
    """Return a statvfs for the planted mount points."""
    gib = 1024**3 // 4096
    answers = {
        b"/": (4096, 4096, 100 * gib, 40 * gib, 35 * gib, 1000, 400, 400, 0, 255),
        b"/mnt/lfs": (4096, 4096, 50 * gib, 20 * gib, 20 * gib, 0, 0, 0, 0, 255),
        b"/net/dist": (1048576, 1048576, 7, 3, 2, 10, 9, 9, os.ST_RDONLY, 255),
        b"/media/unlimited": (4096, 4096, 0, 0, 0, 0, 0, 0, 0, 255),
    }

    def answer(path: bytes) -> os.statvfs_result | None:
        if path == b"/etc/hosts":
            return None
        if path == "/srv/größe".encode():
            raise PermissionError(13, "no")
        return os.statvfs_result(answers.get(path, (512, 4096, 10, 5, 4, 3, 2, 2, 0, 255)))

    return answer


def test_each_topic_shows_what_the_files_say(psutil_reads: Path, statvfs: Statvfs, collected: Collected) -> None:
    """What a machine's files say comes out under the documented names, units and labels, and nothing else does."""
    shown = render(collected(psutil_reads, statvfs), TEXT)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_bytes(shown)
    assert shown.decode() == GOLDEN.read_text(encoding="utf-8")


def test_a_machine_that_lacks_everything_shows_less_and_fails_nowhere(
    psutil_reads: Path,
    statvfs: Statvfs,
    collected: Collected,
    samples_of: Callable[[Iterable[Family]], dict[str, float]],
) -> None:
    """Without sensors, pressure accounting, swap, vmstat or cpufreq the families are absent and nothing is an error."""
    keep = {"stat", "loadavg", "meminfo", "diskstats", "dev", "mountinfo"}
    for path in [path for path in psutil_reads.rglob("*") if path.is_file() or path.is_symlink()]:
        if path.name not in keep:
            path.unlink()
    meminfo = psutil_reads / "proc/meminfo"
    meminfo.write_text(meminfo.read_text().replace("2000000 kB\nSwapFree:        1200000", "0 kB\nSwapFree: 0"))
    shown = samples_of(collected(psutil_reads, statvfs))
    assert {series for series in shown if "swap" in series or "pressure" in series} == set()
    assert {series for series in shown if "temperature" in series or "frequency" in series} == set()
    assert shown["build_host_memory_total_bytes"] == 8000000 * 1024
