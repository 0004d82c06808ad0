"""Panels on the machine a build runs on, and on the exporter."""

from __future__ import annotations

from typing import Final

from layout import Grid
from promql import MACHINE, rate
from style import (
    BYTES,
    CELSIUS,
    COUNT,
    CRITICAL,
    EVENTS,
    GOOD,
    RATE,
    RATIO,
    SECONDS,
    About,
    Json,
    Query,
    fixed,
    graph,
    mapping,
    override,
    stat,
    thresholds,
)

_NO_MACHINE: Final = "The exporter does not report it"
_NOT_SCRAPED: Final = "The exporter has not been scraped"


def machine(grid: Grid) -> None:
    """Add the row on the machine: use, saturation and heat."""
    grid.head(103, "Machine")
    grid.line(8, (8, _cpu()), (8, _memory()), (8, _disk_space()))
    grid.line(8, (8, _disk_traffic()), (8, _waiting()), (8, _temperature()))


def exporter(grid: Grid) -> None:
    """Add the row on the exporter itself, closed at first."""
    grid.head(104, "Exporter", collapsed=True)
    grid.line(8, (4, _exporter_up()), (4, _failing_parts()), (8, _events_read()), (8, _event_lag()))
    grid.line(8, (12, _scrape()), (12, _series()))


def _cpu() -> Json:
    busy = rate("build_host_cpu_seconds_total", f'{MACHINE},mode!="idle"')
    return graph(
        About(30, "CPU", "What the CPUs do, as a share of all of them.", RATIO, _NO_MACHINE),
        Query(f"sum by (mode) ({busy}) / on () group_left () sum(build_host_cpus{{{MACHINE}}})", "{{mode}}"),
        stacked=True,
        min=0,
        max=1,
    )


def _memory() -> Json:
    def in_use(total: str, free: str) -> str:
        return f"sum(build_host_{total}_bytes{{{MACHINE}}} - build_host_{free}_bytes{{{MACHINE}}})"

    return graph(
        About(31, "Memory", "Memory in use, what there is in all, and swap in use.", BYTES, _NO_MACHINE),
        Query(in_use("memory_total", "memory_available"), "Used"),
        Query(f"sum(build_host_memory_total_bytes{{{MACHINE}}})", "All"),
        Query(in_use("swap_total", "swap_free"), "Swap used"),
        min=0,
    )


def _disk_space() -> Json:
    dashes = {"fill": "dash", "dash": [8, 8]}
    return graph(
        About(
            32,
            "Disk space free",
            "What is left on each file system, and the least there should be.",
            BYTES,
            _NO_MACHINE,
        ),
        Query(
            f"min by (instance, mountpoint) (build_host_filesystem_available_bytes{{{MACHINE}}})"
            f" unless on (instance, mountpoint) build_host_filesystem_readonly{{{MACHINE}}} == 1",
            "{{mountpoint}}",
        ),
        Query(f'max(build_threshold{{{MACHINE},name="disk_free_bytes"}})', "Least"),
        min=0,
        overrides=[override("byName", "Least", color=fixed(CRITICAL), custom__lineStyle=dashes)],
    )


def _disk_traffic() -> Json:
    return graph(
        About(33, "Disk traffic", "Bytes read from and written to all disks.", RATE, _NO_MACHINE),
        Query(f"sum({rate('build_host_disk_read_bytes_total')})", "Read"),
        Query(f"sum({rate('build_host_disk_written_bytes_total')})", "Written"),
        min=0,
    )


def _waiting() -> Json:
    purpose = "Share of the time in which a task waited for a resource (pressure stall)."
    return graph(
        About(34, "Waiting", purpose, RATIO, "This kernel does not report it"),
        Query(f"max by (resource) ({rate('build_host_pressure_some_seconds_total')})", "{{resource}}"),
        min=0,
        max=1,
    )


def _temperature() -> Json:
    return graph(
        About(35, "Temperature", "The hottest sensor of each chip.", CELSIUS, "No sensors"),
        Query(f"max by (instance, chip) (build_host_temperature_celsius{{{MACHINE}}})", "{{chip}}"),
    )


def _exporter_up() -> Json:
    return stat(
        About(40, "Exporter", "Whether Prometheus reaches the exporter.", "short", "No target"),
        Query(f'max by (instance) (up{{job="build-exporter",{MACHINE}}})', "{{instance}}", instant=True),
        coloured=True,
        mappings=mapping({"0": ("Down", CRITICAL), "1": ("Up", GOOD)}),
    )


def _failing_parts() -> Json:
    return stat(
        About(41, "Failing parts", "Collectors that failed and sources that cannot be read.", COUNT, "None"),
        Query(f"build_exporter_collector_success{{{MACHINE}}} == 0", "{{collector}}", instant=True),
        Query(f"build_exporter_source_up{{{MACHINE}}} == 0", "{{source}}", instant=True),
        text="name",
        coloured=True,
        thresholds=thresholds((None, CRITICAL)),
    )


def _events_read() -> Json:
    return graph(
        About(42, "Events read", "Events read from the journal, and lines that were none.", EVENTS, _NOT_SCRAPED),
        Query(f"sum({rate('build_exporter_events_total')})", "Events"),
        Query(f"sum({rate('build_exporter_lines_rejected_total')})", "Rejected lines"),
        min=0,
    )


def _event_lag() -> Json:
    purpose = "How long after it happened an event was seen: half of them, and 99 of 100."
    buckets = f"sum by (le) ({rate('build_exporter_event_lag_seconds_bucket')})"
    return graph(
        About(43, "Event lag", purpose, SECONDS, "No events"),
        # without events in the interval it is NaN, which is not >= 0
        Query(f"histogram_quantile(0.5, {buckets}) >= 0", "Half"),
        Query(f"histogram_quantile(0.99, {buckets}) >= 0", "99 of 100"),
        min=0,
    )


def _scrape() -> Json:
    return graph(
        About(44, "Scrape", "How long a scrape takes, as Prometheus sees it.", SECONDS, _NOT_SCRAPED),
        Query(f'max by (instance) (scrape_duration_seconds{{job="build-exporter",{MACHINE}}})', "{{instance}}"),
        min=0,
    )


def _series() -> Json:
    return graph(
        About(45, "Series", "Series shown in a scrape.", COUNT, _NOT_SCRAPED),
        Query(f"max by (instance) (build_exporter_series{{{MACHINE}}})", "{{instance}}"),
        min=0,
    )
