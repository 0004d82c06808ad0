"""The dashboard "Build / Host": what limits the machine that builds, by use, saturation and errors."""

from __future__ import annotations

from typing import Final

from dashboard import BUILDS, INSTANCE, Frame, build_annotations, dashboard
from layout import Grid
from promql import OF_MACHINE, rate
from row_processes import control_groups, processes
from style import (
    BYTES,
    CELSIUS,
    COLOURS,
    COUNT,
    CRITICAL,
    EVENTS,
    GOOD,
    HERTZ,
    RATE,
    RATIO,
    SECONDS,
    WARNING,
    About,
    Json,
    Query,
    bad_from,
    fixed,
    graph,
    limit,
    mapping,
    override,
    stat,
    thresholds,
)
from tables import Column, coloured_from, table

UID: Final = "build-host"
_NOT_REPORTED: Final = "The exporter does not report it"
_KERNEL: Final = "This kernel does not report it"
_WRITABLE: Final = f"unless on (mountpoint, device) build_host_filesystem_readonly{{{OF_MACHINE}}} == 1"
_MODES: Final = {"user": "blue", "system": "purple", "nice": "light-blue", "iowait": WARNING, "steal": CRITICAL}
_ONE: Final = ({"id": "decimals", "value": 1},)


def host() -> Json:
    """Return the dashboard."""
    grid = Grid()
    tiles = (_busy(), _memory_left(), _disk_left(), _stalled(), _hottest(), _out_of_memory())
    grid.line(4, *((4, tile) for tile in tiles))
    grid.line(8, (8, _cpu()), (8, _memory()), (8, _pressure()))
    grid.head(100, "Disks")
    grid.line(8, (14, _file_systems()), (10, _space_over_time()))
    grid.line(8, (8, _traffic()), (8, _disk_busy()), (8, _latency()))
    processes(grid)
    grid.head(102, "Load and network")
    grid.line(8, (8, _load()), (8, _network()), (8, _network_errors()))
    grid.head(103, "Swap and paging", collapsed=True)
    grid.line(8, (12, _swap()), (12, _faults()))
    grid.head(104, "Heat and clock", collapsed=True)
    grid.line(8, (8, _temperature()), (8, _frequency()), (8, _throttled()))
    control_groups(grid)
    frame = Frame(
        UID,
        "Build / Host",
        "What limits the machine that builds: CPU, memory, disk or heat? Use and saturation first, then disks, the "
        "builds' own processes, network. Rows for what not every machine has are closed.",
        (INSTANCE, BUILDS),
        page=f"build_exporter_link_info{{{OF_MACHINE}}}",
        since="now-3h",
    )
    return dashboard(frame, grid.panels, build_annotations('build=~"$build",instance="$instance"', steps=False))


def _one(metric: str) -> str:
    return f"max({metric}{{{OF_MACHINE}}})"


def _busy() -> Json:
    return stat(
        About(1, "Busy", "Busiest second within the last minute, all CPUs.", RATIO, "Not reported"),
        Query(_one("build_host_cpu_busy_peak_ratio"), "Busy", instant=True),
        decimals=0,
    )


def _memory_left() -> Json:
    purpose = "Least available memory of the last minute, as a share of all."
    return stat(
        About(2, "RAM", purpose, RATIO, "Not reported"),
        Query(
            f"{_one('build_host_memory_available_lowest_bytes')} / {_one('build_host_memory_total_bytes')}",
            "Left",
            instant=True,
        ),
        named=True,
        decimals=0,
        thresholds=thresholds((None, CRITICAL), (0.05, WARNING), (0.15, GOOD)),
    )


def _disk_left() -> Json:
    purpose = "Space left on the file system that has least of its own, those for reading only left out."
    free = f"build_host_filesystem_available_bytes{{{OF_MACHINE}}} / build_host_filesystem_size_bytes{{{OF_MACHINE}}}"
    return stat(
        About(3, "Disk", purpose, RATIO, "Not reported"),
        Query(f"min(({free}) {_WRITABLE})", "Left", instant=True),
        named=True,
        decimals=0,
        thresholds=thresholds((None, CRITICAL), (0.05, WARNING), (0.15, GOOD)),
    )


def _stalled() -> Json:
    purpose = "Share of the time in which a task waited for memory or I/O, whichever is more."
    stalled = rate("build_host_pressure_some_seconds_total", f'{OF_MACHINE},resource=~"memory|io"')
    return stat(
        About(4, "Stalled", purpose, RATIO, "Not reported"),
        Query(f"max({stalled})", "Stalled", instant=True),
        decimals=0,
        thresholds=bad_from(0.4, warn=0.1),
    )


