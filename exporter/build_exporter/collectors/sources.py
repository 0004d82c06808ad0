"""Families about the source files of steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from build_exporter.catalog.sources import SOURCES
from build_exporter.config.values import escaped
from build_exporter.exposition import Family
from build_exporter.model.events import SourcesVerified
from build_exporter.model.states import SourceState
from build_exporter.monitor import Monitor
from build_exporter.tracker import Run
from build_exporter.tracker.sources import steps_at_risk

MAX_NAMED: Final = 20
"""Bad files of a build with a series of their own: whoever is woken needs the first, the others are in `status`."""


_NAMES: Final = tuple(row.name for row in SOURCES)


class SourceFilesCollector:
    """Shows how the files stood that the newest runs' plans name, of the `max_builds` builds that were active last."""

    name = "source_files"

    def __init__(self, monitor: Monitor, max_builds: int) -> None:
        self.max_builds = max_builds
        self._monitor = monitor

    def collect(self) -> Iterable[Family]:
        """Return the families of these builds."""
        families = {name: Family(name) for name in _NAMES}
        for build in self._monitor.tracker.recent(self.max_builds):
            if build.current is not None and build.current.sources_verified is not None:
                _show(families, build.current, build.current.sources_verified)
        return [family for family in families.values() if family.count]


def _show(families: Mapping[str, Family], run: Run, verified: SourcesVerified) -> None:
    for state in SourceState:
        families["build_source_files"].add(getattr(verified, state.value), run.build, state.value)
    families["build_sources_verified_timestamp_seconds"].add(verified.time, run.build)
    at_risk = list(steps_at_risk(run))
    families["build_steps_without_sources"].add(len({step.key for step, _ in at_risk}), run.build)
    for step, source in at_risk[:MAX_NAMED]:
        labels = (run.build, step.phase, step.step, escaped(source.file), source.state)
        families["build_step_source_info"].add(1, *labels)
