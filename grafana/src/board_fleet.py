"""The dashboard "Build / Fleet": many builders, the worst first."""

from __future__ import annotations

from typing import Final

from dashboard import INSTANCES, OWN_PAGE, Frame, board_link, build_annotations, dashboard, page_link, with_page
from layout import Grid
from promql import ALERT, building, expected_end, state
from style import (
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
    bad_from,
    fixed,
    graph,
    mapping,
    override,
    some,
    stat,
    state_mapping,
    thresholds,
)
from tables import BAR, WHOLE, Column, coloured_from, table, words

UID: Final = "build-fleet"
_CHOSEN: Final = 'instance=~"$instance"'
_UP: Final = f'up{{job="build-exporter",{_CHOSEN}}}'
_ONE: Final = ({"id": "decimals", "value": 1},)


def fleet() -> Json:
    """Return the dashboard."""
    grid = Grid()
    grid.line(4, (6, _builders()), (8, _builds()), (5, _alerts()), (5, _next_end()))
    grid.line(10, (24, _machines()))
    grid.line(10, (24, _builds_table()))
    grid.line(8, (8, _progress()), (8, _cpu()), (8, _disk()))
    frame = Frame(
        UID,
        "Build / Fleet",
        "Which of many builders needs somebody? The worst come first; a click leads to its build or its machine.",
        (INSTANCES,),
        page=f"build_exporter_link_info{{{_CHOSEN}}}",
        since="now-6h",
        refresh="30s",
    )
    return dashboard(frame, grid.panels, build_annotations(f'build=~".+",{_CHOSEN}'))


def _builders() -> Json:
    return stat(
        About(1, "Builders", "Builders that Prometheus reaches, and those it does not.", COUNT, "No builder is known"),
        Query(f"sum({_UP})", "Up", instant=True),
        Query(f"count({_UP} == 0) or vector(0)", "Down", instant=True),
        named=True,
        decimals=0,
        overrides=[override("byName", "Down", thresholds=bad_from(1)), override("byName", "Up", color=fixed(GOOD))],
    )


def _builds() -> Json:
    states = ("running", "failed", "succeeded", "interrupted")
    return stat(
        About(2, "Builds", "Newest runs of the builds by state.", COUNT, "No build is known"),
        *(Query(f'sum(build_state{{{_CHOSEN},state="{each}"}})', each.capitalize(), instant=True) for each in states),
        named=True,
        decimals=0,
        overrides=[override("byName", each.capitalize(), thresholds=some(COLOURS[each])) for each in states],
    )


def _alerts() -> Json:
    def firing(severity: str) -> str:
        return f'count(ALERTS{{alertstate="firing",severity="{severity}",{ALERT}}}) or vector(0)'

    return stat(
        About(3, "Alerts", "Alerts of all builders that fire.", COUNT, "0"),
        Query(firing("critical"), "Critical", instant=True),
        Query(firing("warning"), "Warning", instant=True),
        named=True,
        thresholds=thresholds((None, GOOD), (1, WARNING)),
        overrides=[override("byName", "Critical", thresholds=bad_from(1))],
        links=[board_link("Alerts and failures", "build-alerts")],
    )


def _next_end() -> Json:
    purpose = "When the first builder will be free: the earliest likely end of a running build."
    return stat(
        About(4, "Next free", purpose, MOMENT, "Nothing runs"),
        Query(f"min({expected_end('50', _CHOSEN, 'build, instance')})", "Free", instant=True),
    )


def _machines() -> Json:
    def by(expr: str, how: str = "max") -> str:
        return f"{how} by (instance) ({expr})"

    free = f"build_host_filesystem_available_bytes{{{_CHOSEN}}} / build_host_filesystem_size_bytes{{{_CHOSEN}}}"
    writable = f"unless on (instance, mountpoint, device) build_host_filesystem_readonly{{{_CHOSEN}}} == 1"
    memory = f"build_host_memory_available_bytes{{{_CHOSEN}}} / build_host_memory_total_bytes{{{_CHOSEN}}}"
    busy = f'rate(build_host_cpu_seconds_total{{{_CHOSEN},mode!="idle"}}[$__rate_interval])'
    alerts = f'count by (instance) (ALERTS{{{_CHOSEN},alertstate="firing",{ALERT}}})'
    worst = (
        f'max by (instance) (3 * build_state{{{_CHOSEN},state="failed"}} or build_state{{{_CHOSEN},state="running"}})'
    )
    left = coloured_from((0, CRITICAL), (0.05, WARNING), (0.15, GOOD))
    return table(
        About(
            10,
            "Builders",
            "A line a builder, the worst first: down, then failed, then by alerts.",
            "short",
            "No builder",
        ),
        Query(by(_UP)),
        Query(worst),
        Query(alerts),
        Query(f'sum by (instance) (build_state{{{_CHOSEN},state="running"}})'),
        Query(f"{by(busy, 'sum')} / on (instance) {by(f'build_host_cpus{{{_CHOSEN}}}')}"),
        Query(by(memory)),
        Query(f"min by (instance) (({free}) {writable})"),
        # sorts: what is down first, then what failed, then by the number of alerts
        Query(
            f"1000 * (1 - {by(_UP)}) + on (instance) (100 * {worst} or 0 * {by(_UP)})"
            f" + on (instance) ({alerts} or 0 * {by(_UP)})"
        ),
        columns=(
            Column("Machine", label="instance"),
            Column("Reached", query=0, width=85, properties=words(_UP_WORDS)),
            Column("Builds", query=1, width=100, properties=words(_WORST)),
            Column("Running", query=3, unit=COUNT, width=85, properties=WHOLE),
            Column("Alerts", query=2, unit=COUNT, width=75, properties=coloured_from((1, WARNING), (3, CRITICAL))),
            Column("CPU", query=4, unit=RATIO, width=130, properties=BAR),
            Column("Memory left", query=5, unit=RATIO, width=110, properties=left),
            Column("Disk left", query=6, unit=RATIO, width=95, properties=left),
            Column("Urgency", query=7, unit="none", width=85, properties=WHOLE),
        ),
        sort="Urgency",
        links=(
            board_link("Its host", "build-host", "instance=${__data.fields.Machine:percentencode}"),
            board_link("Its exporter", "build-exporter", "instance=${__data.fields.Machine:percentencode}"),
        ),
    )


