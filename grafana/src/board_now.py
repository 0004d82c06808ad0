"""The dashboard "Build / Now": is it building, where, how long left, what is wrong."""

from __future__ import annotations

from typing import Final

from dashboard import BUILD, MACHINES_IN_MENU, PAGE_OF_BUILD, Frame, board_link, build_annotations, dashboard, page_link
from estimates import END_NAMES, end_band
from layout import Grid
from promql import ALERT, ELAPSED, OF_BUILD, RUNNING, SAME_STEP, STEP_BY, building, expected_end, remaining, state
from style import (
    BUILD_STATES,
    BYTES,
    COLOURS,
    COUNT,
    CRITICAL,
    GOOD,
    MOMENT,
    NEUTRAL,
    RATIO,
    SECONDS,
    WARNING,
    About,
    Json,
    Query,
    bad_from,
    bars,
    fixed,
    graph,
    mapping,
    override,
    stat,
    state_mapping,
    thresholds,
)
from tables import BAD_FROM_ONE, BAR, WHOLE, WRAPPED, Column, table, words

UID: Final = "build-now"
_PAGE_OF_BUILD: Final = page_link("Live page of the build", "/builds/${build:percentencode}")
_ALERTS: Final = (
    board_link("Alerts and failures", "build-alerts", "build=${build:percentencode}"),
    page_link("Acknowledge", "/alerts"),
)
_STEP_LINKS: Final = (
    board_link("This step", "build-steps", "build=${build:percentencode}", "step=${__data.fields.Step:percentencode}"),
    page_link("Log", "/api/v1/builds/${build:percentencode}/log?step=${__data.fields.Step:percentencode}"),
)


def now() -> Json:
    """Return the dashboard."""
    grid = Grid()
    _first_screen(grid)
    grid.line(8, (12, _progress_over_time()), (12, _end_over_time()))
    grid.head(100, "Phases and milestones")
    grid.line(8, (13, _phases()), (11, _milestones()))
    grid.head(101, "All builds")
    grid.line(8, (24, _all_builds()))
    frame = Frame(
        UID,
        "Build / Now",
        "Is it building, where, how long left, what is wrong? The first screen is the answer; the other dashboards, in "
        "the list at the top, have the details.",
        (BUILD, MACHINES_IN_MENU),
        page=PAGE_OF_BUILD,
        run=True,
    )
    return dashboard(frame, grid.panels, build_annotations(OF_BUILD))


def _first_screen(grid: Grid) -> None:
    grid.line(4, (4, _state()), (6, _progress()), (5, _time_left()), (9, _ends()))
    grid.line(5, (14, _running_steps()), (5, _failed_steps()), (5, _alerts()))
    grid.line(5, (14, _wrong()), (5, _fit()), (5, _schedule()))


def _state() -> Json:
    return stat(
        About(1, "State", "What the newest run of the build is doing.", COUNT, "No build"),
        Query(state(OF_BUILD), "{{build}}", instant=True),
        coloured=True,
        mappings=state_mapping(BUILD_STATES),
        links=[_PAGE_OF_BUILD],
    )


def _progress() -> Json:
    begun = {"from": 0, "to": 0.0005, "result": {"text": "Just begun", "index": 0}}
    return bars(
        About(2, "Progress", "Share of the run that is done, weighted by time. Needs a plan.", RATIO, "No plan"),
        Query(f"max by (build) (build_progress_ratio{{{OF_BUILD}}})", "{{build}}", instant=True),
        decimals=1,
        color=fixed(COLOURS["running"]),
        mappings=[{"type": "range", "options": begun}],
    )


def _time_left() -> Json:
    purpose = "What the run still needs, or would need once it goes on: the middle of the estimate. Needs a plan."
    return stat(
        About(3, "Time left", purpose, SECONDS, "No estimate"),
        Query(remaining("50"), "{{build}}", instant=True),
        decimals=1,
        mappings=mapping({"0": ("None", GOOD)}),
    )


