"""`services`: whether the services a build needs answer."""

from __future__ import annotations

from build_exporter.queries.probes import ProbeRow, probes, too_slow
from build_exporter.queries.request import Query, Reply, Request


def services(request: Request) -> Reply:
    """Return what each configured probe found."""
    rows = list(probes(request))
    lines = [] if rows else ["no probes are configured, or nothing answers for them"]
    return Reply(rows, bad=any(too_slow(request, row) for row in rows), lines=lines)


QUERY = Query(
    services,
    ProbeRow,
    "Show whether the services answer that the configuration probes, and how fast.",
    filters=("metric", "threshold"),
    example="--threshold 2",
    not_fine="a service does not answer, or slower than --threshold seconds",
    metrics=True,
)