_UP_WORDS: Final = mapping({"0": ("Down", CRITICAL), "1": ("Up", GOOD)})
_WORST: Final = mapping(
    {"0": ("Idle", COLOURS["pending"]), "1": ("Running", COLOURS["running"]), "3": ("Failed", COLOURS["failed"])}
)


def _builds_table() -> Json:
    by = "build, instance"
    return table(
        About(11, "Builds of all builders", "The newest run of each build; failed ones first.", "short", "No build"),
        Query(state(_CHOSEN, by)),
        Query(f"max by ({by}) (build_progress_ratio{{{_CHOSEN}}})"),
        Query(expected_end("50", _CHOSEN, by)),
        Query(f"max by ({by}) (build_schedule_deviation_seconds{{{_CHOSEN}}}) and on ({by}) {building(_CHOSEN, by)}"),
        Query(f"count by ({by}) (build_step_failure_info{{{_CHOSEN}}})"),
        Query(f"time() - max by ({by}) (build_last_event_timestamp_seconds{{{_CHOSEN}}})"),
        Query(with_page(by, f"build_start_timestamp_seconds{{{_CHOSEN}}}")),
        columns=(
            Column("Build", label="build"),
            Column("Machine", label="instance", width=150),
            Column("State", query=0, width=100, properties=words(state_mapping(BUILD_STATES))),
            Column("Progress", query=1, unit=RATIO, width=120, properties=BAR),
            Column("Ends", query=2, unit=MOMENT, width=155),
            Column(
                "Behind",
                query=3,
                unit=SECONDS,
                width=80,
                properties=coloured_from((0, WARNING), (3600, CRITICAL), decimals=1),
            ),
            Column("Failed", query=4, unit=COUNT, width=65, properties=coloured_from((1, CRITICAL))),
            Column("Last event", query=5, unit=SECONDS, width=90, properties=({"id": "decimals", "value": 0},)),
            Column("page_url", label="page_url", hidden=True),
        ),
        sort="Failed",
        links=(
            board_link(
                "This build",
                "build-now",
                "build=${__data.fields.Build:percentencode}",
                "instance=${__data.fields.Machine:percentencode}",
            ),
            page_link("Live page of the build", "/builds/${__data.fields.Build:percentencode}", OWN_PAGE),
        ),
    )


def _progress() -> Json:
    purpose = "Share of each running build that is done; the 12 that are furthest."
    done = f"max by (build, instance) (build_progress_ratio{{{_CHOSEN}}})"
    running = building(_CHOSEN, "build, instance")
    return graph(
        About(20, "Progress", purpose, RATIO, "Nothing runs"),
        Query(
            f"topk(12, {done} and on (build, instance) {running})",
            "{{build}} on {{instance}}",
        ),
        min=0,
        max=1,
    )


def _cpu() -> Json:
    busy = f'rate(build_host_cpu_seconds_total{{{_CHOSEN},mode!="idle"}}[$__rate_interval])'
    cpus = f"max by (instance) (build_host_cpus{{{_CHOSEN}}})"
    return graph(
        About(21, "CPU", "Share of each machine's CPUs that is busy; the 12 busiest.", RATIO, "Not reported"),
        Query(f"topk(12, sum by (instance) ({busy}) / on (instance) {cpus})", "{{instance}}"),
        min=0,
        max=1,
    )


def _disk() -> Json:
    free = f"build_host_filesystem_available_bytes{{{_CHOSEN}}} / build_host_filesystem_size_bytes{{{_CHOSEN}}}"
    writable = f"unless on (instance, mountpoint, device) build_host_filesystem_readonly{{{_CHOSEN}}} == 1"
    return graph(
        About(22, "Disk left", "Space left on the fullest file system; the 12 with least.", RATIO, "Not reported"),
        Query(f"bottomk(12, min by (instance) (({free}) {writable}))", "{{instance}}"),
        min=0,
        max=1,
    )
