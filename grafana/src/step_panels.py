"""Panels on phases, steps, failures and milestones."""

from __future__ import annotations

from typing import Final

from layout import Grid
from promql import BUILD, ELAPSED, ENDED, RUNNING, SAME_STEP, STEP_BY
from style import (
    COLOURS,
    COUNT,
    CRITICAL,
    GOOD,
    MOMENT,
    NEUTRAL,
    PAGE_URL,
    RATIO,
    SECONDS,
    STEP_STATES,
    WARNING,
    About,
    Column,
    Json,
    Query,
    fixed,
    graph,
    link,
    override,
    state_mapping,
    table,
    thresholds,
)

_LOG: Final = link(
    "Log of the step",
    f"{PAGE_URL}api/v1/builds/${{__data.fields.Build:percentencode}}/log?step=${{__data.fields.Step:percentencode}}",
    new_tab=True,
)
_LOG_LINK: Final[Json] = {"id": "links", "value": [_LOG]}
_BUILD_COLUMN: Final = Column("Build", label="build")
_PHASE_COLUMN: Final = Column("Phase", label="phase")
_STEP_COLUMN: Final = Column("Step", label="step", properties=(_LOG_LINK,))

_BAR: Final[tuple[Json, ...]] = (
    {"id": "custom.cellOptions", "value": {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}},
    {"id": "min", "value": 0},
    {"id": "color", "value": fixed(COLOURS["running"])},
)
_FULL_BAR: Final = (*_BAR, {"id": "max", "value": 1})
_COLOURED_TEXT: Final[Json] = {"id": "custom.cellOptions", "value": {"type": "color-text"}}
_RED_FROM_ONE: Final[tuple[Json, ...]] = (
    _COLOURED_TEXT,
    {"id": "thresholds", "value": thresholds((None, NEUTRAL), (1, CRITICAL))},
)
_AGAINST_EXPECTED: Final[tuple[Json, ...]] = (
    _COLOURED_TEXT,
    {"id": "decimals", "value": 0},
    {"id": "thresholds", "value": thresholds((None, GOOD), (1.25, WARNING), (2, CRITICAL))},
)
_RESULT: Final[tuple[Json, ...]] = (_COLOURED_TEXT, {"id": "mappings", "value": state_mapping(STEP_STATES)})


def steps(grid: Grid) -> None:
    """Add the row on phases and steps."""
    grid.head(101, "Phases and steps")
    grid.line(9, (10, _phases()), (14, _running_steps()))
    grid.line(11, (12, _recent_steps()), (12, _slowest_steps()))


def failures(grid: Grid) -> None:
    """Add the row on failures and milestones."""
    grid.head(102, "Failures and milestones")
    grid.line(7, (24, _failures()))
    grid.line(8, (10, _milestones()), (14, _steps_by_state()))


def _phases() -> Json:
    states = ("succeeded", "running", "failed", "pending")
    return table(
        About(20, "Phases", "How far each phase is, and its steps by state.", COUNT, "No build known"),
        Query(f"max by (build, phase) (build_phase_progress_ratio{{{BUILD}}})"),
        *(Query(f'max by (build, phase) (build_steps{{{BUILD},state="{state}"}})') for state in states),
        columns=(
            _BUILD_COLUMN,
            _PHASE_COLUMN,
            Column("Progress", query=0, unit=RATIO, properties=_FULL_BAR),
            Column("Done", query=1, unit=COUNT, width=70),
            Column("Running", query=2, unit=COUNT, width=80),
            Column("Failed", query=3, unit=COUNT, width=70, properties=_RED_FROM_ONE),
            Column("To come", query=4, unit=COUNT, width=80),
        ),
    )


def _running_steps() -> Json:
    purpose = "What runs now: for how long, and how long it was expected to take."
    return table(
        About(21, "Running steps", purpose, "short", "No step is running"),
        Query(f"{ELAPSED} {SAME_STEP} {RUNNING}"),
        *(
            Query(f"{STEP_BY} ({metric}{{{BUILD}}}) {SAME_STEP} {RUNNING}")
            for metric in ("build_step_expected_seconds", "build_step_progress_ratio", "build_step_attempts")
        ),
        columns=(
            _BUILD_COLUMN,
            _PHASE_COLUMN,
            _STEP_COLUMN,
            Column("Elapsed", query=0, unit=SECONDS, width=100),
            Column("Expected", query=1, unit=SECONDS, width=100),
            Column("Progress", query=2, unit=RATIO, properties=_FULL_BAR),
            Column("Attempt", query=3, unit=COUNT, width=80),
        ),
        sort="Elapsed",
    )


