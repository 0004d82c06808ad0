"""Milestones of the configuration: when a running build reaches one, the exporter writes it into the journal."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from build_exporter.config.schema import Milestone
from build_exporter.journal.append import Writer
from build_exporter.journal.layout import run_path
from build_exporter.model.events import MilestoneReached, PlannedMilestone, encode_line
from build_exporter.model.states import BuildState
from build_exporter.monitor import Monitor
from build_exporter.tracker import Run
from build_exporter.tracker.progress import is_reached

log = logging.getLogger(__name__)


class MilestoneWatcher:
    """Checks running builds against the configured milestones; `milestones` may be replaced at any time."""

    def __init__(self, monitor: Monitor, milestones: Iterable[Milestone]) -> None:
        self.milestones = tuple(milestones)
        self._monitor = monitor
        self._reported = False

    def check(self) -> int:
        """Write an event for each milestone reached since; return how many."""
        now = self._monitor.clock()
        return sum(self._check(run, now) for run in self._monitor.newest_runs() if self.milestones)

    def _check(self, run: Run, now: float) -> int:
        if run.state is BuildState.PENDING:
            return 0
        fresh = [
            each.name
            for each in self.milestones
            if each.name not in run.milestones and is_reached(run, _planned(each), min(now, run.end or now))
        ]
        if not fresh:
            return 0
        writer = Writer(run_path(self._monitor.follower.root, run.build, run.run))
        try:
            for name in fresh:
                when = run.end if run.end is not None else now
                writer.append(encode_line(MilestoneReached(time=round(when, 6), build=run.build, milestone=name)))
                # the next check may come before the journal has been read
                run.milestones.setdefault(name, when)
        except OSError as error:
            if not self._reported:
                log.warning("milestones cannot be written", extra={"error": str(error)})
                self._reported = True
            return 0
        finally:
            writer.close()
        log.info("milestones reached", extra={"build": run.build, "milestones": ", ".join(fresh)})
        return len(fresh)


def _planned(milestone: Milestone) -> PlannedMilestone:
    phase, step = milestone.phase, milestone.step
    if step is not None and "/" in step:
        phase, _, step = step.partition("/")
    return PlannedMilestone(name=milestone.name, phase=phase, step=step, progress=milestone.progress)
