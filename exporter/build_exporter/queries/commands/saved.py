"""`saved`: the PromQL queries of the configuration, by name."""

from __future__ import annotations

from build_exporter.queries.common import Answer
from build_exporter.queries.context import BadRequestError, shown
from build_exporter.queries.request import NoSamples, Query, Reply, Request


class SavedRow(Answer, frozen=True):
    """One series of a query's answer; without a name asked for, a saved query."""

    name: str
    labels: str
    value: float | None


def saved(request: Request) -> Reply:
    """Return the answer of a saved query, or the list of those there are."""
    known: dict[str, str] = dict(request.filters.get("queries") or {})
    name = request.filter("name")
    if name is None:
        rows = [SavedRow(name=each, labels=expression, value=None) for each, expression in sorted(known.items())]
        return Reply(rows, lines=[] if rows else ["the configuration saves no queries; name it with --config"])
    if name not in known:
        raise BadRequestError(f"no query {shown(name)} is saved; there are: {', '.join(sorted(known)) or 'none'}")
    if isinstance(request.samples, NoSamples) or not request.source.startswith("Prometheus"):
        raise BadRequestError("a saved query is PromQL: name the server with --prometheus")
    return Reply(
        [
            SavedRow(
                name=name,
                labels=shown(
                    ", ".join(f"{key}={value}" for key, value in sorted(each.labels.items()) if key != "__name__")
                ),
                value=each.value,
            )
            for each in request.samples.values(known[name])
        ]
    )


QUERY = Query(
    saved,
    SavedRow,
    "List the PromQL queries that the configuration saves under `queries`, or ask NAME of Prometheus.",
    arguments=("name",),
    example="--config examples/config.yml",
)
