"""The row of one step, chosen by the variable `step`."""

from __future__ import annotations

from typing import Final

from dashboard import page_link
from layout import Grid
from promql import OF_BUILD, STEP_BY
from style import (
    BYTES,
    COLOURS,
    COUNT,
    GOOD,
    SECONDS,
    STEP_STATES,
    WARNING,
    About,
    Json,
    Query,
    fixed,
    graph,
    limit,
    stat,
    state_mapping,
    thresholds,
)

_STEP: Final = f'{OF_BUILD},step="$step"'


def one_step(grid: Grid) -> None:
    """Add the row."""
    grid.head(105, "One step: $step")
    grid.line(4, (4, _result()), (7, _time()), (6, _tried()), (7, _space()))
    grid.line(8, (12, _took_over_runs()), (12, _used()))


def _of(metric: str) -> str:
    return f"max({metric}{{{_STEP}}})"


def _result() -> Json:
    return stat(
        About(30, "Result", "State of the step's newest attempt.", COUNT, "Not known"),
        Query(f"{STEP_BY} (build_step_status{{{_STEP}}})", "{{step}}", instant=True),
        coloured=True,
        mappings=state_mapping(STEP_STATES),
        links=[
            page_link("Log", "/api/v1/builds/${build:percentencode}/log?step=${step:percentencode}"),
            page_link("Live page of the build", "/builds/${build:percentencode}"),
        ],
    )


def _time() -> Json:
    return stat(
        About(31, "Time", "What it took, what was expected, and CPU time of its processes.", SECONDS, "Not ended yet"),
        Query(_of("build_step_duration_seconds"), "Took", instant=True),
        Query(_of("build_step_expected_seconds"), "Expected", instant=True),
        Query(_of("build_step_cpu_seconds"), "CPU", instant=True),
        named=True,
        decimals=1,
    )


def _tried() -> Json:
    return stat(
        About(32, "Attempts, warnings", "Attempts in this run, and compiler warnings.", COUNT, "Not started yet"),
        Query(_of("build_step_attempts"), "Attempts", instant=True),
        Query(_of("build_step_warnings"), "Warnings", instant=True),
        named=True,
        decimals=0,
        thresholds=thresholds((None, GOOD), (100, WARNING)),
    )


def _space() -> Json:
    return stat(
        About(33, "Memory and disk", "Most memory its processes had; disk space it needed.", BYTES, "Not measured"),
        Query(_of("build_step_peak_memory_bytes"), "Peak memory", instant=True),
        Query(_of("build_step_disk_bytes"), "Disk", instant=True),
        Query(_of("build_step_written_bytes"), "Written", instant=True),
        named=True,
        decimals=1,
    )


def _took_over_runs() -> Json:
    purpose = "What the step took in the newest run at each time, and what was expected. Choose a time of several runs."
    return graph(
        About(34, "Took over runs", purpose, SECONDS, "It has not ended in this time"),
        Query(_of("build_step_duration_seconds"), "Took"),
        Query(_of("build_step_expected_seconds"), "Expected"),
        steps=True,
        min=0,
        overrides=[limit("Expected", COLOURS["pending"])],
    )


def _used() -> Json:
    return graph(
        About(35, "Memory of the build", "Memory of the running steps' processes over time.", BYTES, "Not measured"),
        Query(f"max(build_process_memory_bytes{{{OF_BUILD}}})", "Memory"),
        legend="",
        min=0,
        color=fixed(COLOURS["running"]),
    )
