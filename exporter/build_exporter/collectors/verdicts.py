"""The verdict on each running step, as one family."""

from __future__ import annotations

from collections.abc import Iterable

from build_exporter.exposition import Family
from build_exporter.model.states import Verdict
from build_exporter.monitor import Monitor
from build_exporter.tracker import Run
from build_exporter.verdicts import Verdicts

MAX_STEPS = 64
"""Running steps of a build that are shown: each has a series for every verdict."""


class VerdictCollector:
    """Shows what the running steps of the `max_builds` builds that were active last are doing."""

    name = "verdicts"

    def __init__(self, monitor: Monitor, verdicts: Verdicts, max_builds: int) -> None:
        self.max_builds = max_builds
        self._monitor = monitor
        self._verdicts = verdicts

    def collect(self) -> Iterable[Family]:
        """Return the family."""
        family = Family("build_step_verdict")
        for build in self._monitor.tracker.recent(self.max_builds):
            if build.current is not None:
                self._add(family, build.current)
        yield family

    def _add(self, family: Family, run: Run) -> None:
        for step in list(run.running.values())[:MAX_STEPS]:
            judged = self._verdicts.judgement(run, step)
            for verdict in Verdict if judged is not None else ():
                is_it = judged is not None and judged.verdict is verdict
                family.add(int(is_it), run.build, step.phase, step.step, verdict.value)
