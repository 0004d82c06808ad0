"""Families of probes."""

from __future__ import annotations

from typing import Final

from build_exporter.catalog.metric import Metric, counter, gauge

PROBES: Final[tuple[Metric, ...]] = (
    gauge("build_probe_success", "", "probe kind", "Whether the newest try of a probe succeeded."),
    gauge(
        "build_probe_duration_seconds",
        "seconds",
        "probe kind",
        "Time the newest try of a probe took, failed or not; at most its timeout.",
    ),
    gauge(
        "build_probe_phase_seconds",
        "seconds",
        "probe kind phase",
        "Time a part of the newest try took: `resolve`, `connect`, `tls`, `answer` (to the end of the headers), "
        "`transfer`, `login`, `query`, `write`, `sync`.",
    ),
    gauge(
        "build_probe_changed_timestamp_seconds",
        "seconds",
        "probe kind",
        "When a probe began to succeed, or to fail, as it does now, Unix time.",
    ),
    counter(
        "build_probe_tries_total",
        "",
        "probe kind outcome",
        "Tries of a probe since the exporter started, by outcome: `up`, or the reason of the failure.",
    ),
    gauge(
        "build_probe_failure_info",
        "",
        "probe kind reason",
        "Why the newest try of a probe failed; always 1, and absent while it succeeds.",
    ),
    gauge("build_probe_http_status", "", "probe", "Status code of the newest answer over HTTP."),
    gauge(
        "build_probe_certificate_expiry_timestamp_seconds",
        "seconds",
        "probe",
        "When the certificate of a server expires that was reached over TLS, Unix time; of several, by redirects, the "
        "first that does.",
    ),
    gauge("build_probe_processes", "", "probe", "Processes of the name that ran at the newest try."),
)
