"""Rows on what builds need besides themselves, on use and feedback, and on Prometheus and Alertmanager."""

from __future__ import annotations

from layout import Grid
from promql import OF_MACHINE
from style import (
    COUNT,
    CRITICAL,
    EVENTS,
    GOOD,
    SECONDS,
    UP_OR_DOWN,
    WARNING,
    About,
    Json,
    Query,
    bad_from,
    graph,
    mapping,
    override,
    stat,
    thresholds,
)
from tables import Column, coloured_from, table, words

_PROBE: str = "max by (probe, kind)"


def services(grid: Grid) -> None:
    """Add the row on probes and feedback."""
    grid.head(100, "Services that builds need")
    grid.line(8, (12, _probes()), (8, _probe_times()), (4, _feedback()))


def engines(grid: Grid) -> None:
    """Add the row on Prometheus and Alertmanager."""
    grid.head(104, "Prometheus and Alertmanager")
    grid.line(4, (8, _engines_up()), (8, _rule_failures()), (8, _notifications()))
    grid.line(8, (12, _alertmanagers()), (12, _not_delivered()))


def _probes() -> Json:
    expires = f"max by (probe) (build_probe_certificate_expiry_timestamp_seconds{{{OF_MACHINE}}}) - time()"
    return table(
        About(
            20, "Probes", "Whether each service answers, and when its certificate expires.", "short", "No probe is set"
        ),
        Query(f"{_PROBE} (build_probe_success{{{OF_MACHINE}}})"),
        Query(f"{_PROBE} (build_probe_duration_seconds{{{OF_MACHINE}}})"),
        Query(expires),
        columns=(
            Column("Probe", label="probe"),
            Column("Kind", label="kind", width=60),
            Column("State", query=0, width=65, properties=words(UP_OR_DOWN)),
            Column("Answers in", query=1, unit=SECONDS, width=85, properties=coloured_from((1, WARNING), decimals=1)),
            Column("Certificate", query=2, unit=SECONDS, width=90, properties=_days()),
        ),
        sort="State",
        descending=False,
    )


def _days() -> tuple[Json, ...]:
    limits = thresholds((None, CRITICAL), (7 * 86400, WARNING), (21 * 86400, GOOD))
    cell = {"id": "custom.cellOptions", "value": {"type": "color-text"}}
    return (cell, {"id": "thresholds", "value": limits}, {"id": "decimals", "value": 0})


def _probe_times() -> Json:
    purpose = "Time each service took to answer, the slowest 12."
    return graph(
        About(21, "Probe times", purpose, SECONDS, "No probe is set"),
        Query(f"topk(12, max by (probe) (build_probe_duration_seconds{{{OF_MACHINE}}}))", "{{probe}}"),
        min=0,
    )


def _feedback() -> Json:
    purpose = "Remarks that people made about builds, and notes, since the exporter was started."
    return stat(
        About(22, "Notes", purpose, COUNT, "None"),
        *(
            Query(f'sum(build_exporter_events_total{{{OF_MACHINE},event="{event}"}}) or vector(0)', name, instant=True)
            for event, name in (("feedback", "Feedback"), ("note", "Remarks"))
        ),
        named=True,
        decimals=0,
        thresholds=thresholds((None, "text")),
    )


def _engines_up() -> Json:
    purpose = "Whether Prometheus reaches itself, Alertmanager and all exporters."
    return stat(
        About(60, "Reached", purpose, COUNT, "Not scraped"),
        *(
            Query(f'min(up{{job="{job}"}})', name, instant=True)
            for job, name in (
                ("prometheus", "Prometheus"),
                ("alertmanager", "Alertmanager"),
                ("build-exporter", "Exporters"),
            )
        ),
        named=True,
        mappings=UP_OR_DOWN,
    )


def _rule_failures() -> Json:
    failed = "ceil(sum(increase(prometheus_rule_evaluation_failures_total[$__range])))"
    return stat(
        About(61, "Rules that failed", "Evaluations of rules that failed in the time shown.", COUNT, "Not scraped"),
        Query(failed, "Failed", instant=True),
        decimals=0,
        mappings=mapping({"0": ("None", GOOD)}),
        thresholds=bad_from(1),
    )


def _notifications() -> Json:
    failed = "ceil(sum(increase(alertmanager_notifications_failed_total[$__range])))"
    return stat(
        About(
            62,
            "Messages that failed",
            "Notifications that did not get through in the time shown.",
            COUNT,
            "Not scraped",
        ),
        Query(failed, "Failed", instant=True),
        decimals=0,
        mappings=mapping({"0": ("None", GOOD)}),
        thresholds=bad_from(1),
    )


def _alertmanagers() -> Json:
    purpose = "Alertmanagers that Prometheus knows; below 1 no alert leaves it."
    return graph(
        About(63, "Alertmanagers known", purpose, COUNT, "Prometheus does not scrape itself"),
        Query("max(prometheus_notifications_alertmanagers_discovered)", "Known"),
        steps=True,
        legend="",
        min=0,
        decimals=0,
    )


def _not_delivered() -> Json:
    purpose = "Alerts Prometheus could not hand over, and messages Alertmanager could not deliver."
    sent = "sum(rate(prometheus_notifications_errors_total[$__rate_interval]))"
    delivered = "sum by (integration) (rate(alertmanager_notifications_failed_total[$__rate_interval]))"
    return graph(
        About(64, "Not delivered", purpose, EVENTS, "Neither is scraped"),
        Query(sent, "to Alertmanager"),
        Query(f"topk(8, {delivered})", "by {{integration}}"),
        min=0,
        overrides=[override("byName", "to Alertmanager", color={"mode": "fixed", "fixedColor": CRITICAL})],
    )