def _ends() -> Json:
    purpose = (
        "When the run will end: the middle of the estimate, and the band it lies in with 80 % certainty. Needs a plan."
    )
    made = stat(
        About(4, "Ends", purpose, MOMENT, "No estimate"),
        *(Query(expected_end(percentile), name, instant=True) for percentile, name in END_NAMES),
        named=True,
    )
    # in the room of a phone Grafana would choose letters too small to read
    made["options"]["text"] = {"titleSize": 13, "valueSize": 16}
    return made


def _running_steps() -> Json:
    purpose = "What runs now: what it is doing, for how long, and how long it was expected to take."
    return table(
        About(5, "Running steps", purpose, "short", "No step is running"),
        Query(f"{ELAPSED} {SAME_STEP} {RUNNING}"),
        Query(f"max by (build, phase, step, verdict) (build_step_verdict{{{OF_BUILD}}} == 1)"),
        Query(f"{STEP_BY} (build_step_expected_seconds{{{OF_BUILD}}}) {SAME_STEP} {RUNNING}"),
        Query(f"{STEP_BY} (build_step_progress_ratio{{{OF_BUILD}}}) {SAME_STEP} {RUNNING}"),
        columns=(
            Column("Step", label="step"),
            Column("Doing", label="verdict", width=100),
            Column("Elapsed", query=0, unit=SECONDS, width=90),
            Column("Expected", query=2, unit=SECONDS, width=90),
            Column("Progress", query=3, unit=RATIO, width=105, properties=BAR),
        ),
        sort="Elapsed",
        links=_STEP_LINKS,
    )


def _failed_steps() -> Json:
    return stat(
        About(6, "Failed steps", "Steps that failed and were not tried again.", COUNT, "None"),
        Query(f"count({STEP_BY} (build_step_failure_info{{{OF_BUILD}}})) or vector(0)", "Failed", instant=True),
        coloured=True,
        mappings=mapping({"0": ("None", GOOD)}),
        thresholds=bad_from(1),
        links=list(_ALERTS),
    )


def _alerts() -> Json:
    """Return the tile of firing alerts: those of the build, and those of no build, as of the machine."""

    def firing(severity: str) -> str:
        chosen = f'alertstate="firing",severity="{severity}",{ALERT}'
        return f'count(ALERTS{{{chosen},build="$build"}} or ALERTS{{{chosen},build=""}}) or vector(0)'

    red = bad_from(1)
    return stat(
        About(7, "Alerts", "Alerts that fire, of the build and of machines; also acknowledged ones.", COUNT, "0"),
        Query(firing("critical"), "Critical", instant=True),
        Query(firing("warning"), "Warning", instant=True),
        named=True,
        thresholds=thresholds((None, GOOD), (1, WARNING)),
        links=list(_ALERTS),
        overrides=[override("byName", "Critical", thresholds=red)],
    )


def _wrong() -> Json:
    failed = f"max by (step, class, excerpt) (build_step_failure_info{{{OF_BUILD}}})"
    other = f'build_failure_info{{{OF_BUILD},kind!="failed"}}'
    incidents = f'max by (step, class, excerpt) (label_replace({other}, "class", "$1", "kind", "(.+)"))'
    return table(
        About(8, "What is wrong", "Failed steps and open incidents, with the first words on why.", "short", "Nothing"),
        Query(f"{failed} or {incidents}"),
        columns=(
            Column("Step", label="step", width=190),
            Column("Class", label="class", width=140),
            Column("First words", label="excerpt", properties=WRAPPED),
        ),
        links=_STEP_LINKS,
    )


def _fit() -> Json:
    purpose = "What the first step to come that will not fit lacks of disk and of memory. Needs a plan or earlier runs."
    return stat(
        About(9, "Will it fit", purpose, BYTES, "Not known"),
        *(
            Query(f'max(build_fit_shortage_bytes{{{OF_BUILD},resource="{resource}"}})', name, instant=True)
            for resource, name in (("disk", "Disk"), ("memory", "Memory"))
        ),
        named=True,
        decimals=1,
        mappings=mapping({"0": ("Fits", GOOD)}),
        thresholds=bad_from(1),
    )


def _schedule() -> Json:
    purpose = "How much earlier than its deadline the run ends or is expected to end; negative: later."
    return stat(
        About(10, "To spare", purpose, SECONDS, "No deadline"),
        Query(f"-max(build_schedule_deviation_seconds{{{OF_BUILD}}})", "To spare", instant=True),
        decimals=1,
        thresholds=thresholds((None, CRITICAL), (-3600, WARNING), (0, GOOD)),
    )


