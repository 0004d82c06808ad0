"""Host conditions that stop a build: no space where it writes, no memory, a program that waits for an answer."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from build_exporter.alerting.conditions import HostCondition, HostConditions
from build_exporter.model.states import Verdict
from build_exporter.monitor import Monitor
from build_exporter.queries.incidents import Incident, Kind
from build_exporter.tracker import Run, Step
from build_exporter.verdicts import Judgement

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 1.0
PLACES_SECONDS: Final = 15.0
REST_RATIO: Final = 2000.0
"""Rest after asking where a build writes, as a multiple of the time it took: half a thousandth of a core at most."""
FULL_BYTES: Final = 64 * 1024
"""File systems keep a few blocks that nothing can be written to."""
KILL_SECONDS: Final = 600.0
"""Seconds for which a kill is shown: by then it has made its step fail, or did not matter."""
ANSWER_SECONDS: Final = 10.0
"""A step that was not seen to wait for so long has got its answer."""
MAX_PROCESSES: Final = 50


@dataclass(slots=True)
class HostWatch:
    """Looks at the machine for the sake of running builds; `standing` are the incidents found by the newest look.

    `kills` returns how many processes the kernel has killed for lack of memory (None where unknown),
    `verdict` judges a running step.
    """

    monitor: Monitor
    clock: Callable[[], float] = time.time
    kills: Callable[[], int | None] = lambda: None
    verdict: Callable[[Run, Step], Judgement | None] = lambda run, step: None
    standing: list[Incident] = field(default_factory=list)
    _conditions: HostConditions = field(init=False)
    _asked: dict[HostCondition, float] = field(default_factory=dict)
    """When each step was last seen to wait for an answer."""
    _kills: int | None = None
    _places: dict[str, tuple[float, set[str]]] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._conditions = HostConditions(self.monitor.follower.root)

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
        if not self.monitor.ready:
            return
        now = self.clock()
        running = [run for run in self.monitor.newest_runs() if run.running and run.status is None]
        names = {run.build for run in running}
        self._places = {name: found for name, found in self._places.items() if name in names}
        seen: dict[HostCondition, str] = {}
        has_killed = self._has_killed()
        for run in running:
            seen |= self._full(run) | self._waiting(run, now) | self._killed(run, now, again=has_killed)
        self._conditions.keep(seen, now)
        self._asked = {condition: at for condition, at in self._asked.items() if condition in seen}
        self.standing = self._conditions.incidents(now)

    def _full(self, run: Run) -> dict[HostCondition, str]:
        full = [place for place in self._written(run) if _is_full(place)]
        return {
            HostCondition(
                run.build, Kind.DISK_FULL, place
            ): f"No space is left in {place}, where build {run.build} writes."
            for place in full
        }

    def _written(self, run: Run) -> set[str]:
        """Return where a run writes; the process table is asked now and then only."""
        until, places = self._places.get(run.build, (0.0, set()))
        began = time.monotonic()
        if began >= until:
            places = _places(run)
            ended = time.monotonic()
            self._places[run.build] = (ended + max(PLACES_SECONDS, (ended - began) * REST_RATIO), places)
        return places

    def _waiting(self, run: Run, now: float) -> dict[HostCondition, str]:
        found = {}
        for step in list(run.running.values()):
            condition = HostCondition(run.build, Kind.WAITING_FOR_INPUT, f"{step.phase} / {step.step}")
            judged = self.verdict(run, step)
            if judged is not None and judged.verdict is Verdict.WAITING_FOR_INPUT:
                self._asked[condition] = now
                words = f"Build {run.build} waits for a person at {condition.where}: {judged.evidence[0]}."
                found[condition] = self._conditions.words.get(condition, words)
            elif condition in self._conditions.since and now - self._asked.setdefault(condition, now) < ANSWER_SECONDS:
                # after a restart a verdict takes some seconds
                found[condition] = self._conditions.words[condition]
        return found

    def _killed(self, run: Run, now: float, *, again: bool) -> dict[HostCondition, str]:
        """Return the kill of a moment ago, or an earlier one as long as it is shown."""
        condition = HostCondition(run.build, Kind.OUT_OF_MEMORY)
        at = self._conditions.since.get(condition)
        if not again and (at is None or now - at >= KILL_SECONDS):
            return {}
        return {condition: f"The kernel killed a process for lack of memory while build {run.build} ran."}

    def _has_killed(self) -> bool:
        before, self._kills = self._kills, self.kills()
        return before is not None and self._kills is not None and self._kills > before


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
    """Return where a process and those below it work; asks no other process, as a listing of all would."""
    found, waiting = set(), [str(pid)]
    # the list grows meanwhile
    for each in islice(waiting, MAX_PROCESSES):
        place = f"/proc/{each}"
        # ended, or another user's
        with contextlib.suppress(OSError):
            found.add(os.readlink(f"{place}/cwd"))  # noqa: PTH115 - a string
            for task in os.listdir(f"{place}/task"):  # noqa: PTH208 - names alone
                # of a kernel without this account (CONFIG_PROC_CHILDREN) the root process alone is known
                waiting += Path(f"{place}/task/{task}/children").read_text("ascii").split()
    return found


def _is_full(place: str) -> bool:
    try:
        state = os.statvfs(place)
    except (OSError, ValueError):
        return False
    no_files = state.f_files > 0 and state.f_favail == 0
    return state.f_blocks > 0 and (state.f_bavail * state.f_frsize < FULL_BYTES or no_files)
