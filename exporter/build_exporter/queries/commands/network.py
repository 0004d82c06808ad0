"""`network`: traffic and errors of interfaces, latency of network probes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from build_exporter.queries.common import Answer
from build_exporter.queries.context import shown
from build_exporter.queries.probes import probes, too_slow
from build_exporter.queries.request import Query, Reply, Request

PROBE_KINDS = ("tcp", "http", "dns")
COUNTERS: Final = (
    ("received", "build_host_network_receive_bytes_total", "bytes"),
    ("sent", "build_host_network_transmit_bytes_total", "bytes"),
    ("receive errors", "build_host_network_receive_errors_total", "count"),
    ("send errors", "build_host_network_transmit_errors_total", "count"),
    ("receive drops", "build_host_network_receive_drops_total", "count"),
    ("send drops", "build_host_network_transmit_drops_total", "count"),
)


class NetworkRow(Answer, frozen=True):
    """One figure of an interface, or the answer of a network probe; `ok` is null where nothing judges it."""

    name: str
    metric: str
    value: float
    unit: str
    ok: bool | None


def network(request: Request) -> Reply:
    """Return interfaces' counters, as rates where a window is given, and the probes of the network."""
    rows = [*_interfaces(request), *_probes(request)]
    return Reply(rows, bad=any(row.ok is False for row in rows))


def _interfaces(request: Request) -> Iterator[NetworkRow]:
    over, suffix = ("rate", "_per_second") if request.window is not None else ("last", "")
    for metric, name, unit in COUNTERS:
        for sample in request.samples.values(name, over):
            yield NetworkRow(
                name=shown(sample.labels.get("interface", "")),
                metric=metric,
                value=sample.value,
                unit=unit + suffix,
                ok=None,
            )


def _probes(request: Request) -> Iterator[NetworkRow]:
    for row in probes(request, PROBE_KINDS):
        yield NetworkRow(
            name=row.service, metric=row.kind, value=row.seconds or 0.0, unit="seconds", ok=not too_slow(request, row)
        )


QUERY = Query(
    network,
    NetworkRow,
    "Show traffic, errors and drops of the network interfaces, and what the network probes found.",
    filters=("metric", "threshold"),
    example="--threshold 1",
    not_fine="a network probe fails, or takes longer than --threshold seconds",
    metrics=True,
)
