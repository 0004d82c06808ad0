"""Host conditions that stop a build: no space where it writes, and processes killed for lack of memory."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from build_exporter.monitor import Monitor
from build_exporter.queries.incidents import Incident, Kind, failure_number
from build_exporter.tracker import Run

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 1.0
PLACES_SECONDS: Final = 15.0
REST_RATIO: Final = 2000.0
"""Rest after asking where a build writes, as a multiple of the time it took: half a thousandth of a core at most."""
FULL_BYTES: Final = 64 * 1024
"""File systems keep a few blocks that nothing can be written to."""
HOLD_SECONDS: Final = 3.0
"""A step that ends at once for want of space is reported as failed, and not also as this."""
KILL_SECONDS: Final = 600.0
"""Seconds for which a kill is shown: by then it has made its step fail, or did not matter."""
MAX_PROCESSES: Final = 50
VMSTAT: Final = Path("/proc/vmstat")


@dataclass(slots=True)
class HostWatch:
    """Looks at the machine for the sake of running builds; `standing` are the incidents found by the newest look."""

    monitor: Monitor
    clock: Callable[[], float] = time.time
    kills: Callable[[], int | None] = field(default_factory=lambda: oom_kills)
    standing: list[Incident] = field(default_factory=list)
    _full_since: dict[tuple[str, str], float] = field(default_factory=dict)
    _killed_at: dict[str, float] = field(default_factory=dict)
    _kills: int | None = None
    _places: dict[str, tuple[float, set[str]]] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Look each second in a thread of its own: a file system that hangs must hold up nothing else."""
        threading.Thread(target=self._run, name="host-watch", daemon=True).start()

    def stop(self) -> None:
        """Stop polling."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(POLL_SECONDS):
            try:
                self.poll()
            except Exception:
                # one failed poll must not end all polling
                log.exception("polling the host for running builds failed")

    def poll(self) -> None:
        """Poll once."""
        now = self.clock()
        running = [run for run in self.monitor.newest_runs() if run.running and run.status is None]
        self.standing = [*self._full(running, now), *self._killed(running, now)]

    def _full(self, running: list[Run], now: float) -> Iterator[Incident]:
        full = {(run.build, place) for run in running for place in self._written(run) if _is_full(place)}
        self._full_since = {key: self._full_since.get(key, now) for key in full}
        first: dict[str, tuple[float, str]] = {}
        for (build, place), since in self._full_since.items():
            first[build] = min(first.get(build, (since, place)), (since, place))
        for build, (since, place) in first.items():
            if now - since >= HOLD_SECONDS:
                words = f"No space is left in {place}, where build {build} writes."
                yield _incident(build, Kind.DISK_FULL, since, since + HOLD_SECONDS, words)

    def _written(self, run: Run) -> set[str]:
        """Return where a run writes; the process table is asked now and then only."""
        until, places = self._places.get(run.build, (0.0, set()))
        began = time.monotonic()
        if began >= until:
            places = _places(run)
            ended = time.monotonic()
            self._places[run.build] = (ended + max(PLACES_SECONDS, (ended - began) * REST_RATIO), places)
        return places

    def _killed(self, running: list[Run], now: float) -> Iterator[Incident]:
        kills = self.kills()
        if kills is not None and self._kills is not None and kills > self._kills:
            for run in running:
                self._killed_at.setdefault(run.build, now)
        self._kills = kills
        builds = {run.build for run in running}
        self._killed_at = {
            build: at for build, at in self._killed_at.items() if build in builds and now - at < KILL_SECONDS
        }
        for build, at in self._killed_at.items():
            words = f"The kernel killed a process for lack of memory while build {build} ran."
            yield _incident(build, Kind.OUT_OF_MEMORY, at, at, words)


def _incident(build: str, kind: Kind, began: float, since: float, words: str) -> Incident:
    return Incident(build=build, kind=kind, failure=failure_number(began), since=since, description=words)


def _places(run: Run) -> set[str]:
    """Return the directories that the running steps of a run write to, as far as they can be seen."""
    found = set()
    for step in list(run.running.values()):
        if step.log:
            found.add(os.path.dirname(step.log))  # noqa: PTH120 - text from a journal, no path of ours
        if step.pid:
            found |= _directories(step.pid)
    return {place for place in found if os.path.isabs(place)}  # noqa: PTH117


def _directories(pid: int) -> set[str]:
    found = set()
    try:
        process = psutil.Process(pid)
        for each in [process, *process.children(recursive=True)[:MAX_PROCESSES]]:
            found.add(each.cwd())
    except (psutil.Error, OSError, ValueError, OverflowError):
        pass
    return found


def _is_full(place: str) -> bool:
    try:
        state = os.statvfs(place)
    except (OSError, ValueError):
        return False
    no_files = state.f_files > 0 and state.f_favail == 0
    return state.f_blocks > 0 and (state.f_bavail * state.f_frsize < FULL_BYTES or no_files)


def oom_kills() -> int | None:
    """Return how many processes the kernel has killed for lack of memory since it started; None where unknown."""
    try:
        lines = VMSTAT.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
