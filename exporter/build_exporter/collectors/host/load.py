"""Load averages, from /proc/loadavg."""

from __future__ import annotations

from collections.abc import Iterator

from build_exporter.collectors.host.files import read
from build_exporter.exposition import Family


class Load:
    """Tasks that run or are blocked, averaged over 1, 5 and 15 minutes."""

    name = "load"

    def __init__(self, proc: str = "/proc") -> None:
        self._path = f"{proc}/loadavg"

    def collect(self) -> Iterator[Family]:
        """Return the families.

        Raises:
            OSError: /proc/loadavg can't be read.
            ValueError: it is not what the kernel writes.
        """
        one, five, fifteen, *_ = read(self._path).split()
        yield Family("build_host_load1").add(float(one))
        yield Family("build_host_load5").add(float(five))
        yield Family("build_host_load15").add(float(fifteen))
