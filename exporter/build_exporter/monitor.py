"""Keep the tracker up to date with the journal: new events on change or request, older runs in between."""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from build_exporter.catalog import metric
from build_exporter.journal.decode import UNKNOWN_EVENT, Decoder
from build_exporter.journal.follow import Batch, Follower
from build_exporter.journal.removed_runs import Tally, removed_runs
from build_exporter.model.events import NOT_BUILD_ACTIVITY, BuildFinished, Event, EventsLost, StepFinished, StepProgress
from build_exporter.ticks import until_tick
from build_exporter.tracker import Build, Key, LogShape, Run, Tracker, apply_all, tally
from build_exporter.tracker.progress import raise_floors

log = logging.getLogger(__name__)

LAG_BOUNDS = metric("build_exporter_event_lag_seconds").buckets

WATCHED_POLL_SECONDS = 1.0
"""Poll interval while inotify works: covers changes it may miss."""

UNWATCHED_POLL_SECONDS = 0.1
"""Poll interval without inotify, or on a file system without events, such as a network one."""

POLL_SECONDS = 0.1
"""Most that one poll takes while events come faster than they can be read: requests are answered in between."""

SETTLE_SECONDS = 0.001
"""Delay after a change before polling: a burst of writes is read at once."""

UNNOTIFIED_POLLS = 3
"""After this many polls in a row that found unannounced events, inotify is no longer trusted."""

HISTORY_RECHECK_SECONDS = 10.0

EARLIER_RUNS = 3
"""Older runs that are read before the newest one: what they took is what it is measured by from its first step."""
EARLIER_BYTES = 8 * 1024 * 1024
EARLIER_SECONDS = 0.5
COMMAND_SECONDS = 3.0
"""A command has no later: it reads all older runs before it answers, as many as it can in this time, of all builds."""
LIVE_SECONDS = 7 * 86400.0
"""A run that nothing was written to for so long does not go on: nobody waits for its end."""


def read_earlier_runs(follower: Follower, tracker: Tracker, build: str, until: float | None = None) -> None:
    """Read the last runs before a build's newest into the tracker, where that may still go on.

    With `until`, of the monotonic clock, all of them that can be read until then.
    """
    older = follower.older_runs(build)[: EARLIER_RUNS if until is None else None]
    if not older or follower.newest_age(build) > LIVE_SECONDS:
        return
    most_bytes = EARLIER_BYTES if until is None else math.inf
    until = time.monotonic() + EARLIER_SECONDS if until is None else until
    for name in older:
        if follower.run_bytes(build, name) > most_bytes:
            continue
        run = Run(build, name)
        pieces = follower.read_older(build, name)
        try:
            for events in pieces:
                apply_all(run, events)
                if time.monotonic() > until:
                    # what happens now must not wait for it: it is read with the rest of the history
                    pieces.close()
                    follower.forget_older(build, name)
                    return
        except Exception:
            log.exception("reading an older run failed", extra={"build": build, "run": name})
        tracker.remember(build, run)


def read_older_runs(follower: Follower, tracker: Tracker) -> Iterator[None]:
    """Read the older runs that have not been, pausing after each piece."""
    for build in follower.build_names():
        for name in follower.older_runs(build):
            run = Run(build, name)
            try:
                for events in follower.read_older(build, name):
                    apply_all(run, events)
                    yield
            except Exception:
                # one run that can't be understood must cost neither the others nor the following
                log.exception("reading an older run failed", extra={"build": build, "run": name})
            tracker.remember(build, run)
        known = tracker.builds.get(build)
        if known is not None:
            known.history_complete = True


def read_builds(journal: str, *, history: bool = False) -> Tracker:
    """Return every build's newest run as its journal has it now, with the runs before those that may go on.

    With `history` those of all builds.
    """
    follower, tracker = Follower(journal), Tracker()
    read_again(follower, tracker)
    for _ in read_older_runs(follower, tracker) if history else ():
        pass
    follower.close()
    return tracker


def read_again(follower: Follower, tracker: Tracker) -> None:
    """Take what is new in a journal since it was read last."""
    left = COMMAND_SECONDS
    for batch in follower.poll():
        known = tracker.builds.get(batch.build)
        if known is None or known.current is None or known.current.run < batch.run:
            began = time.monotonic()
            read_earlier_runs(follower, tracker, batch.build, began + left)
            left -= time.monotonic() - began
        tracker.feed(batch.build, batch.run, batch.events, from_start=batch.from_start)
    for name in tracker.builds.keys() - set(follower.build_names()):
        tracker.forget(name)


def read_newest(journal: str) -> Tracker:
    """Return every build's newest run as its journal has it now."""
    follower, tracker = Follower(journal), Tracker()
    for batch in follower.poll():
        tracker.feed(batch.build, batch.run, batch.events, from_start=batch.from_start)
    follower.close()
    return tracker


