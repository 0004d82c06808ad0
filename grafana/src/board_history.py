"""The dashboard "Build / History": runs compared, what became slower, and how good the estimates were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dashboard import BUILD, MACHINES_IN_MENU, PAGE_OF_BUILD, Frame, board_link, build_annotations, dashboard, page_link
from estimates import END_NAMES, end_band
from layout import Grid
from promql import OF_BUILD, expected_end, state
from style import (
    BUILD_STATES,
    BYTES,
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
    bad_from,
    bars,
    fixed,
    graph,
    limit,
    mapping,
    override,
    panel,
    some,
    stat,
    state_mapping,
    thresholds,
)
from tables import Column, coloured_from, table, words

UID: Final = "build-history"
_ONE: Final = ({"id": "decimals", "value": 1},)
_BEGIN: Final = f"max by (build) (build_start_timestamp_seconds{{{OF_BUILD}}})"
_END: Final = f"max by (build) (build_end_timestamp_seconds{{{OF_BUILD}}})"
# the newest where Prometheus still shows the run before: after a restart of the exporter no series ends at once
_RUN: Final = f"max by (build, run) (topk by (build) (1, timestamp(build_info{{{OF_BUILD}}})) > bool 0)"


def history() -> Json:
    """Return the dashboard."""
    grid = Grid()
    grid.line(4, (9, _runs_by_result()), (5, _sbu()), (5, _slower()), (5, _failures()))
    grid.line(9, (16, _runs()), (8, _by_phase()))
    grid.line(9, (14, _regressions()), (10, _sbu_over_time()))
    grid.head(100, "How good the estimates were")
    grid.line(8, (6, _error()), (6, _coverage()), (12, _end_over_time()))
    grid.head(101, "What is to come")
    grid.line(8, (12, _needed()), (12, _lateness()))
    frame = Frame(
        UID,
        "Build / History",
        "Is this run slower than those before, where, and can its estimate be trusted? Choose a time that holds the "
        "runs to be compared; Prometheus must have kept them, or take them in by `build-exporter export`.",
        (BUILD, MACHINES_IN_MENU),
        page=PAGE_OF_BUILD,
        since="now-30d",
        refresh="1m",
    )
    return dashboard(frame, grid.panels, build_annotations(OF_BUILD))


def _by_run(expr: str) -> str:
    """Return the last value that an expression by build had in each run."""
    labelled = f"{_RUN} * on (build) group_left () ({expr})"
    return f"max by (run) (last_over_time(({labelled})[$__range:$__interval]))"


def _runs_by_result() -> Json:
    results = ("succeeded", "failed", "interrupted")
    return stat(
        About(1, "Runs", "Ends of runs by result, all that the journal has known.", COUNT, "No run has ended"),
        *(
            Query(f'sum(build_runs_total{{{OF_BUILD},result="{each}"}})', each.capitalize(), instant=True)
            for each in results
        ),
        named=True,
        decimals=0,
        overrides=[override("byName", each.capitalize(), thresholds=some(COLOURS[each])) for each in results],
    )


def _sbu() -> Json:
    purpose = "Seconds one standard build unit takes in the newest run: the speed of this machine for this build."
    return stat(
        About(2, "One SBU", purpose, SECONDS, "No SBU known"),
        Query(f"max(build_sbu_seconds{{{OF_BUILD}}})", "SBU", instant=True),
        decimals=1,
    )


def _slower() -> Json:
    purpose = "Steps of the newest run that took longer than in earlier runs, beyond noise and for no known reason."
    return stat(
        About(3, "Slower steps", purpose, COUNT, "No earlier run"),
        Query(f"max(build_steps_slower{{{OF_BUILD}}})", "Slower", instant=True),
        mappings=mapping({"0": ("None", GOOD)}),
        thresholds=thresholds((None, GOOD), (1, WARNING)),
    )


def _failures() -> Json:
    return stat(
        About(4, "Failures", "Failed attempts at steps over all runs.", COUNT, "None"),
        Query(f"sum(build_failures_total{{{OF_BUILD}}})", "Failed", instant=True),
        decimals=0,
        links=[board_link("Alerts and failures", "build-alerts", "build=${build:percentencode}")],
    )


def _runs() -> Json:
    purpose = "Each run within the time shown: when it began, what it took, how it ended, and its SBU."
    return table(
        About(10, "Runs", purpose, "short", "No run in this time"),
        Query(f"1000 * {_by_run(_BEGIN)}"),
        Query(_by_run(f"{_END} - {_BEGIN}")),
        Query(_by_run(state(OF_BUILD))),
        Query(_by_run(f"max by (build) (build_sbu_seconds{{{OF_BUILD}}})")),
        Query(
            _by_run(
                f"sum by (build) (build_step_attempts{{{OF_BUILD}}})"
                f" - count by (build) (build_step_attempts{{{OF_BUILD}}})"
            )
        ),
        columns=(
            Column("Run", label="run"),
            Column("Began", query=0, unit=MOMENT, width=140),
            Column("Took", query=1, unit=SECONDS, width=80, properties=_ONE),
            Column("Result", query=2, width=95, properties=words(state_mapping(BUILD_STATES))),
            Column("SBU", query=3, unit=SECONDS, width=70, properties=_ONE),
            Column("Retries", query=4, unit=COUNT, width=70, properties=coloured_from((1, WARNING))),
        ),
        sort="Began",
        links=(page_link("Live page of the build", "/builds/${build:percentencode}"),),
    )


def _by_phase() -> Json:
    """Return a bar a run, of the time its phases took: a matrix of runs and phases."""
    time = f"sum by (build, phase) (build_step_duration_seconds{{{OF_BUILD}}})"
    labelled = f"{time} * on (build) group_left (run) {_RUN}"
    expr = f"max by (run, phase) (last_over_time(({labelled})[$__range:$__interval]))"
    purpose = "Time of the steps of each phase, run by run. Steps that ran side by side both count."
    made = panel(
        "barchart",
        About(11, "Time by phase", purpose, SECONDS, "No run in this time"),
        [Query(expr)],
        {
            "orientation": "horizontal",
            "xField": "run\\phase",
            "xTickLabelRotation": 0,
            "xTickLabelMaxLength": 16,
            "xTickLabelSpacing": 0,
            "stacking": "normal",
            "showValue": "never",
            "barWidth": 0.7,
            "groupWidth": 0.7,
            "barRadius": 0,
            "fullHighlight": False,
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "none"},
        },
        table=True,
    )
    made["transformations"] = [
        {"id": "groupingToMatrix", "options": {"columnField": "phase", "rowField": "run", "valueField": "Value"}}
    ]
    made["fieldConfig"]["defaults"].update(
        {"color": {"mode": "palette-classic"}, "custom": {"lineWidth": 0, "fillOpacity": 80, "axisPlacement": "auto"}}
    )
    return made


def _regressions() -> Json:
    def of(metric: str) -> str:
        return f"max by (build, phase, step) ({metric}{{{OF_BUILD}}})"

    ratio = of("build_step_regression_ratio")
    purpose = "Steps of the newest run that took longer than usual, beyond noise and for no known reason."
    return table(
        About(12, "Slower than before", purpose, "short", "None is slower"),
        Query(ratio),
        Query(f"{of('build_step_duration_seconds')} and on (build, phase, step) {ratio}"),
        columns=(
            Column("Step", label="step"),
            Column("Phase", label="phase", width=140),
            Column("Took", query=1, unit=SECONDS, width=100, properties=_ONE),
            Column(
                "Times usual",
                query=0,
                unit="none",
                width=110,
                properties=coloured_from((1, WARNING), (2, CRITICAL), decimals=2),
            ),
        ),
        sort="Times usual",
        links=(
            board_link(
                "This step", "build-steps", "build=${build:percentencode}", "step=${__data.fields.Step:percentencode}"
            ),
        ),
    )


def _sbu_over_time() -> Json:
    purpose = "Seconds one standard build unit took: a machine that becomes slower shows here first."
    return graph(
        About(13, "SBU over time", purpose, SECONDS, "No SBU known in this time"),
        Query(f"max by (build) (build_sbu_seconds{{{OF_BUILD}}})", "{{build}}"),
        steps=True,
        legend="",
        min=0,
        color=fixed(COLOURS["running"]),
    )


def _by_progress(metric: str) -> Iterator[Query]:
    """Yield the value of estimates made at each share of a run."""
    for share in (0.25, 0.5, 0.75):
        yield Query(f'max({metric}{{{OF_BUILD},progress="{share}"}})', f"at {share:.0%}", instant=True)


def _error() -> Json:
    purpose = "How far estimates of the last runs were off, by the share of the run that had passed; 10 % is good."
    return bars(
        About(20, "Estimate error", purpose, RATIO, "No two runs to compare"),
        *_by_progress("build_estimate_error_ratio"),
        max=0.5,
        decimals=1,
        thresholds=bad_from(0.25, warn=0.1),
    )


def _coverage() -> Json:
    purpose = "Share of the last runs whose end lay in the band given; 80 % is right, less is too sure of itself."
    return bars(
        About(21, "Band holds", purpose, RATIO, "No two runs to compare"),
        *_by_progress("build_estimate_band_coverage_ratio"),
        decimals=0,
        thresholds=thresholds((None, CRITICAL), (0.5, WARNING), (0.7, GOOD)),
    )


def _end_over_time() -> Json:
    purpose = "When the end was expected, as estimated at each time, and when it came. Choose one run by zooming in."
    return graph(
        About(22, "Expected and true end", purpose, MOMENT, "No run with a plan in this time"),
        *(Query(expected_end(percentile), name) for percentile, name in END_NAMES),
        Query(f"1000 * {_END}", "Ended"),
        overrides=[*end_band(), limit("Ended", COLOURS["succeeded"])],
    )


def _needed() -> Json:
    purpose = "The most that one of the steps to come needs of disk and memory, and what is lacking."
    return graph(
        About(30, "Needed", purpose, BYTES, "No step to come is known"),
        Query(f"max by (resource) (build_fit_needed_bytes{{{OF_BUILD}}})", "{{resource}} needed"),
        Query(f"max by (resource) (build_fit_shortage_bytes{{{OF_BUILD}}}) > 0", "{{resource}} lacking"),
        steps=True,
        min=0,
    )


def _lateness() -> Json:
    purpose = "Probability that the run ends later than its deadline and tolerance, from the band of the estimate."
    return graph(
        About(31, "Probably late", purpose, RATIO, "No deadline is set"),
        Query(f"max by (build) (build_schedule_late_probability_ratio{{{OF_BUILD}}})", "{{build}}"),
        legend="",
        min=0,
        max=1,
        color=fixed(WARNING),
    )
