"""Survey the builds that run on this machine and record their toolchains in the journal."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import psutil

from build_exporter.journal.append import Writer
from build_exporter.journal.isolation import Isolation
from build_exporter.journal.layout import pid_namespace, run_path
from build_exporter.model.events import Toolchain, ToolVersion, encode_line
from build_exporter.sources.protocol import BuildContext
from build_exporter.toolchain.ccache import cache_directory, read_statistics, state_directory
from build_exporter.toolchain.files import Files
from build_exporter.toolchain.machine import Machine
from build_exporter.toolchain.processes import Processes, ProcessFacts
from build_exporter.toolchain.survey import SYSTEM, Survey, merged
from build_exporter.toolchain.versions import TRIPLET
from build_exporter.tracker import Run

log = logging.getLogger(__name__)

FIRST_SECONDS: Final = 1.0
POLL_SECONDS: Final = 5.0
STILL_SECONDS: Final = 20.0
"""Rest between polls of builds in which no process has begun."""
REST_RATIO: Final = 5000.0
"""Rest after a poll, as a multiple of the CPU time it took, up to `STILL_SECONDS`."""

RESCAN_SECONDS: Final = 600.0
"""Between searches for tools while no step ends: a step that installs one may take long."""

SYSTEM_RATIO: Final = 5000.0
"""Between searches of the system that builds, as a multiple of the CPU time of one; it seldom changes.

At most `RESCAN_SECONDS`.
"""

SETTLED_SECONDS: Final = 300.0
"""Seconds after which a smaller -j is believed, and interval of recording ccache counts."""

COUNT_SECONDS: Final = 15.0
"""Between readings of a cache's counters, which are in hundreds of files."""

MAX_EVENTS: Final = 200
"""Most events recorded for one run by one exporter."""

ACTIVE_SECONDS: Final = 600.0
"""Seconds after its last event that a run without a running step is still surveyed."""

YOUNGER_SECONDS: Final = 2.0
"""A process that began this long after its step is another one with the same pid."""


@dataclass(frozen=True, slots=True)
class Helpers:
    """Directories of a build's caches.

    Attributes:
        owner: the id of the user whose files may be read there, None for any.
        cache: the directory of ccache.
        state: the directory of distcc's job states.
    """

    owner: int | None
    cache: Path | None
    state: Path | None


@dataclass(slots=True)
class _Watched:
    """Known facts of one run; when things were done is by the monotonic clock, as the other one may be set back.

    Attributes:
        recorded: the event recorded last.
        ended: how many attempts had ended at the last search for tools, and `searched` when that was.
        system_due: when the system that builds is searched again after the end of a step.
        last_shown: hits and misses that its ccache showed at the last poll; `counts` those of this run alone.
        events: how many were recorded.
    """

    recorded: Toolchain
    survey: Survey | None = None
    ended: int = -1
    searched: float = -math.inf
    system_due: float = -math.inf
    machine: Machine | None = None
    tools: list[ToolVersion] = field(default_factory=list)
    jobs_seen: float = -math.inf
    helpers: Helpers = Helpers(None, None, None)
    last_shown: tuple[int, int] | None = None
    counts: tuple[int, int] | None = None
    reported_counts: float = -math.inf
    counted: float = -math.inf
    events: int = 0


