"""The same machine at the same moment, as node_exporter and as these collectors see it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Protocol

import pytest

from build_exporter.collectors.host.cpu import MODES, Cpu
from build_exporter.collectors.host.disk import Disk
from build_exporter.collectors.host.filesystem import Filesystem
from build_exporter.collectors.host.load import Load
from build_exporter.collectors.host.memory import Memory
from build_exporter.collectors.host.network import Network
from build_exporter.collectors.host.pressure import Pressure
from build_exporter.collectors.host.swap import Swap
from build_exporter.collectors.host.system import System
from build_exporter.collectors.runners import Collector
from build_exporter.exposition import Family

Scrape = dict[str, list[tuple[dict[str, str], float]]]
SamplesOf = Callable[[Iterable[Family]], dict[str, float]]
MIB = 1024**2


class Peer(Protocol):
    def scrape(self) -> Scrape: ...


def value(scrape: Scrape, name: str, **labels: str) -> float | None:
    """Return the sum of node_exporter's samples of a name that have the labels, None where it has none."""
    found = [number for their, number in scrape.get(name, []) if labels.items() <= their.items()]
    return sum(found) if found else None


@pytest.fixture
def agree(node_exporter: Peer, samples_of: SamplesOf) -> Callable[[Collector, dict[str, tuple[str, float]]], None]:
    """Return the function that compares a collector with node_exporter before and after it.

    It is given node_exporter's `name|label|value` and a tolerance for each of our series. A machine in use may move
    away and back between two looks, so it is checked again until a deadline.
    """

    def compare(collector: Collector, series: dict[str, tuple[str, float]]) -> None:
        deadline = time.monotonic() + 10
        while True:
            before, ours, after = node_exporter.scrape(), samples_of(collector.collect()), node_exporter.scrape()
            apart = {}
            for name, (theirs, tolerance) in series.items():
                peer, *labels = theirs.split("|")
                wanted = dict(zip(labels[::2], labels[1::2], strict=True))
                first, last = value(before, peer, **wanted), value(after, peer, **wanted)
                assert first is not None, f"node_exporter has no {theirs}"
                assert last is not None
                if not min(first, last) - tolerance <= ours[name] <= max(first, last) + tolerance:
                    apart[name] = (first, ours[name], last)
            if not apart:
                return
            assert time.monotonic() < deadline, apart

    return compare


Agree = Callable[[Collector, dict[str, tuple[str, float]]], None]


def test_cpu_time_is_node_exporters(agree: Agree) -> None:
    """CPU seconds of each mode, switches and forks are those node_exporter shows."""
    series = {
        f'build_host_cpu_seconds_total{{mode="{mode}"}}': (f"node_cpu_seconds_total|mode|{mode}", 0.1) for mode in MODES
    }
    series["build_host_context_switches_total"] = ("node_context_switches_total", 0)
    series["build_host_forks_total"] = ("node_forks_total", 0)
    agree(Cpu(), series)


def test_load_is_node_exporters(agree: Agree) -> None:
    """The three load averages are those node_exporter shows, which rounds them to hundredths."""
    agree(Load(), {f"build_host_load{minutes}": (f"node_load{minutes}", 0.0051) for minutes in (1, 5, 15)})


def test_memory_is_node_exporters(agree: Agree) -> None:
    """Memory is what node_exporter shows, the whole exactly, the rest within what a machine in use moves."""
    names = {"available": "MemAvailable", "free": "MemFree", "buffers": "Buffers", "cached": "Cached", "dirty": "Dirty"}
    series = {
        f"build_host_memory_{ours}_bytes": (f"node_memory_{theirs}_bytes", 16.0 * MIB) for ours, theirs in names.items()
    }
    series["build_host_memory_shared_bytes"] = ("node_memory_Shmem_bytes", 1.0 * MIB)
    series["build_host_memory_total_bytes"] = ("node_memory_MemTotal_bytes", 0)
    agree(Memory(), series)


def test_paging_is_node_exporters(agree: Agree) -> None:
    """Major faults and out-of-memory kills are those node_exporter shows."""
    agree(
        Swap(),
        {
            "build_host_major_page_faults_total": ("node_vmstat_pgmajfault", 0),
            "build_host_oom_kills_total": ("node_vmstat_oom_kill", 0),
        },
    )


