"""Swap, paging and out-of-memory kills, from /proc/meminfo and /proc/vmstat.

psutil has neither major faults nor kills. With a second reading of /proc/vmstat for these the same families take
2.9 times the CPU time (psutil 7.2).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from build_exporter.collectors.host.files import number_after, read, read_if_present
from build_exporter.exposition import Family


class Swap:
    """Swap space and its use, and what the kernel does when memory runs out."""

    name = "swap"

    def __init__(self, proc: str = "/proc") -> None:
        self._meminfo = f"{proc}/meminfo"
        self._vmstat = f"{proc}/vmstat"
        page = os.sysconf("SC_PAGE_SIZE")
        self._counters = (
            ("build_host_swap_in_bytes_total", b"pswpin ", page),
            ("build_host_swap_out_bytes_total", b"pswpout ", page),
            ("build_host_major_page_faults_total", b"pgmajfault ", 1),
            ("build_host_oom_kills_total", b"oom_kill ", 1),
        )

    def collect(self) -> Iterator[Family]:
        """Return the families; those of the swap space only where there is any.

        Raises:
            OSError: /proc/meminfo can't be read.
        """
        text = read(self._meminfo)
        total, free = number_after(text, b"SwapTotal:"), number_after(text, b"SwapFree:")
        if total and free is not None:
            yield Family("build_host_swap_total_bytes").add(total * 1024)
            yield Family("build_host_swap_free_bytes").add(free * 1024)
        counts = read_if_present(self._vmstat) or b""
        for family, key, factor in self._counters:
            value = number_after(counts, key)
            if value is not None:
                yield Family(family).add(value * factor)