def _hottest() -> Json:
    return stat(
        About(5, "Hottest", "The hottest sensor.", CELSIUS, "No sensors"),
        Query(_one("build_host_temperature_celsius"), "Hottest", instant=True),
        decimals=0,
        thresholds=bad_from(95, warn=85),
    )


def _out_of_memory() -> Json:
    purpose = "Processes the kernel killed for lack of memory within the time shown."
    return stat(
        About(6, "Killed", purpose, COUNT, "Not reported"),
        Query(f"ceil(sum(increase(build_host_oom_kills_total{{{OF_MACHINE}}}[$__range])))", "Killed", instant=True),
        decimals=0,
        mappings=mapping({"0": ("None", GOOD)}),
        thresholds=bad_from(1),
    )


def _cpu() -> Json:
    busy = rate("build_host_cpu_seconds_total", f'{OF_MACHINE},mode!="idle"')
    return graph(
        About(10, "CPU", "What the CPUs do, as a share of all of them.", RATIO, _NOT_REPORTED),
        Query(f"sum by (mode) ({busy}) / on () group_left () sum(build_host_cpus{{{OF_MACHINE}}})", "{{mode}}"),
        stacked=True,
        min=0,
        max=1,
        overrides=[override("byName", mode, color=fixed(colour)) for mode, colour in _MODES.items()],
    )


def _memory() -> Json:
    total, free = _one("build_host_memory_total_bytes"), _one("build_host_memory_available_bytes")
    return graph(
        About(
            11, "Memory use", "Memory in use, memory of the builds' processes, and all there is.", BYTES, _NOT_REPORTED
        ),
        Query(f"{total} - {free}", "Used"),
        Query(f"sum(build_process_memory_bytes{{{OF_MACHINE}}})", "Builds"),
        Query(total, "All"),
        min=0,
        overrides=[limit("All"), override("byName", "Builds", color=fixed(COLOURS["running"]))],
    )


def _pressure() -> Json:
    purpose = "Share of the time in which a task waited for a resource (pressure stall); `io`: the disk is the limit."
    return graph(
        About(12, "Pressure", purpose, RATIO, _KERNEL),
        Query(f"max by (resource) ({rate('build_host_pressure_some_seconds_total')})", "{{resource}}"),
        min=0,
        max=1,
    )


def _file_systems() -> Json:
    def of(metric: str) -> str:
        return f"min by (mountpoint) ({metric}{{{OF_MACHINE}}} {_WRITABLE})"

    free, size = of("build_host_filesystem_available_bytes"), of("build_host_filesystem_size_bytes")
    trend = f"min by (mountpoint) (deriv(build_host_filesystem_available_bytes{{{OF_MACHINE}}}[3h]) {_WRITABLE})"
    purpose = "Space on each file system that can be written to; “Full in” goes by the trend of the last 3 hours."
    return table(
        About(20, "File systems", purpose, BYTES, "None is reported"),
        Query(free),
        Query(size),
        Query(f"{free} / on (mountpoint) ({size} > 0)"),
        Query(f"{free} / on (mountpoint) (-1 * {trend} > 1000)"),
        Query(f"{of('build_host_filesystem_files_free')} / on (mountpoint) ({of('build_host_filesystem_files')} > 0)"),
        columns=(
            Column("Mounted on", label="mountpoint"),
            Column(
                "Left",
                query=2,
                unit=RATIO,
                width=60,
                properties=coloured_from((0, CRITICAL), (0.05, WARNING), (0.15, GOOD)),
            ),
            Column("Free", query=0, unit=BYTES, width=85, properties=_ONE),
            Column("Size", query=1, unit=BYTES, width=85, properties=_ONE),
            Column("Full in", query=3, unit=SECONDS, width=80, properties=_ONE),
            Column("Files left", query=4, unit=RATIO, width=75, properties=({"id": "decimals", "value": 0},)),
        ),
        sort="Left",
        descending=False,
    )


def _space_over_time() -> Json:
    purpose = "What is left on each file system, and the least there should be."
    return graph(
        About(21, "Space free", purpose, BYTES, _NOT_REPORTED),
        Query(
            f"bottomk(8, min by (mountpoint) (build_host_filesystem_available_bytes{{{OF_MACHINE}}} {_WRITABLE}))",
            "{{mountpoint}}",
        ),
        Query(f'max(build_threshold{{{OF_MACHINE},name="disk_free_bytes"}})', "Least"),
        min=0,
        overrides=[limit("Least")],
    )


