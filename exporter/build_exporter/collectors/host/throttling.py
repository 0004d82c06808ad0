"""Thermal throttling of the CPUs: count and duration; only Intel's drivers report it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from build_exporter.collectors.host.files import read_number
from build_exporter.collectors.host.frequency import cpu_directories
from build_exporter.exposition import Family

_MILLISECOND: Final = 1e-3


class Throttling:
    """Throttle events and throttled time of each core and each package."""

    name = "throttling"

    def __init__(self, sys: str = "/sys") -> None:
        self._sys = sys

    def collect(self) -> Iterator[Family]:
        """Return the families; empty where the CPUs do not report it, and without durations before Linux 5.6."""
        scopes = {scope: _Scope(scope) for scope in ("core", "package")}
        for _, directory in cpu_directories(self._sys):
            package = read_number(directory / "topology/physical_package_id")
            core = read_number(directory / "topology/core_id")
            if package is None or core is None:
                continue
            for scope, labels in (("core", (str(package), str(core))), ("package", (str(package),))):
                counts = directory / "thermal_throttle"
                scopes[scope].add(
                    labels,
                    read_number(counts / f"{scope}_throttle_count"),
                    read_number(counts / f"{scope}_throttle_total_time_ms"),
                )
        for counters in scopes.values():
            yield from (counters.count, counters.seconds)


class _Scope:
    """The two families of cores or packages; several CPUs report the same one, the first is used."""

    def __init__(self, scope: str) -> None:
        self.count = Family(f"build_host_cpu_{scope}_throttles_total")
        self.seconds = Family(f"build_host_cpu_{scope}_throttled_seconds_total")
        self._seen: set[tuple[str, ...]] = set()

    def add(self, labels: tuple[str, ...], count: int | None, milliseconds: int | None) -> None:
        """Add the counters of one CPU."""
        if labels in self._seen or count is None:
            return
        self._seen.add(labels)
        self.count.add(count, *labels)
        if milliseconds is not None:
            self.seconds.add(round(milliseconds * _MILLISECOND, 3), *labels)
