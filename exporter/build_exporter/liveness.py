"""Record the end of steps whose process vanished without one: killed, or lost in a power cut.

They are recorded as interrupted. Only processes known to be a step's are checked: one that was seen alive while the
step ran, one whose id is of this machine and namespace, as its writer recorded, or any where the machine has been
restarted since the step's last sign of life.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

from build_exporter.journal.append import Writer
from build_exporter.journal.isolation import Isolation
from build_exporter.journal.layout import pid_namespace, run_path
from build_exporter.model.events import BuildFinished, StepFinished, encode_line
from build_exporter.monitor import Monitor
from build_exporter.tracker import Run, Step
from build_exporter.tracker.step import Key

log = logging.getLogger(__name__)

GRACE_SECONDS = 5.0
"""Seconds its own writer has to record the end after the process is gone."""

YOUNGER_SECONDS = 2.0
"""A process that began this long after its step is another one with the same pid."""

MESSAGE = "its process is gone and recorded no end"


@dataclass(slots=True)
class _Watched:
    """A running step's process: when it was started, and since when it is gone."""

    created: float
    gone_since: float | None = None


class Liveness:
    """Checks the processes of running steps."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._isolated = Isolation(log, "checking running steps")
        self._watched: dict[tuple[str, str, Key, int], _Watched] = {}
        self._recorded = False
        self._here = pid_namespace()
        self._created: Callable[[int], float | None] = _created

    def poll(self) -> int:
        """Record the end of steps whose process is gone; return how many."""
        now = self._monitor.clock()
        # most steps of a run have one process: the shell that runs them all
        self._created = cache(_created)
        current = [build.current for build in self._monitor.tracker.builds.values() if build.current is not None]
        alive = {(run.build, run.run, key, step.pid or 0) for run in current for key, step in run.running.items()}
        for watched in self._watched.keys() - alive:
            del self._watched[watched]
        count = 0
        for run in current:
            if run.status is not None and not run.running:
                continue
            with self._isolated.of(run.build):
                mark_writer(run, self._here, self._created)
                count += self._poll_run(run, now) if run.running else 0
        return count

    def _poll_run(self, run: Run, now: float) -> int:
        # once for all steps: it reads files, and requests wait for it
        is_of_an_earlier_boot = cache(lambda: self._is_of_an_earlier_boot(run))
        gone = [s for s in run.running.values() if s.pid and self._is_gone(run, s, now, is_of_an_earlier_boot)]
        if not gone:
            return 0
        lines = [
            encode_line(
                StepFinished(
                    time=round(now, 6),
                    build=run.build,
                    phase=step.phase,
                    step=step.step,
                    status="interrupted",
                    message=MESSAGE,
                )
            )
            for step in gone
        ]
        if len(gone) == len(run.running):
            # whatever ran the steps is gone too, or it would have recorded their ends
            lines.append(encode_line(BuildFinished(time=round(now, 6), build=run.build, status="interrupted")))
        writer = Writer(run_path(self._monitor.follower.root, run.build, run.run))
        try:
            for line in lines:
                writer.append(line)
        except OSError as error:
            if not self._recorded:
                log.warning("the end of lost steps can't be written", extra={"error": str(error)})
                self._recorded = True
            return 0
        finally:
            writer.close()
        log.info("steps interrupted", extra={"build": run.build, "steps": ", ".join(step.step for step in gone)})
        return len(gone)

    def _is_gone(self, run: Run, step: Step, now: float, is_of_an_earlier_boot: Callable[[], bool]) -> bool:
        pid = step.pid or 0
        identity = (run.build, run.run, step.key, pid)
        created = self._created(pid)
        is_its_own = created is not None and created <= (step.start or now) + YOUNGER_SECONDS
        watched = self._watched.get(identity)
        if watched is None:
            if is_its_own and created is not None:
                self._watched[identity] = _Watched(created)
                return False
            if step.pid_namespace is None or step.pid_namespace != self._here:
                return is_of_an_earlier_boot()
            # it ended before it was first looked at
            watched = self._watched[identity] = _Watched(-1.0)
        if (is_its_own and created == watched.created) or (created is None and _is_hidden(pid)):
            watched.gone_since = None
            return False
        if watched.gone_since is None:
            watched.gone_since = now
        return now - watched.gone_since >= GRACE_SECONDS

    def _is_of_an_earlier_boot(self, run: Run) -> bool:
        path = Path(run_path(self._monitor.follower.root, run.build, run.run))
        try:
            touched = path.stat().st_mtime
        except OSError:
            return False
        return max(touched, run.last_event or 0.0) < psutil.boot_time()


def _is_hidden(pid: int) -> bool:
    """Return whether a process is there that /proc does not show: another user's, where that has `hidepid`."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return not os.path.exists(f"/proc/{pid}")  # noqa: PTH110
    except (OSError, OverflowError):
        pass
    return False


def _created(pid: int) -> float | None:
    if not os.path.exists(f"/proc/{pid}"):  # noqa: PTH110 - psutil takes twenty times as long to find that out
        return None
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except (psutil.Error, OSError, ValueError, OverflowError):
        return None


def mark_writer(run: Run, here: str | None, created: Callable[[int], float | None] = _created) -> None:
    """Note whether all processes of a run are gone.

    Args:
        run: the run.
        here: this process's namespace.
        created: returns when a process began in Unix seconds, None where it is gone.
    """
    if run.status is not None or here is None:
        return
    known = [(run.pid, run.pid_namespace, run.start)]
    known += [(step.pid, step.pid_namespace, step.start) for step in run.running.values()]
    run.writer_is_gone = all(
        pid is not None and where == here and not (_is_there(created(pid), began or 0.0) or _is_hidden(pid))
        for pid, where, began in known
    )


def _is_there(created: float | None, began: float) -> bool:
    """Return whether a process is there, and not another that was given its id after `began`, Unix seconds."""
    return created is not None and created <= began + YOUNGER_SECONDS
