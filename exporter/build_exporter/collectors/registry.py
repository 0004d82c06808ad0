"""The registry of collectors: one row each, which also defines the command-line switch."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Final, cast

from build_exporter.collectors.runners import Collector


@dataclass(frozen=True, slots=True)
class HostCollector:
    """A collector that needs nothing but the machine: made from `module:Class`, sampled every `interval` seconds.

    `thread` names the thread it shares with others: what may wait for a device, a network or a program is apart from
    what only reads the kernel's memory.
    """

    name: str
    target: str
    help: str
    enabled: bool = True
    interval: float = 4.0
    thread: str = "machine"

    def make(self) -> Collector:
        """Return a new collector; its module is loaded only now."""
        module, _, name = self.target.partition(":")
        return cast("Collector", getattr(import_module(module), name)())


_HOST: Final = "build_exporter.collectors.host"

HOST_COLLECTORS: Final[tuple[HostCollector, ...]] = (
    HostCollector(
        "cpu", f"{_HOST}.cpu:Cpu", "CPU time by mode, tasks that run or are blocked, context switches.", interval=1.0
    ),
    HostCollector("load", f"{_HOST}.load:Load", "Load averages."),
    HostCollector("memory", f"{_HOST}.memory:Memory", "Memory: total, available, caches, unwritten.", interval=1.0),
    HostCollector("swap", f"{_HOST}.swap:Swap", "Swap, paging and out-of-memory kills."),
    HostCollector("pressure", f"{_HOST}.pressure:Pressure", "Time lost waiting for CPU, memory and I/O."),
    HostCollector("disk", f"{_HOST}.disk:Disk", "Disk reads, writes and busy time."),
    HostCollector("network", f"{_HOST}.network:Network", "Network traffic, errors and drops."),
    HostCollector(
        "throttling", f"{_HOST}.throttling:Throttling", "CPUs slowed down by heat.", interval=15.0, thread="sensors"
    ),
    HostCollector(
        "temperature", f"{_HOST}.temperature:Temperature", "Temperature sensors.", interval=15.0, thread="sensors"
    ),
    HostCollector(
        "frequency", f"{_HOST}.frequency:Frequency", "Clock frequency of the CPUs.", interval=15.0, thread="sensors"
    ),
    HostCollector(
        "filesystem", f"{_HOST}.filesystem:Filesystem", "Space on file systems.", interval=15.0, thread="filesystem"
    ),
    HostCollector(
        "distccd", f"{_HOST}.distccd:Distccd", "Jobs this machine's distccd does (--stats).", False, 15.0, "distccd"
    ),
    HostCollector("system", f"{_HOST}.system:System", "Boot time, suspended time, uname.", interval=15.0),
)
"""Rows: name, class, help, whether on by default, seconds between samples, thread."""

BUILD_COLLECTORS: Final[dict[str, str]] = {
    "process_tree": "CPU, memory and I/O of the running steps' processes.",
    "toolchain": "Triplets, compilers, C libraries and -j of the builds, and the machine.",
    "ccache": "Counters of the ccache that running builds use; needs toolchain.",
    "distcc": "Jobs of the distcc that running builds use; needs toolchain.",
}
"""Collectors that need to know the builds, with their help; all are on by default."""
