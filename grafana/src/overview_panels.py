"""Panels on builds as a whole: the answer at a glance, and progress over time."""

from __future__ import annotations

from typing import Final

from layout import Grid
from promql import BUILD, BUILDING, ELAPSED, RUNNING, SAME_STEP, STATE, expected_end, remaining
from style import (
    ALERTMANAGER_URL,
    BUILD_STATES,
    COLOURS,
    COUNT,
    CRITICAL,
    GOOD,
    MOMENT,
    RATIO,
    SECONDS,
    WARNING,
    About,
    Json,
    Query,
    bars,
    fixed,
    graph,
    link,
    override,
    stat,
    state_mapping,
    thresholds,
    timeline,
)

_NO_BUILD: Final = "No build known"
_THIS_BUILD: Final = link(
    "This build alone", "/d/build-now?var-build=${__field.labels.build:percentencode}&${__url_time_range}"
)


def tiles(grid: Grid) -> None:
    """Add the eight tiles of the first screen: is it building, where, how long left, what is wrong."""
    grid.line(4, (6, _state()), (6, _running_step()), (6, _done()), (6, _time_left()))
    grid.line(4, (6, _ends()), (6, _failed_steps()), (6, _alerts_firing()), (6, _last_event()))


def progress(grid: Grid) -> None:
    """Add the row on progress over time."""
    grid.head(100, "Progress")
    grid.line(8, (12, _progress_over_time()), (12, _expected_end()))
    grid.line(4, (24, _states()))


def _state() -> Json:
    return stat(
        About(1, "State", "What the newest run of each build is doing.", "short", _NO_BUILD),
        Query(STATE, "{{build}}", instant=True),
        coloured=True,
        mappings=state_mapping(BUILD_STATES),
        links=[_THIS_BUILD],
    )


def _running_step() -> Json:
    purpose = "The steps that run, and for how long; of many the three that were started last."
    return stat(
        About(2, "Running step", purpose, SECONDS, "No step is running"),
        Query(f"bottomk(3, {ELAPSED} {SAME_STEP} {RUNNING})", "{{phase}} / {{step}}", instant=True),
        text="value_and_name",
        decimals=1,
    )


def _done() -> Json:
    return bars(
        About(3, "Progress", "Share of the run that is done, weighted by time. Needs a plan.", RATIO, "No plan"),
        Query(f"max by (build) (build_progress_ratio{{{BUILD}}})", "{{build}}", instant=True),
        decimals=1,
        color=fixed(COLOURS["running"]),
    )


def _time_left() -> Json:
    purpose = "What the run still needs, or would need once it goes on: the middle of the estimate. Needs a plan."
    return stat(
        About(4, "Time left", purpose, SECONDS, "Nothing to estimate"),
        Query(remaining("50"), "{{build}}", instant=True),
        decimals=1,
    )


def _ends() -> Json:
    purpose = "When the run will end: the middle of the estimate, and what it keeps with 90 % certainty. Needs a plan."
    return stat(
        About(5, "Ends", purpose, MOMENT, "Nothing to estimate"),
        Query(expected_end("50"), "{{build}} likely", instant=True),
        Query(expected_end("90"), "{{build}} at the latest", instant=True),
        text="value_and_name",
    )


def _failed_steps() -> Json:
    expr = f"max by (build, phase, step, class) (build_step_failure_info{{{BUILD}}})"
    return stat(
        About(6, "Failed steps", "Steps that failed and were not tried again, with their class.", COUNT, "None"),
        Query(expr, "{{step}}: {{class}}", instant=True),
        text="name",
        coloured=True,
        thresholds=thresholds((None, GOOD), (1, CRITICAL)),
    )


def _alerts_firing() -> Json:
    panel = stat(
        About(7, "Alerts firing", "Alerts of Prometheus that fire; also those somebody acknowledged.", COUNT, "None"),
        *(
            Query(f'count(ALERTS{{alertstate="firing",severity="{severity}"}}) or vector(0)', name, instant=True)
            for severity, name in (("critical", "Critical"), ("warning", "Warning"))
        ),
        text="value_and_name",
        thresholds=thresholds((None, GOOD), (1, WARNING)),
        links=[link("Acknowledge in Alertmanager", ALERTMANAGER_URL, new_tab=True)],
    )
    red = thresholds((None, GOOD), (1, CRITICAL))
    panel["fieldConfig"]["overrides"] = [override("byName", "Critical", thresholds=red)]
    return panel


def _last_event() -> Json:
    return stat(
        About(8, "Last event", "How long ago the running build was last heard of.", SECONDS, "Nothing runs"),
        Query(
            f"time() - max by (build) (build_last_event_timestamp_seconds{{{BUILD}}}) and on (build) {BUILDING}",
            "{{build}}",
            instant=True,
        ),
        decimals=1,
    )


def _progress_over_time() -> Json:
    return graph(
        About(10, "Progress over time", "Share of the run that is done, weighted by time.", RATIO, "No plan"),
        Query(f"max by (build) (build_progress_ratio{{{BUILD}}})", "{{build}}"),
        min=0,
        max=1,
    )


def _expected_end() -> Json:
    purpose = (
        "When the run was expected to end, as estimated at each time: the middle, and the band it lies in with 80 % "
        "certainty. Level lines mean a good estimate. Choose one build to read it."
    )
    blue = fixed(COLOURS["running"])
    return graph(
        About(11, "Expected end", purpose, MOMENT, "No run with a plan in this time"),
        *(Query(expected_end(percentile), f"{percentile} %") for percentile in ("10", "50", "90")),
        legend=False,
        overrides=(
            override("byName", "50 %", color=blue, custom__lineWidth=2),
            override(
                "byName",
                "90 %",
                color=blue,
                custom__lineWidth=0,
                custom__fillBelowTo="10 %",
                custom__fillOpacity=15,
            ),
            override("byName", "10 %", color=blue, custom__lineWidth=0),
        ),
    )


def _states() -> Json:
    return timeline(
        About(12, "States", "State of each build over time.", "short", _NO_BUILD),
        Query(STATE, "{{build}}"),
        states=BUILD_STATES,
    )
