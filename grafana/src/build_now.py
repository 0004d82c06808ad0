"""The dashboard "Build / Now": is it building, where, how long left, what is wrong."""

from __future__ import annotations

from typing import Final

from layout import Grid, Variable, annotation, dashboard, datasource_variable, query_variable, shared_links
from machine_panels import exporter, machine
from overview_panels import progress, tiles
from promql import BUILD
from quality_panels import quality
from step_panels import failures, steps
from style import COLOURS, Json
from toolchain_panels import toolchain

UID: Final = "build-now"


def build_now() -> Json:
    """Return the dashboard."""
    grid = Grid()
    for part in (tiles, progress, steps, failures, quality, machine, toolchain, exporter):
        part(grid)
    return dashboard(
        UID,
        "Build / Now",
        "Is it building, where, how long left, what is wrong? From top to bottom: the answer, progress, steps, "
        "failures, tests and sources, the machine, toolchains, the exporter itself.",
        grid.panels,
        templating={"list": [datasource_variable(), *(query_variable(each) for each in _variables())]},
        annotations={"list": _annotations()},
        links=shared_links(),
    )


def _variables() -> tuple[Variable, ...]:
    return (
        Variable(
            "build",
            "Build",
            "query_result(sort_desc(max by (build) (build_last_event_timestamp_seconds)))",
            "The build that was active last comes first.",
            regex='/build="([^"]+)"/',
        ),
        Variable(
            "instance",
            "Machine",
            'label_values(up{job="build-exporter"}, instance)',
            "The machine that builds, by the address of its exporter.",
        ),
    )


def _annotations() -> list[Json]:
    ended = f"build_step_start_timestamp_seconds{{{BUILD}}} + build_step_duration_seconds{{{BUILD}}}"
    return [
        annotation(
            "Milestones",
            COLOURS["skipped"],
            f"1000 * build_milestone_timestamp_seconds{{{BUILD}}}",
            "{{build}}: {{milestone}}",
        ),
        annotation(
            "Failures",
            COLOURS["failed"],
            f"build_step_failure_info{{{BUILD}}} * on (build, instance, phase, step) group_left () (1000 * ({ended}))",
            "{{build}}: {{phase}} / {{step}} failed",
            "{{class}}: {{excerpt}}",
        ),
        annotation(
            "Starts", COLOURS["running"], f"1000 * build_start_timestamp_seconds{{{BUILD}}}", "{{build}} started"
        ),
        annotation("Ends", COLOURS["succeeded"], f"1000 * build_end_timestamp_seconds{{{BUILD}}}", "{{build}} ended"),
    ]
