"""Results of the exporter's probes, as rows that several queries show."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from build_exporter.queries.common import Answer
from build_exporter.queries.context import shown, shown_or_none
from build_exporter.queries.request import Reply, Request, Sample

DAY: Final = 86400.0


class ProbeRow(Answer, frozen=True):
    """A service the build needs: whether it answered, how long that took, and since when it is so (Unix seconds).

    `reason` says why it does not answer, null where it does; `seconds` and `since` are null where not known.
    `certificate_days` is how long the certificate of a server is still good, null without one.
    """

    service: str
    kind: str
    up: bool
    seconds: float | None
    reason: str | None
    since: float | None
    certificate_days: float | None


def probes(request: Request, kinds: Collection[str] | None = None) -> Iterator[ProbeRow]:
    """Yield the probes of some kinds, of all without any."""
    over = request.filter("metric") or "last"
    took = {_key(each): each.value for each in request.samples.values("build_probe_duration_seconds", over)}
    since = {_key(each): each.value for each in request.samples.values("build_probe_changed_timestamp_seconds")}
    ends = {
        each.labels.get("probe", ""): each.value
        for each in request.samples.values("build_probe_certificate_expiry_timestamp_seconds")
    }
    reasons = {_key(each): each.labels.get("reason", "") for each in request.samples.values("build_probe_failure_info")}
    for sample in request.samples.values("build_probe_success"):
        key = _key(sample)
        if kinds is None or key[1] in kinds:
            yield ProbeRow(
                service=shown(key[0]),
                kind=shown(key[1]),
                up=sample.value == 1.0,
                seconds=took.get(key),
                reason=shown_or_none(reasons.get(key)),
                since=since.get(key),
                certificate_days=round((ends[key[0]] - request.now) / DAY, 1) if key[0] in ends else None,
            )


def _key(sample: Sample) -> tuple[str, str]:
    return sample.labels.get("probe", ""), sample.labels.get("kind", "")


def too_slow(request: Request, row: ProbeRow) -> bool:
    """Return whether a service does not answer, or answers slower than the threshold."""
    limit = request.filter("threshold")
    return not row.up or (limit is not None and (row.seconds or 0.0) > limit)


def probe_reply(request: Request, kinds: Collection[str] | None, otherwise: str) -> Reply:
    """Return the probes of some kinds as an answer, bad where one is too slow; `otherwise` says there is none."""
    rows = list(probes(request, kinds))
    return Reply(rows, bad=any(too_slow(request, row) for row in rows), lines=[] if rows else [otherwise])
