"""The dashboard "Build / Alerts and failures": what needs a person, who has it, and what fails again and again."""

from __future__ import annotations

from typing import Final

from dashboard import (
    BUILDS,
    MACHINES_IN_MENU,
    OWN_PAGE,
    Frame,
    board_link,
    build_annotations,
    dashboard,
    page_link,
    with_page,
)
from layout import Grid
from promql import ALERT, OF_BUILDS, mean_seconds
from style import (
    COUNT,
    CRITICAL,
    EVENTS,
    GOOD,
    SECONDS,
    WARNING,
    About,
    Json,
    Query,
    bad_from,
    graph,
    link,
    mapping,
    override,
    stat,
    thresholds,
    timeline,
)
from tables import WHOLE, WRAPPED, Column, coloured_from, table, words

UID: Final = "build-alerts"
_MACHINE: Final = OF_BUILDS.partition(",")[2]
_ACKNOWLEDGE: Final = page_link("Acknowledge", "/alerts")
_RUNBOOK: Final = page_link("Runbook", "/runbook#${__data.fields.Alert:percentencode}")
_FIRING: Final = f'alertstate="firing",{ALERT}'
_STATES: Final = mapping({"1": ("Pending", WARNING), "2": ("Firing", CRITICAL)})
_ONE: Final = ({"id": "decimals", "value": 1},)


def alerts() -> Json:
    """Return the dashboard."""
    grid = Grid()
    grid.line(4, (5, _firing()), (4, _incidents()), (5, _unacknowledged()), (5, _to_acknowledge()), (5, _to_resolve()))
    grid.line(7, (24, _active()))
    grid.line(7, (24, _open_incidents()))
    grid.head(100, "History of alerts")
    grid.line(10, (14, _history()), (10, _noisiest()))
    grid.head(101, "Failures")
    grid.line(8, (7, _classes()), (10, _recurring()), (7, _over_time()))
    grid.line(7, (24, _failed_now()))
    grid.head(102, "Delivery and security")
    grid.line(8, (8, _delivery()), (8, _refused()), (8, _rejected()))
    frame = Frame(
        UID,
        "Build / Alerts and failures",
        "What needs a person now, has somebody taken it, how long did that take, and what fails again and again? "
        "Alerts are acknowledged on the exporter's page.",
        (BUILDS, MACHINES_IN_MENU),
        page=f"build_exporter_link_info{{{_MACHINE}}}",
        since="now-24h",
        refresh="30s",
    )
    return dashboard(frame, grid.panels, build_annotations(OF_BUILDS))


def _of_builds(state: str, severity: str = "") -> str:
    """Return alerts in a state, of the chosen builds and of no build; of one severity where one is given."""
    chosen = ",".join(filter(None, (f'alertstate="{state}"', ALERT, severity and f'severity="{severity}"')))
    return f'(ALERTS{{{chosen},build=~"$build"}} or ALERTS{{{chosen},build=""}})'


def _firing() -> Json:
    severities = (("critical", "Critical"), ("warning", "Warning"), ("info", "Info"))
    return stat(
        About(1, "Firing", "Alerts of Prometheus that fire; also those somebody acknowledged.", COUNT, "0"),
        *(
            Query(f"count({_of_builds('firing', severity)}) or vector(0)", name, instant=True)
            for severity, name in severities
        ),
        named=True,
        thresholds=thresholds((None, GOOD), (1, WARNING)),
        overrides=[
            override("byName", "Critical", thresholds=bad_from(1)),
            override("byName", "Info", thresholds=thresholds((None, GOOD))),
        ],
        links=[_ACKNOWLEDGE],
    )


def _incidents() -> Json:
    return stat(
        About(2, "Open", "Failures, waiting for input, full disks, memory run out.", COUNT, "None"),
        Query(f"count(build_failure{{{OF_BUILDS}}} > 0) or vector(0)", "Open", instant=True),
        coloured=True,
        mappings=mapping({"0": ("None", GOOD)}),
        thresholds=bad_from(1),
        links=[_ACKNOWLEDGE],
    )


def _unacknowledged() -> Json:
    return stat(
        About(3, "Not taken", "Open incidents that nobody has acknowledged.", COUNT, "None"),
        Query(f"count(build_alert_acknowledged{{{OF_BUILDS}}} == 0) or vector(0)", "Open", instant=True),
        coloured=True,
        mappings=mapping({"0": ("None", GOOD)}),
        thresholds=bad_from(1),
        links=[_ACKNOWLEDGE],
    )


