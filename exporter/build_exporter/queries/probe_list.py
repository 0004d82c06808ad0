"""Every probe with its newest result, since when it is so, and the results before."""

from __future__ import annotations

from collections.abc import Mapping

from build_exporter.probes.state import ProbeState
from build_exporter.queries.common import Answer
from build_exporter.queries.context import Context, shown


class ProbeResult(Answer, frozen=True):
    """One try: when it began, how long it took, and the reason of its failure (null: it succeeded)."""

    at: float
    seconds: float
    reason: str | None


class ProbeReport(Answer, frozen=True):
    """A probe; what its newest try found is null before the first.

    `up_ratio` is the share of the tries in `history` (oldest first, the newest included) that succeeded. `phases` are
    seconds, `figures` what else was measured: `http_status`, `certificate_expiry` (Unix seconds), `processes`.
    """

    name: str
    kind: str
    up: bool | None
    since: float | None
    seconds: float | None
    reason: str | None
    detail: str
    phases: Mapping[str, float]
    figures: Mapping[str, float]
    up_ratio: float | None
    history: list[ProbeResult]


class Probes(Answer, frozen=True):
    """The probes, in the configuration's order."""

    probes: list[ProbeReport]


def probe_list(context: Context) -> Probes:
    """Return what each probe has found."""
    return Probes(probes=[_report(state) for state in context.probes])


def _report(state: ProbeState) -> ProbeReport:
    results = list(state.results)
    newest = results[-1] if results else None
    return ProbeReport(
        name=shown(state.probe.name),
        kind=state.probe.kind,
        up=None if newest is None else newest.reason is None,
        since=state.since,
        seconds=newest.seconds if newest is not None else None,
        reason=newest.reason if newest is not None else None,
        detail=shown(newest.detail) if newest is not None else "",
        phases=newest.phases if newest is not None else {},
        figures=newest.figures if newest is not None else {},
        up_ratio=sum(each.reason is None for each in results) / len(results) if results else None,
        history=[ProbeResult(at=each.at, seconds=each.seconds, reason=each.reason) for each in results],
    )
