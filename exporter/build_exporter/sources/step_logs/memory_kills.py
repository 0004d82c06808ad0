"""Processes that the kernel killed for want of memory: its counter, and its log where readable.

oom_kill 3                                                      (/proc/vmstat)
6,812,4711000000,-;Out of memory: Killed process 812 (cc1plus) total-vm:…   (/dev/kmsg: µs since boot)
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

KEPT: Final = 64
"""Kills that are remembered."""

KERNEL_LOG_BYTES: Final = 8192
"""Longest record of the kernel's log."""

KERNEL_LOG_RECORDS: Final = 20_000

SLACK_SECONDS: Final = 3.0
"""A kill is seen so much later than the step it ended has, at most."""

_KILLED: Final = re.compile(rb"^\d+,\d+,(\d+),.*?;.*[Oo]ut of memory: Killed process \d+ \(([^)\n]{1,64})\)")


class MemoryKills:
    """Knows when the kernel killed processes for want of memory, and which, as far as it may be read; of any thread."""

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        uptime: Callable[[], float] = time.monotonic,
        proc: str = "/proc",
        kernel_log: str = "/dev/kmsg",
    ) -> None:
        """Begin to look; `clock` is Unix time, `uptime` that of the kernel's log."""
        self._clock, self._uptime = clock, uptime
        self._vmstat, self._kernel_log = f"{proc}/vmstat", kernel_log
        self._lock = threading.Lock()
        self._count: int | None = None
        self._times: deque[float] = deque(maxlen=KEPT)
        self.poll()

    def poll(self) -> int | None:
        """Look whether there were any since the last time; return how many there were since the kernel started.

        It is the number of the last look where the kernel's can't be read, and None as long as it never could.
        """
        with self._lock:
            before, self._count = self._count, self._read_count()
            if before is not None and self._count is not None and self._count > before:
                self._times.append(self._clock())
            return self._count

    def evidence(self, begin: float | None, end: float | None) -> str:
        """Return in words what was killed between two Unix times; empty where nothing was, or nobody may know."""
        begin, end = begin or 0.0, (end or self._clock()) + SLACK_SECONDS
        names = [name for moment, name in self._logged() if begin <= moment <= end]
        if names:
            return f"the kernel killed {', '.join(dict.fromkeys(names))} for want of memory"
        with self._lock:
            times = tuple(self._times)
        if any(begin <= moment <= end for moment in times):
            return "the kernel killed a process for want of memory"
        return ""

    def _read_count(self) -> int | None:
        try:
            with open(self._vmstat, "rb") as file:  # noqa: PTH123 - a string
                found = file.read().partition(b"\noom_kill ")[2].partition(b"\n")[0]
        except OSError:
            # a moment without descriptors or memory: with any other number the next look would find a kill
            return self._count
        return int(found) if found.isdigit() else self._count

    def _logged(self) -> list[tuple[float, str]]:
        """Return Unix time and name of the processes that the kernel's log says it killed."""
        try:
            descriptor = os.open(self._kernel_log, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return []
        found: list[tuple[float, str]] = []
        booted = self._clock() - self._uptime()
        try:
            for _ in range(KERNEL_LOG_RECORDS):
                # the device gives a record a read; a file, as in tests, many
                records = os.read(descriptor, KERNEL_LOG_BYTES)
                if not records:
                    break
                killed = [match for line in records.split(b"\n") if (match := _KILLED.match(line)) is not None]
                found += [(booted + int(match[1]) / 1e6, match[2].decode("utf-8", "replace")) for match in killed]
        except OSError:
            # all has been read, or the oldest was overwritten meanwhile
            pass
        finally:
            os.close(descriptor)
        return found[-KEPT:]