def test_pressure_is_node_exporters(agree: Agree, node_exporter: Peer) -> None:
    """Stall times are those node_exporter shows."""
    if "node_pressure_cpu_waiting_seconds_total" not in node_exporter.scrape():
        pytest.skip("this kernel keeps no pressure accounts")
    series = {
        f'build_host_pressure_some_seconds_total{{resource="{resource}"}}': (
            f"node_pressure_{resource}_waiting_seconds_total",
            1e-6,
        )
        for resource in ("cpu", "memory", "io")
    }
    for resource in ("memory", "io"):
        name = f'build_host_pressure_full_seconds_total{{resource="{resource}"}}'
        series[name] = (f"node_pressure_{resource}_stalled_seconds_total", 1e-6)
    agree(Pressure(), series)


def test_file_systems_are_node_exporters(agree: Agree) -> None:
    """Sizes are those node_exporter shows, free space within what a machine in use moves."""
    labels = _root_labels(Filesystem())
    if labels is None:
        pytest.skip("in a chroot the root is no mount point")
    theirs = "|mountpoint|/"
    agree(
        Filesystem(),
        {
            f"build_host_filesystem_size_bytes{labels}": (f"node_filesystem_size_bytes{theirs}", 0),
            f"build_host_filesystem_available_bytes{labels}": (f"node_filesystem_avail_bytes{theirs}", 16.0 * MIB),
            f"build_host_filesystem_free_bytes{labels}": (f"node_filesystem_free_bytes{theirs}", 16.0 * MIB),
            f"build_host_filesystem_readonly{labels}": (f"node_filesystem_readonly{theirs}", 0),
            f"build_host_filesystem_error{labels}": (f"node_filesystem_device_error{theirs}", 0),
        },
    )


def _root_labels(collector: Collector) -> str | None:
    text = b"".join(line for family in collector.collect() for line in family.lines).decode()
    roots = (line for line in text.splitlines() if 'mountpoint="/",' in line)
    return next((line[line.index("{") : line.index("}") + 1] for line in roots), None)


def test_disks_are_node_exporters(agree: Agree, node_exporter: Peer, samples_of: SamplesOf) -> None:
    """Traffic and busy time of each disk are those node_exporter shows."""
    shown = samples_of(Disk().collect())
    devices = {series.split('"')[1] for series in shown}
    theirs = {labels["device"] for labels, _ in node_exporter.scrape().get("node_disk_read_bytes_total", [])}
    names = {
        "read_bytes": ("read_bytes", 0.0), "written_bytes": ("written_bytes", 0.0), "reads": ("reads_completed", 0.0),
        "writes": ("writes_completed", 0.0), "read_seconds": ("read_time_seconds", 0.001),
        "write_seconds": ("write_time_seconds", 0.001), "io_seconds": ("io_time_seconds", 0.001),
    }  # fmt: skip
    if not devices & theirs:
        pytest.skip("no disk that both show")
    series = {
        f'build_host_disk_{ours}_total{{device="{device}"}}': (f"node_disk_{peer}_total|device|{device}", tolerance)
        for device in devices & theirs
        for ours, (peer, tolerance) in names.items()
    }
    agree(Disk(), series)


def test_network_traffic_is_node_exporters(agree: Agree, samples_of: SamplesOf) -> None:
    """Traffic, errors and drops of each interface are those node_exporter shows."""
    interfaces = {series.split('"')[1] for series in samples_of(Network().collect())}
    assert "lo" in interfaces
    series = {}
    for interface in interfaces:
        for direction in ("receive", "transmit"):
            for ours, theirs in (("bytes", "bytes"), ("errors", "errs"), ("drops", "drop")):
                name = f'build_host_network_{direction}_{ours}_total{{interface="{interface}"}}'
                series[name] = (f"node_network_{direction}_{theirs}_total|device|{interface}", 0.0)
    agree(Network(), series)


def test_boot_time_and_kernel_are_node_exporters(agree: Agree, node_exporter: Peer, samples_of: SamplesOf) -> None:
    """The machine's start and its kernel's name are those node_exporter shows."""
    agree(System(), {"build_host_boot_timestamp_seconds": ("node_boot_time_seconds", 0)})
    [(theirs, _)] = node_exporter.scrape()["node_uname_info"]
    [ours] = [series for series in samples_of(System().collect()) if "uname" in series]
    for label in ("sysname", "release", "version", "machine", "nodename"):
        assert f'{label}="{theirs[label]}"' in ours
