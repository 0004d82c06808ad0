"""Rows on the processes of builds, and on their control groups."""

from __future__ import annotations

from typing import Final

from layout import Grid
from promql import rate
from style import BYTES, COUNT, RATE, RATIO, About, Json, Query, graph

_CHOSEN: Final = 'build=~"$build",instance="$instance"'
_NONE: Final = "No step with known processes runs"
_NO_GROUP: Final = "No step runs in a control group"


def processes(grid: Grid) -> None:
    """Add the row on the builds' process trees."""
    grid.head(101, "Processes of the builds")
    grid.line(8, (8, _cpus()), (8, _memory()), (8, _traffic()))
    grid.line(7, (12, _processes()), (12, _peak()))


def control_groups(grid: Grid) -> None:
    """Add the row on control groups, closed at first: not every build has one."""
    grid.head(105, "Control groups", collapsed=True)
    grid.line(8, (8, _group_cpus()), (8, _group_memory()), (8, _group_kills()))


def _by_build(expr: str) -> Query:
    return Query(f"topk(12, sum by (build) ({expr}))", "{{build}}")


def _of(metric: str) -> str:
    return f"{metric}{{{_CHOSEN}}}"


def _cpus() -> Json:
    purpose = "CPUs that the running steps' processes keep busy; below the jobs of the build: it waits for something."
    return graph(
        About(30, "CPUs used", purpose, "none", _NONE),
        _by_build(rate("build_process_cpu_seconds_total", _CHOSEN)),
        min=0,
    )


def _memory() -> Json:
    return graph(
        About(31, "Memory used", "Resident memory of the running steps' processes.", BYTES, _NONE),
        _by_build(_of("build_process_memory_bytes")),
        min=0,
    )


def _traffic() -> Json:
    return graph(
        About(32, "Read and written", "Bytes the builds' processes read and wrote.", RATE, _NONE),
        Query(f"sum({rate('build_process_read_bytes_total', _CHOSEN)})", "Read"),
        Query(f"sum({rate('build_process_written_bytes_total', _CHOSEN)})", "Written"),
        min=0,
    )


def _processes() -> Json:
    return graph(
        About(33, "Processes", "Processes of the running steps.", COUNT, _NONE),
        _by_build(_of("build_process_processes")),
        min=0,
        decimals=0,
    )


def _peak() -> Json:
    purpose = "Most memory the processes of the running steps had since a step was started while none ran."
    return graph(
        About(34, "Peak memory", purpose, BYTES, _NONE),
        _by_build(_of("build_process_peak_memory_bytes")),
        steps=True,
        min=0,
    )


def _group_cpus() -> Json:
    throttled = "build_process_cgroup_throttled_seconds_total"
    return graph(
        About(70, "Held back", "Share of the time a CPU limit held the steps back.", RATIO, _NO_GROUP),
        _by_build(rate(throttled, _CHOSEN)),
        min=0,
    )


def _group_memory() -> Json:
    return graph(
        About(71, "Charged memory", "Memory charged to the steps' control groups, and most ever.", BYTES, _NO_GROUP),
        Query(f"sum({_of('build_process_cgroup_memory_bytes')})", "Now"),
        Query(f"max({_of('build_process_cgroup_peak_memory_bytes')})", "Most"),
        min=0,
    )


def _group_kills() -> Json:
    purpose = "Processes killed because a control group had run out of memory, since the steps began."
    return graph(
        About(72, "Killed in groups", purpose, COUNT, _NO_GROUP),
        _by_build(_of("build_process_cgroup_oom_kills_total")),
        steps=True,
        min=0,
        decimals=0,
    )
