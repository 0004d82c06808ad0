"""Families of what probes found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from build_exporter.catalog.probes import PROBES
from build_exporter.config.values import escaped
from build_exporter.exposition import Family
from build_exporter.probes.state import ProbeState

_NAMES: Final = tuple(row.name for row in PROBES)
_FIGURES: Final = {
    "http_status": "build_probe_http_status",
    "certificate_expiry": "build_probe_certificate_expiry_timestamp_seconds",
    "processes": "build_probe_processes",
}


class ProbeCollector:
    """Shows the newest result of each probe that has been tried, and counts its tries."""

    name = "probes"

    def __init__(self, states: Callable[[], Sequence[ProbeState]]) -> None:
        self._states = states

    def collect(self) -> Iterable[Family]:
        """Return the families; none without probes."""
        states = [state for state in self._states() if state.results]
        families = {name: Family(name) for name in _NAMES} if states else {}
        for state in states:
            _show(families, state)
        return [family for family in families.values() if family.count]


def _show(families: dict[str, Family], state: ProbeState) -> None:
    newest, name, kind = state.results[-1], escaped(state.probe.name), state.probe.kind
    families["build_probe_success"].add(int(newest.reason is None), name, kind)
    families["build_probe_duration_seconds"].add(round(newest.seconds, 6), name, kind)
    families["build_probe_changed_timestamp_seconds"].add(round(state.since or newest.at, 3), name, kind)
    for phase, seconds in newest.phases.items():
        families["build_probe_phase_seconds"].add(round(seconds, 6), name, kind, phase)
    for outcome, count in sorted(state.outcomes.items()):
        families["build_probe_tries_total"].add(count, name, kind, outcome)
    if newest.reason is not None:
        families["build_probe_failure_info"].add(1, name, kind, newest.reason)
    for figure, value in newest.figures.items():
        families[_FIGURES[figure]].add(value, name)
