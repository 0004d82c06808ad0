"""The dashboard "Build / Steps": what took how long, against what was expected, and one step in detail."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from dashboard import (
    BUILD,
    MACHINES_IN_MENU,
    PAGE_OF_BUILD,
    STEP,
    Frame,
    board_link,
    build_annotations,
    dashboard,
    page_link,
)
from layout import Grid
from promql import OF_BUILD, SAME_STEP, STEP_BY
from row_one_step import one_step
from row_quality import quality, toolchain
from style import (
    BYTES,
    COLOURS,
    COUNT,
    CRITICAL,
    GOOD,
    RATIO,
    SECONDS,
    STEP_STATES,
    WARNING,
    About,
    Json,
    Query,
    bars,
    fixed,
    override,
    panel,
    some,
    stat,
    state_mapping,
    thresholds,
    timeline,
)
from tables import AGAINST_EXPECTED, STEP_RESULT, Column, coloured_from, table

UID: Final = "build-steps"
ROWS: Final = 12
"""Steps in the timeline: those started last."""

_LINKS: Final = (
    board_link("This step", UID, "build=${build:percentencode}", "step=${__data.fields.Step:percentencode}"),
    page_link("Log", "/api/v1/builds/${build:percentencode}/log?step=${__data.fields.Step:percentencode}"),
)
_DURATIONS: Final = (
    *((0, "below 10 s"), (10, "to 1 min"), (60, "to 5 min"), (300, "to 30 min"), (1800, "to 2 h"), (7200, "longer")),
    ("+Inf", ""),
)
"""Where each range of durations begins, and its name: they differ by powers, from a second to many hours."""
_WALL: Final = f"sum(build_step_duration_seconds{{{OF_BUILD}}})"
_CPU: Final = f"sum(build_step_cpu_seconds{{{OF_BUILD}}})"
_JOBS: Final = f"max(build_jobs{{{OF_BUILD}}})"


def steps() -> Json:
    """Return the dashboard."""
    grid = Grid()
    grid.line(4, (9, _counts()), (5, _efficiency()), (5, _slower()), (5, _between()))
    grid.line(13, (24, _timeline()))
    grid.line(11, (24, _table()))
    one_step(grid)
    grid.head(110, "Durations")
    grid.line(9, (8, _durations()), (16, _against_expected()))
    quality(grid)
    toolchain(grid)
    frame = Frame(
        UID,
        "Build / Steps",
        "Which steps took how long, against what was expected; what they used, what their tests said. A click on a "
        "step chooses it for the row of one step.",
        (BUILD, STEP, MACHINES_IN_MENU),
        page=PAGE_OF_BUILD,
        run=True,
    )
    return dashboard(frame, grid.panels, build_annotations(OF_BUILD))


def _counts() -> Json:
    states = ("succeeded", "running", "failed", "pending")
    return stat(
        About(1, "Steps", "Steps of the newest run by state.", COUNT, "No step is known"),
        *(Query(f'sum(build_steps{{{OF_BUILD},state="{each}"}})', each.capitalize(), instant=True) for each in states),
        named=True,
        overrides=[override("byName", each.capitalize(), thresholds=some(COLOURS[each])) for each in states],
        decimals=0,
    )


def _efficiency() -> Json:
    purpose = (
        "CPU time of the finished steps over their time and the parallel jobs: 100 % keeps all jobs busy all the time. "
        "Low: serial configure scripts, or waiting for disk."
    )
    return stat(
        About(2, "Efficiency", purpose, RATIO, "No CPU times"),
        Query(f"{_CPU} / ({_WALL} > 0) / {_JOBS}", "Busy", instant=True),
        decimals=0,
    )


def _slower() -> Json:
    purpose = "Steps that took longer than in earlier runs, beyond noise and for no known reason. Needs earlier runs."
    return stat(
        About(3, "Slower steps", purpose, COUNT, "No earlier run"),
        Query(f"max(build_steps_slower{{{OF_BUILD}}})", "Slower", instant=True),
        thresholds=thresholds((None, GOOD), (1, WARNING)),
        links=[board_link("History", "build-history", "build=${build:percentencode}")],
    )


def _between() -> Json:
    purpose = "Time between steps, as for unpacking; pauses of more than a minute are left out."
    return stat(
        About(4, "Gaps", purpose, SECONDS, "No step has ended"),
        Query(f"max(build_gap_seconds{{{OF_BUILD}}})", "Between", instant=True),
        decimals=1,
    )


def _timeline() -> Json:
    newest = f"topk({ROWS}, max by (step) (build_step_start_timestamp_seconds{{{OF_BUILD}}} @ end()))"
    return timeline(
        About(
            5,
            "Timeline",
            f"State of each step over time, the {ROWS} that were started last. The link “This run” takes its time.",
            "short",
            "No step has started",
        ),
        "step",
        # only while there is a state to show: pending steps would be one band from the start
        f"max by (step) (build_step_status{{{OF_BUILD}}}) > 0",
        newest,
        mappings=state_mapping(STEP_STATES),
    )


def _table() -> Json:
    def of(metric: str) -> str:
        return f"{STEP_BY} ({metric}{{{OF_BUILD}}})"

    started = f"{of('build_step_start_timestamp_seconds')}"
    took = of("build_step_duration_seconds")
    return table(
        About(6, "All steps", "Every step that was started; a click chooses one.", "short", "No step has started"),
        Query(f"{of('build_step_status')} {SAME_STEP} {started}"),
        Query(took),
        Query(f"{of('build_step_expected_seconds')} {SAME_STEP} {started}"),
        Query(f"{took} / on (build, phase, step) ({of('build_step_expected_seconds')} > 0)"),
        Query(f"{of('build_step_cpu_seconds')} / on (build, phase, step) ({took} > 0)"),
        Query(of("build_step_peak_memory_bytes")),
        Query(of("build_step_attempts")),
        columns=(
            Column("Step", label="step"),
            Column("Result", query=0, width=100, properties=STEP_RESULT),
            Column("Took", query=1, unit=SECONDS, width=95, properties=({"id": "decimals", "value": 1},)),
            Column("Expected", query=2, unit=SECONDS, width=95, properties=({"id": "decimals", "value": 1},)),
            Column("Of expected", query=3, unit=RATIO, width=110, properties=AGAINST_EXPECTED),
            Column("CPUs used", query=4, unit="none", width=100, properties=({"id": "decimals", "value": 1},)),
            Column("Peak memory", query=5, unit=BYTES, width=115, properties=({"id": "decimals", "value": 1},)),
            Column("Attempts", query=6, unit=COUNT, width=90, properties=coloured_from((2, WARNING), (3, CRITICAL))),
        ),
        sort="Took",
        links=_LINKS,
    )


def _durations() -> Json:
    took = f"{STEP_BY} (build_step_duration_seconds{{{OF_BUILD}}})"
    made = bars(
        About(40, "Step durations", "How many of the finished steps took how long.", COUNT, "No step has ended"),
        *(
            Query(f"count({took} >= {low} < {high}) or vector(0)", name, instant=True)
            for (low, name), (high, _) in pairwise(_DURATIONS)
        ),
        color=fixed(COLOURS["running"]),
        decimals=0,
    )
    del made["fieldConfig"]["defaults"]["max"]
    return made


def _against_expected() -> Json:
    longest = f"topk({ROWS}, {STEP_BY} (build_step_duration_seconds{{{OF_BUILD}}}))"
    expected = f"{STEP_BY} (build_step_expected_seconds{{{OF_BUILD}}})"
    made = panel(
        "barchart",
        About(
            41,
            "Took and expected",
            f"The {ROWS} steps that took longest, beside what was expected of them.",
            SECONDS,
            "No step has ended",
        ),
        (Query(f"sort_desc({longest})"), Query(f"{expected} {SAME_STEP} {longest}")),
        {
            "orientation": "horizontal",
            "xField": "Step",
            "xTickLabelRotation": 0,
            "xTickLabelMaxLength": 24,
            "xTickLabelSpacing": 0,
            "stacking": "none",
            "showValue": "never",
            "barWidth": 0.9,
            "groupWidth": 0.8,
            "barRadius": 0,
            "fullHighlight": False,
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "none"},
        },
        table=True,
    )
    keep = {"Time": True, "build": True, "phase": True}
    made["transformations"] = [
        {"id": "merge", "options": {}},
        {
            "id": "organize",
            "options": {
                "excludeByName": keep,
                "indexByName": {"step": 0, "Value #A": 1, "Value #B": 2},
                "renameByName": {"step": "Step", "Value #A": "Took", "Value #B": "Expected"},
            },
        },
    ]
    made["fieldConfig"]["defaults"]["custom"] = {"lineWidth": 0, "fillOpacity": 80, "axisPlacement": "auto"}
    made["fieldConfig"]["overrides"] = [
        override("byName", "Took", color=fixed(COLOURS["running"])),
        override("byName", "Expected", color=fixed(COLOURS["pending"])),
    ]
    return made
