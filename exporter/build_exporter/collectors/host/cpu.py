"""CPU time in each mode, tasks and context switches, from /proc/stat.

psutil reads the file once for each of its functions and has no count of running and blocked tasks: the same families by
psutil take 1.4 times the CPU time (psutil 7.2).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from build_exporter.collectors.host.files import number_after, read
from build_exporter.collectors.host.sliding_window import Extremes, MonotonicCounter
from build_exporter.exposition import Family

MODES: Final = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""Columns of the `cpu` line; the guests' columns after them are contained in user and nice."""

_WAITING: Final = (MODES.index("idle"), MODES.index("iowait"))

_SINGLE: Final = (
    ("build_host_context_switches_total", b"ctxt "),
    ("build_host_forks_total", b"processes "),
    ("build_host_tasks_running", b"procs_running "),
    ("build_host_tasks_blocked", b"procs_blocked "),
)


class Cpu:
    """CPU seconds by mode, summed over the CPUs, and the tasks they serve."""

    name = "cpu"

    def __init__(self, proc: str = "/proc") -> None:
        self._path = f"{proc}/stat"
        self._tick = 1 / os.sysconf("SC_CLK_TCK")
        self._shown = [MonotonicCounter() for _ in MODES]
        self._last: list[int] = []
        self._busy = Extremes()

    def collect(self) -> Iterator[Family]:
        """Return the families.

        Raises:
            OSError: /proc/stat can't be read.
            ValueError: it is not what the kernel writes.
        """
        text = read(self._path)
        ticks = [int(word) for word in text[: text.index(b"\n")].split()[1 : len(MODES) + 1]]
        seconds = Family("build_host_cpu_seconds_total")
        for mode, shown, value in zip(MODES, self._shown, ticks, strict=True):
            seconds.add(round(shown.follow(value) * self._tick, 2), mode)
        yield seconds
        yield Family("build_host_cpus").add(text.count(b"\ncpu"))
        yield from self._peak(ticks)
        for family, key in _SINGLE:
            if (count := number_after(text, key)) is not None:
                yield Family(family).add(count)

    def _peak(self, ticks: list[int]) -> Iterator[Family]:
        spent = [max(0, now - before) for now, before in zip(ticks, self._last or ticks, strict=True)]
        self._last = ticks
        total = sum(spent)
        if total:
            self._busy.add(1 - sum(spent[column] for column in _WAITING) / total)
            yield Family("build_host_cpu_busy_peak_ratio").add(self._busy.highest)
