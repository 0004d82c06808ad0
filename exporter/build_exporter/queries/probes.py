"""Results of the exporter's probes, as rows that several queries show."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from build_exporter.queries.common import Answer
from build_exporter.queries.context import shown
from build_exporter.queries.request import Request


class ProbeRow(Answer, frozen=True):
    """A service the build needs: whether it answered, how long that took (null: not measured)."""

    service: str
    kind: str
    up: bool
    seconds: float | None


def probes(request: Request, kinds: Collection[str] | None = None) -> Iterator[ProbeRow]:
    """Yield the probes of some kinds, of all without any."""
    over = request.filter("metric") or "last"
    took = {
        (each.labels.get("probe", ""), each.labels.get("kind", "")): each.value
        for each in request.samples.values("build_probe_duration_seconds", over)
    }
    for sample in request.samples.values("build_probe_success"):
        name, kind = sample.labels.get("probe", ""), sample.labels.get("kind", "")
        if kinds is None or kind in kinds:
            yield ProbeRow(
                service=shown(name), kind=shown(kind), up=sample.value == 1.0, seconds=took.get((name, kind))
            )


def too_slow(request: Request, row: ProbeRow) -> bool:
    """Return whether a service does not answer, or answers slower than the threshold."""
    limit = request.filter("threshold")
    return not row.up or (limit is not None and (row.seconds or 0.0) > limit)
