"""Put right how long a step or a build took whose end was written by a clock that is ahead.

The end can't be later than when it was read. That is written into the journal, so that it holds after a restart too.
"""

from __future__ import annotations

import logging

from build_exporter.journal.append import Writer
from build_exporter.journal.isolation import Isolation
from build_exporter.journal.layout import run_path
from build_exporter.model.events import BuildFinished, Event, StepProgress, encode_line
from build_exporter.monitor import Ahead, Monitor
from build_exporter.tracker import Run

log = logging.getLogger(__name__)


class ClockWatch:
    """Corrects the ends that a monitor read ahead of their time."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._isolated = Isolation(log, "correcting times")

    def poll(self) -> int:
        """Write a correction for each such end read since; return how many."""
        ahead, self._monitor.ahead = self._monitor.ahead, []
        count = 0
        for each in ahead:
            build = self._monitor.tracker.builds.get(each.event.build)
            run = build.current if build is not None else None
            if run is None or run.run != each.run:
                continue
            with self._isolated.of(run.build):
                count += self._correct(run, each)
        return count

    def _correct(self, run: Run, ahead: Ahead) -> bool:
        event = _correction(run, ahead)
        if event is None:
            return False
        writer = Writer(run_path(self._monitor.follower.root, run.build, run.run))
        try:
            writer.append(encode_line(event))
        except OSError as error:
            log.warning("a time can't be corrected", extra={"build": run.build, "error": str(error)})
            return False
        finally:
            writer.close()
        by = round(ahead.event.time - ahead.read)
        log.warning("a writer's clock is ahead, its end is corrected", extra={"build": run.build, "seconds": by})
        return True


def _correction(run: Run, ahead: Ahead) -> Event | None:
    """Return the event that puts an end right, None where it is right by now or its start is ahead as well."""
    given, read = ahead.event, round(ahead.read, 6)
    if isinstance(given, BuildFinished):
        if run.end != given.time or run.start is None or run.start > read:
            return None
        return BuildFinished(time=read, build=run.build, status=given.status)
    step = run.steps.get((given.phase, given.step))
    if step is None or step.end != given.time or step.start is None or step.start > read:
        return None
    seconds = min(read - step.start, step.seconds if step.seconds is not None else read)
    return StepProgress(time=read, build=run.build, phase=step.phase, step=step.step, seconds=round(seconds, 6))
