"""Panels on what builds are built with: tools by role, and the caches beside the compiler."""

from __future__ import annotations

from layout import Grid
from promql import BUILD, MACHINE, rate
from style import BYTES, COUNT, RATIO, About, Column, Json, Query, graph, table


def toolchain(grid: Grid) -> None:
    """Add the row on toolchains, closed at first."""
    grid.head(105, "Toolchain", collapsed=True)
    grid.line(9, (14, _tools()), (10, _machines()))
    grid.line(8, (8, _ccache_hits()), (8, _ccache_size()), (8, _distcc_jobs()))


def _tools() -> Json:
    purpose = "The tools of each build: of the build machine, cross tools, and those of the target system."
    return table(
        About(50, "Toolchain", purpose, COUNT, "No build's tools are known"),
        Query(f"max by (build, role, target, tool, version) (build_toolchain_info{{{BUILD}}})"),
        columns=(
            Column("Build", label="build"),
            Column("Role", label="role", width=80),
            Column("Tool", label="tool", width=130),
            Column("Version", label="version", width=110),
            Column("Makes code for", label="target"),
        ),
    )


def _machines() -> Json:
    return table(
        About(51, "Machines", "The machines the exporters run on.", COUNT, "The exporter does not report it"),
        Query(f"max by (instance, triplet, kernel, libc, distribution) (build_platform_info{{{MACHINE}}})"),
        columns=(
            Column("Machine", label="instance"),
            Column("Triplet", label="triplet"),
            Column("Kernel", label="kernel"),
            Column("C library", label="libc", width=100),
            Column("Distribution", label="distribution"),
        ),
    )


def _ccache_hits() -> Json:
    hits = f"sum by (build) ({rate('build_ccache_hits_total', BUILD)})"
    misses = f"sum by (build) ({rate('build_ccache_misses_total', BUILD)})"
    return graph(
        About(52, "ccache hits", "Ratio of compilations answered by ccache.", RATIO, "No build uses ccache"),
        # without a compilation in the interval it is NaN, which is not >= 0
        Query(f"{hits} / ({hits} + {misses}) >= 0", "{{build}}"),
        min=0,
        max=1,
    )


def _ccache_size() -> Json:
    return graph(
        About(53, "ccache size", "Size of the builds' ccache, and its limit.", BYTES, "No build uses ccache"),
        Query(f"max by (build) (build_ccache_size_bytes{{{BUILD}}})", "{{build}}"),
        Query(f"max by (build) (build_ccache_limit_bytes{{{BUILD}}})", "{{build}} at most"),
        min=0,
    )


def _distcc_jobs() -> Json:
    return graph(
        About(54, "distcc jobs", "distcc jobs on each host.", COUNT, "No build uses distcc"),
        Query(f"sum by (host) (build_distcc_jobs{{{BUILD}}})", "{{host}}"),
        stacked=True,
        min=0,
    )
