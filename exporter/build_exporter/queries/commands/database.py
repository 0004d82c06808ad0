"""`database`: whether the databases a build needs answer."""

from __future__ import annotations

from build_exporter.queries.probes import ProbeRow, probes, too_slow
from build_exporter.queries.request import Query, Reply, Request

KINDS = ("database",)


def database(request: Request) -> Reply:
    """Return what the probes of databases found."""
    rows = list(probes(request, KINDS))
    lines = [] if rows else ["no probe of a database is configured, or nothing answers for it"]
    return Reply(rows, bad=any(too_slow(request, row) for row in rows), lines=lines)


QUERY = Query(
    database,
    ProbeRow,
    "Show whether the databases answer that the configuration probes, and how fast.",
    filters=("metric", "threshold"),
    example="--threshold 0.5",
    not_fine="a database does not answer, or slower than --threshold seconds",
    metrics=True,
)
