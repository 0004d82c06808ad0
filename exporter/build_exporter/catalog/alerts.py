"""Families of incidents and of what people do about them."""

from __future__ import annotations

from typing import Final

from build_exporter.catalog.metric import Metric, counter, gauge, histogram

ALERTS: Final[tuple[Metric, ...]] = (
    gauge(
        "build_failure",
        "",
        "build kind failure",
        "The tier that an incident has reached, from 1; 0 for ten minutes once it is over. `kind` is `failed`, "
        "`step-failed`, `waiting-for-input`, `disk-full` or `out-of-memory`; `failure` distinguishes incidents.",
    ),
    gauge(
        "build_failure_info",
        "",
        "build kind failure step class excerpt description hint progress "
        "page_url runbook_url dashboard_url acknowledge_url",
        "The text and links of alerts about an open incident; always 1.",
    ),
    gauge("build_failure_timestamp_seconds", "seconds", "build kind failure", "When an incident began, Unix time."),
    gauge(
        "build_alert_acknowledged",
        "",
        "build kind failure",
        "1 once a person has acknowledged an incident that stands, else 0.",
    ),
    gauge(
        "build_exporter_link_info",
        "",
        "page_url dashboard_url",
        "Where the exporter's page is for those who get alerts, and the dashboards, empty where none are configured; "
        "always 1.",
    ),
    counter(
        "build_exporter_alert_posts_total",
        "",
        "outcome",
        "Alerts the exporter sent to Alertmanager by itself: `sent`, `failed` and tried again, `refused` for good, "
        "`held_back` because there were too many at once.",
    ),
    counter(
        "build_exporter_alerts_received_total",
        "",
        "outcome",
        "Alerts that Alertmanager reported by webhook: `recorded`, `repeated`, of a build that is `unknown`, "
        "`unwritable` where the journal takes none; and messages that were `rejected`.",
    ),
    histogram(
        "build_alert_acknowledge_seconds",
        "seconds",
        "build",
        (60, 300, 900, 1800, 3600, 14400, 43200),
        "Time from an alert's start to its acknowledgement, over the alerts in the journal.",
    ),
    histogram(
        "build_alert_resolve_seconds",
        "seconds",
        "build",
        (60, 300, 900, 1800, 3600, 14400, 43200),
        "Time from an alert's start to its end, over the alerts in the journal.",
    ),
)
