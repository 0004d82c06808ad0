"""`response-times`: how fast the exporter and the services it probes answer."""

from __future__ import annotations

from collections.abc import Iterator

from build_exporter.queries.common import Answer
from build_exporter.queries.context import shown
from build_exporter.queries.probes import probes
from build_exporter.queries.request import Query, Reply, Request


class ResponseRow(Answer, frozen=True):
    """Response times of the exporter and of probed services."""

    of: str
    name: str
    seconds: float


def response_times(request: Request) -> Reply:
    """Return response times of the exporter's handlers and collectors, and of probed services."""
    rows = [*_exporter(request), *_services(request)]
    limit = request.filter("threshold")
    return Reply(rows, bad=limit is not None and any(row.seconds > limit for row in rows))


def _exporter(request: Request) -> Iterator[ResponseRow]:
    sums = request.samples.values("build_exporter_http_request_duration_seconds_sum")
    counts = {
        tuple(sorted(each.labels.items())): each.value
        for each in request.samples.values("build_exporter_http_request_duration_seconds_count")
    }
    for sample in sums:
        count = counts.get(tuple(sorted(sample.labels.items())), 0.0)
        if count:
            yield ResponseRow(of="exporter", name=shown(sample.labels.get("handler", "")), seconds=sample.value / count)
    over = request.filter("metric") or "last"
    for sample in request.samples.values("build_exporter_collector_duration_seconds", over):
        yield ResponseRow(of="collector", name=shown(sample.labels.get("collector", "")), seconds=sample.value)


def _services(request: Request) -> Iterator[ResponseRow]:
    for row in probes(request):
        if row.seconds is not None:
            yield ResponseRow(of=row.kind, name=row.service, seconds=row.seconds)


QUERY = Query(
    response_times,
    ResponseRow,
    "Show how long the exporter's handlers and collectors, and the services it probes, take to answer.",
    filters=("metric", "threshold"),
    example="--threshold 0.5",
    not_fine="an answer takes longer than --threshold seconds",
    metrics=True,
)
