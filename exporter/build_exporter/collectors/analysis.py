"""Families from the analysis of builds: schedule, fit, regressions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import psutil

from build_exporter.analysis.differences import Difference, differences
from build_exporter.analysis.fit import Fit, fit_disk, fit_memory
from build_exporter.analysis.schedule import deadline_of, schedule
from build_exporter.config.schema import Schedule
from build_exporter.estimate import Estimator
from build_exporter.exposition import Family
from build_exporter.model.states import BuildState
from build_exporter.monitor import Monitor
from build_exporter.tracker import Build, Run, RunSummary

MAX_STEPS: Final = 5000
"""Steps of a run up to which its durations are compared at every collection."""
MAX_REGRESSIONS: Final = 100
"""Slower steps of a build that get a series of their own, those that lost most time."""


class AnalysisCollector:
    """Shows schedule, fit and regressions of the newest runs; `schedule` may be replaced at any time."""

    name = "analysis"

    def __init__(
        self, monitor: Monitor, planned: Schedule, max_builds: int, estimator: Estimator | None = None
    ) -> None:
        self.schedule = planned
        self.max_builds = max_builds
        self._monitor = monitor
        self._estimator = estimator or Estimator(monitor.tracker.builds)
        self._slower: dict[str, tuple[object, list[Difference]]] = {}

    def collect(self) -> Iterable[Family]:
        """Return the families of the builds that were active last."""
        families = {name: Family(name) for name in _NAMES}
        now = self._monitor.clock()
        for gone in self._slower.keys() - self._monitor.tracker.builds.keys():
            del self._slower[gone]
        for build in self._monitor.tracker.recent(self.max_builds):
            if build.current is not None:
                self._add_schedule(families, build.current, now)
                _add_fit(families, build, self._monitor.follower.root, now)
                self._add_slower(families, build)
        return families.values()

    def _add_schedule(self, families: dict[str, Family], run: Run, now: float) -> None:
        deadline = deadline_of(run, self.schedule.deadline, self.schedule.duration)
        if deadline is None:
            return
        left = self._estimator(run, now)
        band = (left.low, left.middle, left.high) if left is not None else None
        found = schedule(run, deadline, self.schedule.tolerance, band, now)
        families["build_deadline_timestamp_seconds"].add(deadline, run.build)
        if found.deviation_seconds is not None:
            families["build_schedule_deviation_seconds"].add(found.deviation_seconds, run.build)
        if found.late_probability is not None:
            families["build_schedule_late_probability_ratio"].add(found.late_probability, run.build)

    def _add_slower(self, families: dict[str, Family], build: Build) -> None:
        run = build.current
        if run is None or not build.history_complete or len(run.steps) > MAX_STEPS:
            return
        seen = (run.run, run.finished.total(), len(build.history))
        known = self._slower.get(build.name)
        if known is None or known[0] != seen:
            found = differences(run, list(build.history.values())).differences
            known = self._slower[build.name] = (seen, [each for each in found if each.is_regression])
        families["build_steps_slower"].add(len(known[1]), build.name)
        for each in known[1][:MAX_REGRESSIONS]:
            families["build_step_regression_ratio"].add(each.ratio, build.name, each.phase, each.step)


_NAMES: Final = (
    "build_deadline_timestamp_seconds", "build_schedule_deviation_seconds", "build_schedule_late_probability_ratio",
    "build_fit_needed_bytes", "build_fit_shortage_bytes", "build_steps_slower", "build_step_regression_ratio",
)  # fmt: skip


def _add_fit(families: dict[str, Family], build: Build, journal: str, now: float) -> None:
    run = build.current
    if run is None or run.state not in (BuildState.RUNNING, BuildState.FAILED):
        return
    for fit in fits(run, list(build.history.values()), journal, now):
        if fit.known_steps:
            families["build_fit_needed_bytes"].add(fit.largest_bytes or 0, run.build, fit.resource)
            short = fit.shortages[0].short_bytes if fit.shortages else 0
            families["build_fit_shortage_bytes"].add(short, run.build, fit.resource)


def fits(run: Run, history: Sequence[RunSummary], journal: str, now: float) -> tuple[Fit, Fit]:
    """Return whether disk and memory of this machine suffice for the steps to come."""
    free = os.statvfs(writes_to(run, journal))
    return (
        fit_disk(run, history, free.f_bavail * free.f_frsize, now),
        fit_memory(run, history, psutil.virtual_memory().available, now),
    )


def writes_to(run: Run, journal: str) -> Path:
    """Return a directory where a run writes: that of its sources, else of its newest log, else the journal.

    The nearest parent that exists stands for one that does not, or that may not be looked at.
    """
    logs = [step.log for step in list(run.running.values()) if step.log]
    named = run.tarballs or (logs[-1] if logs else "") or journal
    place = Path(named)
    # os.path: what may not be looked at is False there, and raises in pathlib
    return next((each for each in (place, *place.parents) if os.path.isdir(each)), Path("/"))  # noqa: PTH112