AHEAD_SECONDS = 60.0
"""An event further ahead than this comes from a wrong clock; its build's last event is then the time it was read."""

MOST_AHEAD = 1000
"""Ends ahead of their time that are kept until they are corrected."""


class Ahead(NamedTuple):
    """An end with a time ahead of that at which it was read, in Unix seconds, and its run."""

    run: str
    event: StepFinished | BuildFinished
    read: float


STEP_BACK_SECONDS = 1.0
"""Least by which the clock is set back that matters to what is shown."""


Listener = Callable[[str, str, Sequence[Event], bool], None]
"""Takes build, run, events that have been applied, and whether they are live: not of the first reading."""


class Monitor:
    """Follows a journal into a tracker. All of it runs in one thread.

    Attributes:
        tracker: the state of every build.
        events_lost: events that writers report as lost, of the newest runs.
        events: events read since the start, by type; `lag_counts` and `lag_sum` are of those read live.
        ready: whether the newest run of each build has been read.
        ahead: ends read ahead of their time since somebody last took them.
        after_poll: called each time events have been read.
    """

    def __init__(self, journal: str, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.decoder = Decoder(clock)
        self.follower = Follower(journal, self.decoder)
        self.tracker = Tracker()
        self.listeners: list[Listener] = []
        self.events: Counter[type[Event]] = Counter()
        self.events_lost = 0
        self.lag_counts = [0] * (len(LAG_BOUNDS) + 1)
        self.lag_sum = 0.0
        self.ready = False
        self.ahead: list[Ahead] = []
        self.after_poll: list[Callable[[], None]] = []
        self._read_again: set[str] = set()
        self._inotify_unreliable = False
        self._unnotified = 0
        self._notified = False
        self._wake_up: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self._checked = (clock(), time.monotonic())

    @property
    def is_watched(self) -> bool:
        """Whether inotify reports changes in the journal."""
        return self.follower.watcher.is_watched(self.follower.root) and not self._inotify_unreliable

    @property
    def history_complete(self) -> bool:
        """Whether every older run has been read."""
        return self.ready and not self._without_history()

    def poll(self) -> int:
        """Read what is new and return how many events that was."""
        self._check_clock()
        read = 0
        for batch in self.follower.poll(POLL_SECONDS if self.ready else math.inf):
            read += len(batch.events) + batch.left_out
            if batch.from_start:
                self._read_again.add(batch.build)
            try:
                self._take(batch)
            except Exception:
                # one build's events must cost neither the others nor a scrape
                log.exception("reading events failed", extra={"build": batch.build, "run": batch.run})
        for name in self.tracker.builds.keys() - set(self.follower.build_names()):
            self.tracker.forget(name)
        for build in self._without_history():
            build.history_complete = not self.follower.older_runs(build.name)
        self.ready = True
        if not self.follower.has_more:
            self._read_again.clear()
        if self.follower.has_more and self._wake_up is not None:
            self._notified = True
            self._wake_up.set()
        if read:
            self._announce()
        return read

    def _check_clock(self) -> None:
        """Keep the progress that was shown before the clock was set back, and let silence count from now on."""
        wall, monotonic = self._checked
        now, _ = self._checked = (self.clock(), time.monotonic())
        if now < wall + (self._checked[1] - monotonic) - STEP_BACK_SECONDS:
            for run in self.newest_runs():
                raise_floors(run, wall)
                run.last_event = run.last_event and min(now, run.last_event)

    def _announce(self) -> None:
        for call in self.after_poll:
            try:
                call()
            except Exception:
                # who wants to know must not cost the others, nor the following
                log.exception("acting on events failed")

    def _without_history(self) -> list[Build]:
        return [build for build in self.tracker.builds.values() if not build.history_complete]

    def _take(self, batch: Batch) -> None:
        known = self.tracker.builds.get(batch.build)
        is_new = known is None
        if known is None or known.current is None or known.current.run < batch.run:
            read_earlier_runs(self.follower, self.tracker, batch.build)
        before = known.current.last_event if known is not None and known.current is not None else None
        run = self.tracker.feed(batch.build, batch.run, batch.events, from_start=batch.from_start)
        now = self.clock()
        if run.last_event is not None and run.last_event > now + AHEAD_SECONDS:
            run.last_event = self._last_before(batch, None if batch.from_start else before, now)
            self._note_ahead(batch, now)
        if is_new:
            # once: a run removed from now on stays counted as it was read
            self.tracker.builds[batch.build].removed = removed_runs(self.follower.root, batch.build)
        if not batch.events:
            return
        for listener in self.listeners:
            listener(batch.build, batch.run, batch.events, self.ready)
        kinds = Counter(map(type, batch.events))
        if batch.left_out:
            kinds[StepProgress] += batch.left_out
        self.events.update(kinds)
        if EventsLost in kinds:
            self.events_lost += sum(event.count for event in batch.events if type(event) is EventsLost)
        if self.ready:
            lag = max(0.0, now - batch.events[-1].time)
            self.lag_counts[bisect.bisect_left(LAG_BOUNDS, lag)] += 1
            self.lag_sum += lag

    def _last_before(self, batch: Batch, before: float | None, now: float) -> float:
        """Return when something last happened in a run whose newest event is ahead; `before` as known before a batch.

        What is read again may have been written long ago, by a clock that was set back since; what is new happens now.
        """
        if batch.build not in self._read_again:
            return now
        past = [event.time for event in batch.events if event.time <= now and type(event) not in NOT_BUILD_ACTIVITY]
        return max(past if before is None else [before, *past], default=now)

    def _note_ahead(self, batch: Batch, now: float) -> None:
        for event in batch.events:
            if not isinstance(event, StepFinished | BuildFinished):
                continue
            if event.time > now + AHEAD_SECONDS and len(self.ahead) < MOST_AHEAD:
                self.ahead.append(Ahead(batch.run, event, now))

    def newest_runs(self) -> list[Run]:
        """Return the newest run of each build; may be called from another thread."""
        return [build.current for build in list(self.tracker.builds.values()) if build.current is not None]

    def last_log(self, build: str, key: Key) -> LogShape | None:
        """Return how a step's log grew the last time it succeeded; may be called from another thread."""
        known = self.tracker.builds.get(build)
        return known.last_log(key) if known is not None else None

    def earlier_suites(self, build: str, key: Key) -> frozenset[str]:
        """Return the test suites that a step had results of in an earlier run; may be called from another thread."""
        known = self.tracker.builds.get(build)
        return known.earlier_suites(key) if known is not None else frozenset()

    def read_history(self) -> Iterator[None]:
        """Read the older runs that have not been, pausing after each piece."""
        yield from read_older_runs(self.follower, self.tracker)
        self.tracker.settle(self.clock())

    def tally(self, build: str, run: str) -> Tally | None:
        """Return what an older run counted, None before it has been read; may be called from another thread."""
        known = self.tracker.builds.get(build)
        summary = known.history.get(run) if known is not None else None
        return tally(summary) if summary is not None else None

    def start(self) -> None:
        """Read what is there and continue following in the running event loop."""
        self._wake_up = asyncio.Event()
        self.poll()
        descriptor = self.follower.watcher.descriptor
        if descriptor >= 0:
            asyncio.get_running_loop().add_reader(descriptor, self._on_change)
        self._task = asyncio.create_task(self._follow(), name="journal")

    async def stop(self) -> None:
        """End following and close what is open."""
        descriptor = self.follower.watcher.descriptor
        if descriptor >= 0:
            asyncio.get_running_loop().remove_reader(descriptor)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.follower.close()

    def _on_change(self) -> None:
        self.follower.watcher.read()
        self._notified = True
        if self._wake_up is not None:
            self._wake_up.set()

    async def _follow(self) -> None:
        assert self._wake_up is not None
        recheck = 0.0
        while True:
            if time.monotonic() >= recheck or self._without_history():
                for _ in self.read_history():
                    await asyncio.sleep(0)
                    if self._notified:
                        self._check_directories()
                recheck = time.monotonic() + HISTORY_RECHECK_SECONDS
            pause = until_tick(WATCHED_POLL_SECONDS if self.is_watched else UNWATCHED_POLL_SECONDS)
            # not `wait_for`: before Python 3.12 it loses a cancellation that comes with what it waits for
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake_up.wait()
                await asyncio.sleep(SETTLE_SECONDS)
            self._check_directories()

    def _check_directories(self) -> None:
        assert self._wake_up is not None
        notified, self._notified = self._notified, False
        self._wake_up.clear()
        try:
            read = self.poll()
        except Exception:
            # following must continue whatever one poll ran into
            log.exception("reading the journal failed")
            return
        if read and not notified and self.follower.watcher.read():
            # it was announced but not yet read; changes after this poll are read next
            notified = self._notified = True
            self._wake_up.set()
        self._check_watching(notified=notified, read=read)

    def _check_watching(self, *, notified: bool, read: int) -> None:
        """Poll more often after repeated events that inotify did not report."""
        if notified and read:
            self._unnotified, self._inotify_unreliable = 0, False
        elif read and self.follower.watcher.is_watched(self.follower.root) and not self._inotify_unreliable:
            # a directory made a moment ago may have been written to before it was watched
            self._unnotified += 1
            if self._unnotified >= UNNOTIFIED_POLLS:
                self._inotify_unreliable = True
                log.info("the file system does not report changes, polling", extra={"journal": self.follower.root})

    def events_by_name(self) -> dict[str, int]:
        """Return how many events were read, by the `event` field; those this version does not know as one."""
        named = {str(kind.__struct_config__.tag): count for kind, count in self.events.items()}
        if self.decoder.unknown_events:
            named[UNKNOWN_EVENT] = self.decoder.unknown_events
        return named