class Surveyor:
    """Surveys the builds on this machine, in a thread of its own.

    A build is surveyed if the process of one of its steps is alive on this machine, or if its source
    knows its directories.

    Attributes:
        files: what the files of tools hold, kept.
        elapsed: the clock, never set, that says what is due.
    """

    def __init__(
        self,
        journal: str,
        runs: Callable[[], Iterable[Run]],
        clock: Callable[[], float],
        build_context: Callable[[], Mapping[str, BuildContext]] = dict,
        system: Path = SYSTEM,
    ) -> None:
        self._journal = journal
        self._isolated = Isolation(log, "surveying tools")
        self._runs = runs
        self._clock = clock
        self.elapsed: Callable[[], float] = time.monotonic
        self._build_context = build_context
        self._system = system
        self.files = Files()
        self._processes = Processes()
        self._watched: dict[tuple[str, str], _Watched] = {}
        self._is_still = False
        self._stop = threading.Event()
        # a daemon: a directory on a file system that hangs must not keep the exporter from ending
        self._thread = threading.Thread(target=self._run, name="toolchain", daemon=True)

    def start(self) -> None:
        """Start polling every few seconds."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to stop."""
        self._stop.set()

    def helpers(self) -> dict[str, Helpers]:
        """Return where the caches of the builds are that run; may be called from any thread."""
        return {build: watched.helpers for (build, _), watched in list(self._watched.items())}

    def poll(self) -> int:
        """Survey every build on this machine and append what is new; return the number of events."""
        now = self._clock()
        runs = {(run.build, run.run): run for run in self._runs()}
        around = self._build_context()
        active = {key: run for key, run in runs.items() if _is_active(run, now)}
        if active:
            self._processes.refresh()
        count = 0
        for run in active.values():
            pids = (*_own_pids(run, now), *around.get(run.build, BuildContext()).pids)
            if pids or run.build in around:
                with self._isolated.of(run.build):
                    count += self._poll_step(run, pids, around.get(run.build, BuildContext()), now)
        for key in self._watched.keys() - active.keys():
            count += self._close(self._watched.pop(key), runs.get(key), now)
        self._is_still = bool(active) and not self._processes.asked
        return count

    def _poll_step(self, run: Run, pids: tuple[int, ...], around: BuildContext, now: float) -> int:
        watched = self._watched.get((run.build, run.run))
        if watched is None:
            known = run.toolchain or Toolchain(time=now, build=run.build)
            watched = self._watched[run.build, run.run] = _Watched(known)
        try:
            owner = os.stat(run_path(self._journal, run.build, run.run)).st_uid  # noqa: PTH116 - each poll
        except OSError:
            return 0
        facts = self._processes.facts_of(pids, owner or None)
        self.files.begin(owner or None)
        self._search(watched, run, Survey(facts, around, self._system, watched.recorded.target))
        self._count(watched, facts, owner or None)
        return self._emit(watched, run, self._amount(watched, facts, now))

    def _search(self, watched: _Watched, run: Run, survey: Survey) -> None:
        """Search tools where some may be new."""
        ended, now = sum(run.finished.values()), self.elapsed()
        # between two steps there is no process to ask
        is_new = survey != watched.survey and (watched.survey is None or survey.places or not watched.survey.places)
        if not is_new and ended == watched.ended and now - watched.searched < RESCAN_SECONDS:
            return
        if is_new or watched.survey is None:
            watched.survey = survey
        watched.ended, watched.searched = ended, now
        self._find(watched, watched.survey, whole=bool(is_new))

    def _find(self, watched: _Watched, survey: Survey, *, whole: bool) -> None:
        now = self.elapsed()
        if whole or watched.machine is None or now >= watched.system_due:
            began = time.thread_time()
            watched.machine = survey.machine(self.files)
            watched.system_due = now + min(RESCAN_SECONDS, (time.thread_time() - began) * SYSTEM_RATIO)
        watched.tools = [*watched.machine.tools, *survey.tools(self.files)]

    def _count(self, watched: _Watched, facts: ProcessFacts, owner: int | None) -> None:
        cache, state = cache_directory(facts), state_directory(facts)
        known = watched.helpers
        watched.helpers = Helpers(owner, cache or known.cache, state or known.state)
        now = self.elapsed()
        if now - watched.counted >= COUNT_SECONDS:
            watched.counted = now
            self._read_counts(watched)

    def _read_counts(self, watched: _Watched) -> None:
        cache = watched.helpers.cache
        found = read_statistics(self.files, cache) if cache is not None else None
        if found is None:
            return
        shown = (found.direct_hits + found.preprocessed_hits, found.misses)
        counted = watched.counts or (watched.recorded.ccache_hits or 0, watched.recorded.ccache_misses or 0)
        last = watched.last_shown
        if last is None or shown[0] < last[0] or shown[1] < last[1]:
            # the first poll, or the counters were set to zero meanwhile
            last = shown
        watched.last_shown = shown
        watched.counts = (counted[0] + shown[0] - last[0], counted[1] + shown[1] - last[1])

    def _amount(self, watched: _Watched, facts: ProcessFacts, now: float) -> Toolchain:
        """Return what is known of a run as an event."""
        before, machine = watched.recorded, watched.machine
        tools = merged(before.tools or (), watched.tools)
        crosses = {tool.target for tool in tools if tool.role == "cross" and tool.tool == "gcc"}
        only = next(iter(crosses)) if len(crosses) == 1 else None
        return Toolchain(
            # of two surveys the later one counts, also where the clock was set back between them
            time=max(round(now, 3), before.time),
            build=before.build,
            host=_triplet(facts.variables.get("CBUILD", ""))
            or before.host
            or (machine.triplet if machine else "")
            or None,
            target=facts.target or before.target or only,
            kernel=(machine.kernel if machine else "") or before.kernel,
            libc=(machine.libc if machine else "") or before.libc,
            machine=(machine.id if machine else "") or before.machine,
            jobs=_settled_jobs(watched, facts.jobs, self.elapsed()),
            tools=tools or None,
            ccache_hits=before.ccache_hits,
            ccache_misses=before.ccache_misses,
        )

    def _emit(self, watched: _Watched, run: Run, event: Toolchain) -> int:
        """Append an event if it has anything new."""
        now = self.elapsed()
        known = watched.recorded if watched.events else run.toolchain
        is_new = known is None or msgspec.structs.replace(event, time=known.time) != known
        has_counts = watched.counts is not None and watched.counts != (event.ccache_hits, event.ccache_misses)
        if has_counts and (is_new or now - watched.reported_counts >= SETTLED_SECONDS):
            assert watched.counts is not None
            event = msgspec.structs.replace(event, ccache_hits=watched.counts[0], ccache_misses=watched.counts[1])
            is_new, watched.reported_counts = True, now
        if not is_new or watched.events >= MAX_EVENTS:
            return 0
        watched.recorded = event
        watched.events += 1
        return self._append(run, event)

    def _close(self, watched: _Watched, run: Run | None, now: float) -> int:
        """Record what the last steps of a finished run installed, and the last counts."""
        if run is None or watched.survey is None:
            return 0
        self.files.begin(watched.helpers.owner)
        self._find(watched, watched.survey, whole=True)
        self._read_counts(watched)
        watched.reported_counts = -math.inf
        return self._emit(watched, run, self._amount(watched, ProcessFacts(), now))

    def _append(self, run: Run, event: Toolchain) -> int:
        writer = Writer(run_path(self._journal, run.build, run.run))
        try:
            writer.append(encode_line(event))
        except (OSError, ValueError) as error:
            log.debug("what a build is built with can't be written", extra={"build": run.build, "error": str(error)})
            return 0
        finally:
            writer.close()
        return 1

    def _run(self) -> None:
        rest, message = FIRST_SECONDS, ""
        while not self._stop.wait(rest):
            began, used = time.perf_counter(), time.thread_time()
            try:
                self.poll()
                message = ""
                rest = min(rest + POLL_SECONDS, STILL_SECONDS) if self._is_still else POLL_SECONDS
            except Exception as error:
                # one odd tree must not stop the survey of all others
                if str(error) != message:
                    log.exception("surveying the builds' tools failed")
                message, rest = str(error), POLL_SECONDS
            # a slow file system takes no CPU time
            took, used = time.perf_counter() - began, time.thread_time() - used
            rest = max(rest, took, min(STILL_SECONDS, used * REST_RATIO))


def _is_active(run: Run, now: float) -> bool:
    return run.status is None and (bool(run.running) or now - (run.last_event or 0.0) < ACTIVE_SECONDS)


def _own_pids(run: Run, now: float) -> list[int]:
    """Return the pids of the running steps' processes that are alive on this machine."""
    found, here = [], pid_namespace()
    for step in list(run.running.values()):
        if step.pid_namespace not in (None, here):
            # of another machine, whose pids are others
            continue
        try:
            created = psutil.Process(step.pid or -1).create_time()
        except (psutil.Error, ValueError, OverflowError):
            continue
        if created <= (step.start or now) + YOUNGER_SECONDS:
            found.append(step.pid or -1)
    return found


def _settled_jobs(watched: _Watched, seen: int | None, now: float) -> int | None:
    """Return the -j of a run: the largest that its processes had lately."""
    known = watched.recorded.jobs
    if seen is not None and (known is None or seen >= known):
        watched.jobs_seen = now
        return seen
    if seen is not None and now - watched.jobs_seen >= SETTLED_SECONDS:
        watched.jobs_seen = now
        return seen
    return known


def _triplet(text: str) -> str | None:
    return text if TRIPLET.match(text) else None