def _to_acknowledge() -> Json:
    purpose = "Mean time from an alert's start to its acknowledgement, all alerts in the journal (MTTA)."
    return stat(
        About(4, "Taken in", purpose, SECONDS, "None yet"),
        Query(mean_seconds("build_alert_acknowledge_seconds", OF_BUILDS), "MTTA", instant=True),
        decimals=1,
    )


def _to_resolve() -> Json:
    purpose = "Mean time from an alert's start to its end, all alerts in the journal (MTTR)."
    return stat(
        About(5, "Solved in", purpose, SECONDS, "None yet"),
        Query(mean_seconds("build_alert_resolve_seconds", OF_BUILDS), "MTTR", instant=True),
        decimals=1,
    )


def _active() -> Json:
    labels = "alertname, severity, tier, build, step, instance"
    begun = f'(ALERTS_FOR_STATE{{{ALERT},build=~"$build"}} or ALERTS_FOR_STATE{{{ALERT},build=""}})'
    purpose = "Alerts that fire, with how long their condition has held. A click opens the runbook or acknowledges."
    return table(
        About(6, "Active alerts", purpose, "short", "No alert fires"),
        Query(f"max by ({labels}) {_of_builds('firing')}"),
        Query(f"time() - max by ({labels}) {begun}"),
        columns=(
            Column("Alert", label="alertname", width=220),
            Column("Severity", label="severity", width=100, properties=_severity()),
            Column("Tier", label="tier", width=60),
            Column("For", query=1, unit=SECONDS, width=95, properties=_ONE),
            Column("Build", label="build", width=150),
            Column("Step", label="step"),
            Column("Machine", label="instance", width=150),
        ),
        sort="For",
        descending=False,
        links=(_RUNBOOK, _ACKNOWLEDGE),
    )


def _severity() -> tuple[Json, ...]:
    colours = {"critical": CRITICAL, "warning": WARNING, "info": "blue"}
    return words(mapping({name: (name, colour) for name, colour in colours.items()}))


def _open_incidents() -> Json:
    labels = "build, kind, failure, step, class, excerpt, runbook_url, acknowledge_url"
    info = f"max by ({labels}) (build_failure_info{{{OF_BUILDS}}})"
    purpose = "What stands in a build's way, the tier it has reached, who has it, and the first words on why."
    acknowledge = link("Acknowledge", "${__data.fields.acknowledge_url:raw}", new_tab=True)
    runbook = link("Runbook", "${__data.fields.runbook_url:raw}", new_tab=True)
    return table(
        About(7, "Incidents", purpose, "short", "None is open"),
        Query(info),
        Query(f"max by (build, kind, failure) (build_failure{{{OF_BUILDS}}} > 0)"),
        Query(f"max by (build, kind, failure) (build_alert_acknowledged{{{OF_BUILDS}}})"),
        Query(f"time() - max by (build, kind, failure) (build_failure_timestamp_seconds{{{OF_BUILDS}}})"),
        columns=(
            Column("Kind", label="kind", width=130),
            Column("Build", label="build", width=150),
            Column("Step", label="step", width=180),
            Column("Tier", query=1, width=60, properties=coloured_from((2, WARNING), (3, CRITICAL))),
            Column("Taken", query=2, width=80, properties=words(mapping({"0": ("No", CRITICAL), "1": ("Yes", GOOD)}))),
            Column("For", query=3, unit=SECONDS, width=95, properties=_ONE),
            Column("First words", label="excerpt", properties=WRAPPED),
            Column("runbook_url", label="runbook_url", hidden=True),
            Column("acknowledge_url", label="acknowledge_url", hidden=True),
        ),
        sort="For",
        descending=False,
        links=(runbook, acknowledge),
    )


def _history() -> Json:
    """Return the bands of the alerts that fired longest: as many as there is room for."""

    def of(state: str) -> str:
        return f"max by (alertname) {_of_builds(state)}"

    longest = f'topk(12, sum by (alertname) (count_over_time(ALERTS{{{ALERT},alertstate="firing"}}[$__range] @ end())))'
    states = f"2 * {of('firing')} or {of('pending')}"
    return timeline(
        About(
            10,
            "Alerts over time",
            "When each alert was pending and firing; the 12 that fired longest.",
            "short",
            "No alert has fired",
        ),
        "alertname",
        states,
        longest,
        mappings=_STATES,
    )


