"""`database`: whether the databases a build needs answer."""

from __future__ import annotations

from build_exporter.queries.probes import ProbeRow, probe_reply
from build_exporter.queries.request import Query, Reply, Request


def database(request: Request) -> Reply:
    """Return what the probes of databases found."""
    return probe_reply(request, ("database",), "no probe of a database is configured, or nothing answers for it")


QUERY = Query(
    database,
    ProbeRow,
    "Show whether the databases answer that the configuration probes, and how fast.",
    filters=("metric", "threshold"),
    example="--threshold 0.5",
    not_fine="a database does not answer, or slower than --threshold seconds",
    metrics=True,
)