def _traffic() -> Json:
    return graph(
        About(22, "Disk traffic", "Bytes read from and written to all disks.", RATE, _NOT_REPORTED),
        Query(f"sum({rate('build_host_disk_read_bytes_total')})", "Read"),
        Query(f"sum({rate('build_host_disk_written_bytes_total')})", "Written"),
        min=0,
    )


def _disk_busy() -> Json:
    purpose = "Share of the time in which each disk had anything to do."
    return graph(
        About(23, "Disk busy", purpose, RATIO, _NOT_REPORTED),
        Query(f"topk(8, max by (device) ({rate('build_host_disk_io_seconds_total')}))", "{{device}}"),
        min=0,
        max=1,
    )


def _latency() -> Json:
    def mean(kind: str) -> str:
        done = f"sum({rate(f'build_host_disk_{kind}s_total')})"
        return f"sum({rate(f'build_host_disk_{kind}_seconds_total')}) / ({done} > 0)"

    return graph(
        About(24, "Disk latency", "Mean time of a read and of a write, all disks.", SECONDS, "No reads, no writes"),
        Query(mean("read"), "Read"),
        Query(mean("write"), "Write"),
        min=0,
    )


def _load() -> Json:
    return graph(
        About(40, "Load", "Tasks that run or wait, and the CPUs there are.", COUNT, _NOT_REPORTED),
        Query(_one("build_host_load1"), "1 minute"),
        Query(_one("build_host_load15"), "15 minutes"),
        Query(_one("build_host_tasks_blocked"), "Blocked"),
        Query(_one("build_host_cpus"), "CPUs"),
        min=0,
        overrides=[limit("CPUs", COLOURS["pending"])],
    )


def _network() -> Json:
    return graph(
        About(41, "Network traffic", "Bytes received and sent on all interfaces.", RATE, _NOT_REPORTED),
        Query(f"sum({rate('build_host_network_receive_bytes_total')})", "Received"),
        Query(f"sum({rate('build_host_network_transmit_bytes_total')})", "Sent"),
        min=0,
    )


def _network_errors() -> Json:
    def lost(kind: str) -> str:
        return " + ".join(f"sum({rate(f'build_host_network_{way}_{kind}_total')})" for way in ("receive", "transmit"))

    return graph(
        About(42, "Network errors", "Packets damaged and dropped, both ways.", "pps", _NOT_REPORTED),
        Query(lost("errors"), "Damaged"),
        Query(lost("drops"), "Dropped"),
        min=0,
    )


def _swap() -> Json:
    return graph(
        About(50, "Swap", "Memory written to swap and read back.", RATE, _NOT_REPORTED),
        Query(f"sum({rate('build_host_swap_out_bytes_total')})", "Written out"),
        Query(f"sum({rate('build_host_swap_in_bytes_total')})", "Read back"),
        min=0,
    )


def _faults() -> Json:
    return graph(
        About(51, "Major page faults", "Page faults that waited for storage.", EVENTS, _NOT_REPORTED),
        Query(f"sum({rate('build_host_major_page_faults_total')})", "Faults"),
        legend="",
        min=0,
    )


def _temperature() -> Json:
    return graph(
        About(60, "Temperature", "The hottest sensor of each chip.", CELSIUS, "No sensors"),
        Query(f"topk(12, max by (chip) (build_host_temperature_celsius{{{OF_MACHINE}}}))", "{{chip}}"),
        Query(_one("build_host_temperature_critical_celsius"), "Critical"),
        overrides=[limit("Critical")],
    )


def _frequency() -> Json:
    return graph(
        About(61, "Clock frequency", "Slowest and fastest CPU.", HERTZ, _KERNEL),
        Query(f"min(build_host_cpu_frequency_hertz{{{OF_MACHINE}}})", "Slowest"),
        Query(f"max(build_host_cpu_frequency_hertz{{{OF_MACHINE}}})", "Fastest"),
        min=0,
    )


def _throttled() -> Json:
    return graph(
        About(62, "Slowed by heat", "Share of the time in which a CPU was slowed down by its heat.", RATIO, _KERNEL),
        Query(f"max({rate('build_host_cpu_package_throttled_seconds_total')})", "Package"),
        Query(f"max({rate('build_host_cpu_core_throttled_seconds_total')})", "Core"),
        min=0,
    )