def _progress_over_time() -> Json:
    return graph(
        About(11, "Progress over time", "Share of the run that is done, weighted by time.", RATIO, "No plan"),
        Query(f"max by (build) (build_progress_ratio{{{OF_BUILD}}})", "{{build}}"),
        legend="",
        min=0,
        max=1,
        color=fixed(COLOURS["running"]),
    )


def _end_over_time() -> Json:
    purpose = (
        "When the run was expected to end, as estimated at each time: the middle, and the band it lies in with 80 % "
        "certainty. Level lines mean a good estimate."
    )
    return graph(
        About(12, "Expected end", purpose, MOMENT, "No run with a plan in this time"),
        *(Query(expected_end(percentile), name) for percentile, name in END_NAMES),
        legend="",
        overrides=end_band(),
    )


def _phases() -> Json:
    states = ("succeeded", "failed", "pending")
    return table(
        About(20, "Phases", "How far each phase is, and its steps by state.", COUNT, "No phase is known"),
        Query(f"max by (phase) (build_phase_progress_ratio{{{OF_BUILD}}})"),
        *(Query(f'max by (phase) (build_steps{{{OF_BUILD},state="{each}"}})') for each in states),
        columns=(
            Column("Phase", label="phase"),
            Column("Progress", query=0, unit=RATIO, width=120, properties=BAR),
            Column("Failed", query=2, unit=COUNT, width=70, properties=BAD_FROM_ONE),
            Column("To come", query=3, unit=COUNT, width=80, properties=WHOLE),
            Column("Done", query=1, unit=COUNT, width=70, properties=WHOLE),
        ),
        links=(board_link("Its steps", "build-steps", "build=${build:percentencode}"),),
    )


def _milestones() -> Json:
    reached = f"max by (build, milestone) (build_milestone_timestamp_seconds{{{OF_BUILD}}})"
    started = f"max by (build) (build_start_timestamp_seconds{{{OF_BUILD}}})"
    return table(
        About(21, "Milestones", "When each was reached, and how long after the start.", "short", "None reached yet"),
        Query(f"1000 * {reached}"),
        Query(f"{reached} - on (build) group_left () {started}"),
        columns=(
            Column("Milestone", label="milestone"),
            Column("Reached", query=0, unit=MOMENT, width=160),
            Column("After", query=1, unit=SECONDS, width=95, properties=({"id": "decimals", "value": 1},)),
        ),
        sort="Reached",
    )


def _all_builds() -> Json:
    every = 'instance=~"$instance"'
    by = "build, instance"
    running = f'sum by ({by}) (build_steps{{{every},state="running"}})'
    return table(
        About(30, "All builds", "The newest run of every build; a click chooses one.", "short", "No build is known"),
        Query(state(every, by)),
        Query(f"max by ({by}) (build_progress_ratio{{{every}}})"),
        Query(f"{remaining('50', every, by)} and on ({by}) {building(every, by)}"),
        Query(expected_end("50", every, by)),
        Query(running),
        Query(f"time() - max by ({by}) (build_last_event_timestamp_seconds{{{every}}})"),
        columns=(
            Column("Build", label="build"),
            Column("Machine", label="instance", width=140),
            Column("State", query=0, width=95, properties=words(state_mapping(BUILD_STATES))),
            Column("Progress", query=1, unit=RATIO, width=120, properties=BAR),
            Column("Time left", query=2, unit=SECONDS, width=90, properties=({"id": "decimals", "value": 1},)),
            Column("Ends", query=3, unit=MOMENT, width=155),
            Column("Running", query=4, unit=COUNT, width=80, properties=WHOLE),
            Column("Last event", query=5, unit=SECONDS, width=105, properties=(*_ago(),)),
        ),
        sort="Last event",
        descending=False,
        links=(board_link("Only this build", UID, "build=${__data.fields.Build:percentencode}"),),
    )


def _ago() -> tuple[Json, ...]:
    return ({"id": "decimals", "value": 0}, {"id": "color", "value": fixed(NEUTRAL)})
