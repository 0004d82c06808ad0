"""The verdict on each running step, as one family."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from build_exporter.exposition import Family
from build_exporter.model.states import Verdict
from build_exporter.monitor import Monitor
from build_exporter.tracker import Key, Run
from build_exporter.verdicts import Verdicts

MAX_STEPS = 64
"""Running steps of a build that are shown."""

_Running = tuple[Key, int, Verdict]
"""A running step, the number of its attempt and the verdict on it."""


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
        self._shown: dict[str, _Shown] = {}

    def collect(self) -> Iterable[Family]:
        """Return the family."""
        family = Family("build_step_verdict")
        shown: dict[str, _Shown] = {}
        for build in self._monitor.tracker.recent(self.max_builds):
            run = build.current
            if run is not None and run.running:
                before = self._shown.get(run.build)
                of_run = shown[run.build] = before if before is not None and before.run is run else _Shown(run)
                family.add_lines(*of_run.lines(list(self._running(run))))
        self._shown = shown
        yield family

    def _running(self, run: Run) -> Iterator[_Running]:
        for step in islice(list(run.running.values()), MAX_STEPS):
            judged = self._verdicts.judgement(run, step)
            if judged is not None:
                yield step.key, step.attempts, judged.verdict


class _Shown:
    """What the newest scrape showed of a run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._running: list[_Running] = []
        self._had: dict[tuple[Key, int], tuple[Verdict, ...]] = {}
        self._lines: list[bytes] = []

    def lines(self, running: list[_Running]) -> tuple[list[bytes], int]:
        """Return the lines of the steps that run now, those of before where nothing changed, and their number."""
        if running != self._running:
            had = {(key, attempt): self._had.get((key, attempt), ()) for key, attempt, _ in running}
            family = Family("build_step_verdict")
            for key, attempt, now in running:
                if now not in had[key, attempt]:
                    had[key, attempt] += (now,)
                for verdict in had[key, attempt]:
                    family.add(int(verdict is now), self.run.build, *key, verdict.value)
            self._running, self._had, self._lines = running, had, family.lines
        return self._lines, len(self._lines)
