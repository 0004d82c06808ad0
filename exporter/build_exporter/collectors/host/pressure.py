"""Pressure stall information, from /proc/pressure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from build_exporter.collectors.host.files import read_if_present
from build_exporter.exposition import Family

_RESOURCES: Final = ("cpu", "memory", "io", "irq")
_MICROSECOND: Final = 1e-6


class Pressure:
    """Time lost waiting for a resource; nothing where the kernel keeps no account of it (`psi=0`, before 4.20)."""

    name = "pressure"

    def __init__(self, proc: str = "/proc") -> None:
        self._paths = [(resource, f"{proc}/pressure/{resource}") for resource in _RESOURCES]

    def collect(self) -> Iterator[Family]:
        """Return the families.

        Raises:
            OSError: a file is there and can't be read.
            ValueError: it is not what the kernel writes.
        """
        families = {
            b"some": Family("build_host_pressure_some_seconds_total"),
            b"full": Family("build_host_pressure_full_seconds_total"),
        }
        for resource, path in self._paths:
            for line in (read_if_present(path) or b"").splitlines():
                kind, _, rest = line.partition(b" ")
                if kind in families:
                    total = int(rest[rest.rindex(b"total=") + len(b"total=") :])
                    families[kind].add(round(total * _MICROSECOND, 6), resource)
        yield from families.values()
