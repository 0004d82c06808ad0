"""Rows on what steps say of the packages: tests, warnings, sources, and the tools that build them."""

from __future__ import annotations

from typing import Final

from layout import Grid
from promql import OF_BUILD, rate
from style import BYTES, COUNT, CRITICAL, RATIO, WARNING, About, Json, Query, graph, limit
from tables import BAD_FROM_ONE, WHOLE, Column, coloured_from, table

_OUTCOMES: Final = (
    ("Failed", "failed", BAD_FROM_ONE),
    ("Errors", "errors", BAD_FROM_ONE),
    ("Passed", "passed", WHOLE),
    ("Known to fail", "expected_failed", WHOLE),
    ("Skipped", "skipped", WHOLE),
)


def quality(grid: Grid) -> None:
    """Add the row on tests and warnings."""
    grid.head(106, "Tests and warnings")
    grid.line(9, (17, _tests()), (7, _warnings()))


def toolchain(grid: Grid) -> None:
    """Add the rows on sources and tools, and on compiler caches, closed at first: many builds have none."""
    grid.head(107, "Sources and tools", collapsed=True)
    grid.line(9, (6, _sources()), (18, _bad_sources()))
    grid.line(9, (24, _tools()))
    grid.head(108, "Compiler caches", collapsed=True)
    grid.line(8, (8, _ccache_hits()), (8, _ccache_size()), (8, _distcc_jobs()))


def _tests() -> Json:
    purpose = "Results of each suite. All zeros: it should have run and gave no result. Failed excludes known failures."
    suites = "max by (step, suite)"
    return table(
        About(50, "Test suites", purpose, COUNT, "None has reported"),
        *(Query(f'{suites} (build_step_tests{{{OF_BUILD},outcome="{outcome}"}})') for _, outcome, _ in _OUTCOMES),
        columns=(
            Column("Step", label="step"),
            Column("Suite", label="suite", width=100),
            *(
                Column(title, query=number, unit=COUNT, width=105 if len(title) > 7 else 75, properties=properties)
                for number, (title, _, properties) in enumerate(_OUTCOMES)
            ),
        ),
        sort="Failed",
    )


def _warnings() -> Json:
    purpose = "The most frequent warnings of finished steps, by compiler option."
    return table(
        About(51, "Compiler warnings", purpose, COUNT, "None has warned"),
        Query(f"max by (flag) (build_warnings{{{OF_BUILD}}})"),
        columns=(
            Column("Option", label="flag"),
            Column("Warnings", query=0, unit=COUNT, width=100, properties=coloured_from((100, WARNING))),
        ),
        sort="Warnings",
    )


def _sources() -> Json:
    return table(
        About(52, "Sources", "Source files of the plan's steps, by checksum state.", COUNT, "None planned"),
        Query(f"max by (state) (build_source_files{{{OF_BUILD}}}) > 0"),
        columns=(Column("State", label="state"), Column("Files", query=0, unit=COUNT, width=70, properties=WHOLE)),
        sort="Files",
    )


def _bad_sources() -> Json:
    purpose = "Steps that will fail because a source file is missing or differs from the plan."
    return table(
        About(53, "Steps without their sources", purpose, COUNT, "Every file is as planned"),
        Query(f"max by (step, file, state) (build_step_source_info{{{OF_BUILD}}})"),
        columns=(
            Column("Step", label="step", width=230),
            Column("File", label="file"),
            Column("State", label="state", width=120),
        ),
    )


def _tools() -> Json:
    purpose = "The tools of the build: of the build machine, cross tools, and those of the target system."
    return table(
        About(54, "Toolchain", purpose, COUNT, "No tools are known"),
        Query(f"max by (role, target, tool, version) (build_toolchain_info{{{OF_BUILD}}})"),
        columns=(
            Column("Tool", label="tool", width=200),
            Column("Role", label="role", width=120),
            Column("Version", label="version", width=160),
            Column("Makes code for", label="target"),
        ),
    )


def _ccache_hits() -> Json:
    hits = f"sum({rate('build_ccache_hits_total', OF_BUILD)})"
    misses = f"sum({rate('build_ccache_misses_total', OF_BUILD)})"
    return graph(
        About(55, "ccache hits", "Ratio of compilations answered by ccache.", RATIO, "The build does not use ccache"),
        # without a compilation in the interval it is NaN, which is not >= 0
        Query(f"{hits} / ({hits} + {misses}) >= 0", "Hits"),
        legend="",
        min=0,
        max=1,
    )


def _ccache_size() -> Json:
    return graph(
        About(56, "ccache size", "Size of the build's ccache, and its limit.", BYTES, "The build does not use ccache"),
        Query(f"max(build_ccache_size_bytes{{{OF_BUILD}}})", "Size"),
        Query(f"max(build_ccache_limit_bytes{{{OF_BUILD}}})", "Limit"),
        min=0,
        overrides=[limit("Limit", CRITICAL)],
    )


def _distcc_jobs() -> Json:
    return graph(
        About(57, "distcc jobs", "Jobs of distcc on each host.", COUNT, "The build does not use distcc"),
        Query(f"topk(12, sum by (host) (build_distcc_jobs{{{OF_BUILD}}}))", "{{host}}"),
        stacked=True,
        min=0,
    )
