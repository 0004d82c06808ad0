"""Facts about the machine: boot time, time suspended, kernel."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import psutil

from build_exporter.collectors.host.sliding_window import MonotonicCounter
from build_exporter.exposition import Family


class System:
    """Boot time, suspended time and uname."""

    name = "system"

    def __init__(self) -> None:
        self._slept = MonotonicCounter()

    def collect(self) -> Iterator[Family]:
        """Return the families.

        Raises:
            OSError: /proc/stat can't be read.
        """
        yield Family("build_host_boot_timestamp_seconds").add(psutil.boot_time())
        # the one clock continues while the machine sleeps, the other does not
        slept = time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
        yield Family("build_host_suspended_seconds_total").add(self._slept.follow(round(slept, 1)))
        name = os.uname()
        words = (name.sysname, name.release, name.version, name.machine, name.nodename)
        yield Family("build_host_uname_info").add(1, *words)
