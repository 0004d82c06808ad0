"""The verdict on each running step, as one family."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from build_exporter.exposition import Family
from build_exporter.model.states import Verdict
from build_exporter.monitor import Monitor
from build_exporter.tracker import Key, Run, Step
from build_exporter.verdicts import Verdicts

MAX_STEPS = 64
"""Running steps of a build that are shown."""

_Attempt = tuple[str, str, Key, int]


class VerdictCollector:
    """Shows what the running steps of the `max_builds` builds that were active last are doing.

    A step has a series for its verdict, and one for each verdict that an earlier scrape showed of the same attempt: a
    rule that looks back some minutes needs the 0 that ended it.
    """

    name = "verdicts"

    def __init__(self, monitor: Monitor, verdicts: Verdicts, max_builds: int) -> None:
        self.max_builds = max_builds
        self._monitor = monitor
        self._verdicts = verdicts
        self._shown: dict[_Attempt, tuple[Verdict, ...]] = {}

    def collect(self) -> Iterable[Family]:
        """Return the family."""
        family = Family("build_step_verdict")
        shown: dict[_Attempt, tuple[Verdict, ...]] = {}
        for build in self._monitor.tracker.recent(self.max_builds):
            if build.current is not None:
                for step in islice(list(build.current.running.values()), MAX_STEPS):
                    self._add(family, build.current, step, shown)
        self._shown = shown
        yield family

    def _add(self, family: Family, run: Run, step: Step, shown: dict[_Attempt, tuple[Verdict, ...]]) -> None:
        judged = self._verdicts.judgement(run, step)
        if judged is None:
            return
        attempt = (run.build, run.run, step.key, step.attempts)
        verdicts = self._shown.get(attempt, ())
        if judged.verdict not in verdicts:
            verdicts = (*verdicts, judged.verdict)
        shown[attempt] = verdicts
        for verdict in verdicts:
            family.add(int(verdict is judged.verdict), run.build, step.phase, step.step, verdict.value)