def _noisiest() -> Json:
    fired = f"count_over_time((max by (alertname) (ALERTS{{{_FIRING}}}))[$__range:1m]) * 60"
    purpose = "How long each alert fired in the time shown. One that fires for hours unheeded needs another threshold."
    return table(
        About(11, "Noisiest", purpose, "short", "No alert has fired"),
        Query(f"topk(12, {fired})"),
        columns=(
            Column("Alert", label="alertname"),
            Column("Fired for", query=0, unit=SECONDS, width=110, properties=_ONE),
        ),
        sort="Fired for",
        links=(_RUNBOOK,),
    )


def _classes() -> Json:
    return table(
        About(20, "By class", "Failed attempts at steps over all runs, by failure class.", COUNT, "Nothing has failed"),
        Query(f"topk(12, sum by (class) (build_failures_total{{{OF_BUILDS}}}) > 0)"),
        columns=(Column("Class", label="class"), Column("Failed", query=0, unit=COUNT, width=75, properties=WHOLE)),
        sort="Failed",
    )


def _recurring() -> Json:
    attempts = f"max by (build, step) (build_step_attempts{{{OF_BUILDS}}})"
    return table(
        About(21, "Tried again", "Steps that needed more than one attempt.", COUNT, "None was"),
        Query(f"topk(12, {attempts} > 1)"),
        columns=(
            Column("Step", label="step"),
            Column("Build", label="build", width=130),
            Column("Attempts", query=0, unit=COUNT, width=85, properties=WHOLE),
        ),
        sort="Attempts",
        links=(
            board_link(
                "This step",
                "build-steps",
                "build=${__data.fields.Build:percentencode}",
                "step=${__data.fields.Step:percentencode}",
            ),
        ),
    )


def _over_time() -> Json:
    return graph(
        About(22, "Failures over time", "Failed attempts at steps, all runs, by class.", COUNT, "Nothing has failed"),
        Query(f"topk(12, sum by (class) (build_failures_total{{{OF_BUILDS}}}))", "{{class}}"),
        steps=True,
        min=0,
        decimals=0,
    )


def _failed_now() -> Json:
    info = f"max by (build, step, class, excerpt) (build_step_failure_info{{{OF_BUILDS}}})"
    return table(
        About(23, "Failed steps", "Steps that failed and were not tried again.", "short", "No step stands failed"),
        Query(info),
        Query(with_page("build, step", f"build_step_failure_info{{{OF_BUILDS}}}")),
        columns=(
            Column("Step", label="step", width=200),
            Column("Build", label="build", width=150),
            Column("Class", label="class", width=150),
            Column("First words", label="excerpt", properties=WRAPPED),
            Column("page_url", label="page_url", hidden=True),
        ),
        links=(
            page_link(
                "Log",
                "/api/v1/builds/${__data.fields.Build:percentencode}/log?step=${__data.fields.Step:percentencode}",
                OWN_PAGE,
            ),
            page_link("Live page of the build", "/builds/${__data.fields.Build:percentencode}", OWN_PAGE),
        ),
    )


def _rates(metric: str, label: str) -> Query:
    summed = f"sum by ({label}) (rate({metric}{{{_MACHINE}}}[$__rate_interval]))"
    return Query(f"topk(12, {summed})", f"{{{{{label}}}}}")


def _delivery() -> Json:
    purpose = "Alerts the exporter sent itself, and those Alertmanager reported to it, by outcome."
    posted, received = _rates("build_exporter_alert_posts_total", "outcome"), "build_exporter_alerts_received_total"
    return graph(
        About(30, "Alerts sent", purpose, EVENTS, "Not scraped"),
        posted,
        Query(_rates(received, "outcome").expr, "received: {{outcome}}"),
        min=0,
    )


def _refused() -> Json:
    purpose = "Requests without a good credential, and HTTP requests answered with 4xx or 5xx."
    bad = f'sum by (code) (rate(build_exporter_http_requests_total{{{_MACHINE},code=~"[45].."}}[$__rate_interval]))'
    return graph(
        About(31, "Refused requests", purpose, "reqps", "Not scraped"),
        Query(f"sum(rate(build_exporter_auth_failures_total{{{_MACHINE}}}[$__rate_interval]))", "Not authorised"),
        Query(f"topk(8, {bad})", "{{code}}"),
        min=0,
    )


def _rejected() -> Json:
    purpose = "Lines of the journal that were not taken, by reason: a broken writer, or somebody who tries."
    return graph(
        About(32, "Rejected lines", purpose, EVENTS, "Not scraped"),
        _rates("build_exporter_lines_rejected_total", "reason"),
        min=0,
    )