def _recent_steps() -> Json:
    newest = f"topk(15, {ENDED})"
    return table(
        About(22, "Recent steps", "The last 15 steps that ended.", "short", "No step has ended"),
        Query(f"1000 * {newest}"),
        *(
            Query(f"{STEP_BY} ({metric}{{{BUILD}}}) {SAME_STEP} {newest}")
            for metric in ("build_step_status", "build_step_duration_seconds", "build_step_expected_seconds")
        ),
        columns=(
            Column("Ended", query=0, unit=MOMENT, width=150),
            _BUILD_COLUMN,
            _PHASE_COLUMN,
            _STEP_COLUMN,
            Column("Result", query=1, width=100, properties=_RESULT),
            Column("Took", query=2, unit=SECONDS, width=90),
            Column("Expected", query=3, unit=SECONDS, width=90),
        ),
        sort="Ended",
    )


def _slowest_steps() -> Json:
    purpose = "The 15 steps that took longest, and what was expected of them."
    longest = f"topk(15, {STEP_BY} (build_step_duration_seconds{{{BUILD}}}))"
    expected = f"{STEP_BY} (build_step_expected_seconds{{{BUILD}}})"
    return table(
        About(23, "Slowest steps", purpose, "short", "No step has ended"),
        Query(longest),
        Query(f"{expected} {SAME_STEP} {longest}"),
        Query(f"{longest} / on (build, phase, step) ({expected} > 0)"),
        columns=(
            _BUILD_COLUMN,
            _PHASE_COLUMN,
            _STEP_COLUMN,
            Column("Took", query=0, unit=SECONDS, properties=_BAR),
            Column("Expected", query=1, unit=SECONDS, width=90),
            Column("Of expected", query=2, unit=RATIO, width=105, properties=_AGAINST_EXPECTED),
        ),
        sort="Took",
    )


def _failures() -> Json:
    purpose = "Steps that failed and were not tried again, with the first words on why."
    return table(
        About(24, "Failures", purpose, "short", "Nothing failed"),
        Query(f"max by (build, phase, step, class, excerpt) (build_step_failure_info{{{BUILD}}})"),
        columns=(
            Column("Build", label="build", width=140),
            Column("Phase", label="phase", width=140),
            Column("Step", label="step", width=220, properties=(_LOG_LINK,)),
            Column("Class", label="class", width=160),
            Column("Excerpt", label="excerpt", properties=({"id": "custom.inspect", "value": True},)),
        ),
    )


def _milestones() -> Json:
    reached = f"max by (build, milestone) (build_milestone_timestamp_seconds{{{BUILD}}})"
    started = f"max by (build) (build_start_timestamp_seconds{{{BUILD}}})"
    return table(
        About(25, "Milestones", "When each was reached, and how long after the start.", "short", "None reached yet"),
        Query(f"1000 * {reached}"),
        Query(f"{reached} - on (build) group_left () {started}"),
        columns=(
            _BUILD_COLUMN,
            Column("Milestone", label="milestone"),
            Column("Reached", query=0, unit=MOMENT, width=150),
            Column("After", query=1, unit=SECONDS, width=90),
        ),
        sort="Reached",
    )


def _steps_by_state() -> Json:
    order = ("succeeded", "skipped", "running", "failed", "interrupted", "pending")
    return graph(
        About(26, "Steps by state", "How many steps of the chosen builds are in each state.", COUNT, "No build known"),
        *(
            Query(f'sum(max by (build, phase) (build_steps{{{BUILD},state="{state}"}}))', state.capitalize())
            for state in order
        ),
        stacked=True,
        steps=True,
        min=0,
        decimals=0,
        overrides=[override("byName", state.capitalize(), color=fixed(COLOURS[state])) for state in order],
    )
