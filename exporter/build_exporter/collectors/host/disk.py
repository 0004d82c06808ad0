"""Disk I/O; psutil handles counters that wrap around."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

import psutil

from build_exporter.exposition import Family

MAX_DISKS: Final = 64
"""Disks shown at most."""

_MEMORY_BACKED: Final = ("loop", "ram")
_MILLISECOND: Final = 1e-3


class Disk:
    """Reads, writes and busy time of each whole disk that was ever used; partitions are contained in theirs."""

    name = "disk"

    def __init__(self, sys: str = "/sys") -> None:
        self._block = f"{sys}/block"

    def collect(self) -> Iterator[Family]:
        """Return the families.

        Raises:
            OSError: the counters can't be read.
        """
        read_bytes, written = Family("build_host_disk_read_bytes_total"), Family("build_host_disk_written_bytes_total")
        reads, writes = Family("build_host_disk_reads_total"), Family("build_host_disk_writes_total")
        reading, writing = Family("build_host_disk_read_seconds_total"), Family("build_host_disk_write_seconds_total")
        busy = Family("build_host_disk_io_seconds_total")
        counters = psutil.disk_io_counters(perdisk=True) or {}
        used = [name for name, counts in counters.items() if counts.read_count or counts.write_count]
        for device in self._whole_disks(used):
            counts = counters[device]
            read_bytes.add(counts.read_bytes, device)
            written.add(counts.write_bytes, device)
            reads.add(counts.read_count, device)
            writes.add(counts.write_count, device)
            reading.add(round(counts.read_time * _MILLISECOND, 3), device)
            writing.add(round(counts.write_time * _MILLISECOND, 3), device)
            busy.add(round(counts.busy_time * _MILLISECOND, 3), device)
        yield from (read_bytes, written, reads, writes, reading, writing, busy)

    def _whole_disks(self, names: list[str]) -> list[str]:
        try:
            # the kernel writes a slash in a device's name as an exclamation mark there
            whole = {name.replace("!", "/") for name in os.listdir(self._block)}  # noqa: PTH208 - names alone
        except OSError:
            whole = set(names)  # a container without /sys: partitions are better than nothing
        return [name for name in names if name in whole and not name.startswith(_MEMORY_BACKED)][:MAX_DISKS]
