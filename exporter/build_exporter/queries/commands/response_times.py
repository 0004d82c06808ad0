"""`response-times`: how fast the exporter and the services it probes answer."""

from __future__ import annotations

from collections.abc import Iterator

from build_exporter.queries.common import Answer
from build_exporter.queries.context import shown
from build_exporter.queries.histograms import figures
from build_exporter.queries.probes import probes
from build_exporter.queries.request import Query, Reply, Request


class ResponseRow(Answer, frozen=True):
    """A response time of the exporter or of a probed service; `phase` is a part of it, null for the whole."""

    of: str
    name: str
    phase: str | None
    seconds: float


def response_times(request: Request) -> Reply:
    """Return response times of the exporter's handlers and collectors, and of probed services."""
    rows = [*_exporter(request), *_services(request)]
    limit = request.filter("threshold")
    return Reply(rows, bad=limit is not None and any(row.seconds > limit for row in rows))


def _exporter(request: Request) -> Iterator[ResponseRow]:
    over = request.filter("metric") or "last"
    for handler, seconds in figures(request, "build_exporter_http_request_duration_seconds", "handler", over).items():
        yield ResponseRow(of="exporter", name=shown(handler), phase=None, seconds=seconds)
    for seconds in figures(request, "build_exporter_event_lag_seconds", "", over).values():
        yield ResponseRow(of="exporter", name="from an event to its reading", phase=None, seconds=seconds)
    for sample in request.samples.values("build_exporter_collector_duration_seconds", over):
        name = shown(sample.labels.get("collector", ""))
        yield ResponseRow(of="collector", name=name, phase=None, seconds=sample.value)


def _services(request: Request) -> Iterator[ResponseRow]:
    parts: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for each in request.samples.values("build_probe_phase_seconds", request.filter("metric") or "last"):
        key = shown(each.labels.get("probe", "")), shown(each.labels.get("kind", ""))
        parts.setdefault(key, []).append((shown(each.labels.get("phase", "")), each.value))
    for row in probes(request):
        if row.seconds is not None:
            yield ResponseRow(of=row.kind, name=row.service, phase=None, seconds=row.seconds)
        for phase, seconds in parts.get((row.service, row.kind), ()):
            yield ResponseRow(of=row.kind, name=row.service, phase=phase, seconds=seconds)


QUERY = Query(
    response_times,
    ResponseRow,
    "Show how long the exporter's handlers and collectors take, and the services it probes with each part of an answer."
    "\n\nHandlers are counted in buckets: shown is the average, or what --metric asks for, since the exporter's start; "
    "of Prometheus in the window, without one in the last five minutes.",
    filters=("metric", "threshold"),
    example="--threshold 0.5",
    not_fine="an answer takes longer than --threshold seconds",
    metrics=True,
)
