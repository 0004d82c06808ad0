"""`services`: whether the services a build needs answer."""

from __future__ import annotations

from build_exporter.queries.probes import ProbeRow, probe_reply
from build_exporter.queries.request import Query, Reply, Request


def services(request: Request) -> Reply:
    """Return what each configured probe found."""
    return probe_reply(request, None, "no probes are configured, or nothing answers for them")


QUERY = Query(
    services,
    ProbeRow,
    "Show whether the services answer that the configuration probes, and how fast.",
    filters=("metric", "threshold"),
    example="--threshold 2",
    not_fine="a service does not answer, or slower than --threshold seconds",
    metrics=True,
)
