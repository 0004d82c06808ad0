"""Buildroot's build-time.log as events: a run for each stretch of work, a step for each package and what is done to it.

Every make appends to the one log, so a run ends where nothing was done for a while. A step without an end failed, or
was interrupted: the log doesn't say which.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from statistics import median
from typing import Final, Literal

from build_exporter.model.events import BuildFinished, BuildStarted, Event, StepFinished, StepStarted

PAUSE_SECONDS: Final = 900.0
"""Nothing done for longer than this, and no step open: what comes next is another run."""

LONGEST_SECONDS: Final = 43200.0
"""A step open for longer than this, while nothing else was done, is not taken to continue beside a new one."""

EARLIEST: Final = 946684800.0
"""Start of the year 2000: what seems older is damage, or a machine whose clock was never set."""

KEPT: Final = 15
NOT_ENDED: Final = "it began and did not end: it failed or was interrupted, the log does not tell which"

Key = tuple[str, str]
"""What is done (`build`), and the package: phase and step."""

_LINE: Final = re.compile(r"(\d{9,10}(?:\.\d{1,9})?):(start|end) {0,2}:([a-z][a-z0-9-]{0,40}) *: (\S{1,200})\Z")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: Unix seconds to the millisecond, whether a step starts, which."""

    time: float
    starts: bool
    key: Key


@dataclass(slots=True, eq=False)
class WorkSession:
    """One run.

    Attributes:
        start: Unix seconds it is named by; `last` of its newest line.
        open: steps that continue, with their start.
        is_parallel: whether steps were seen side by side.
        done: steps that have ended.
        mark: how many steps had ended before it.
    """

    start: float
    last: float
    mark: int = 0
    open: dict[Key, float] = field(default_factory=dict)
    is_parallel: bool = False
    is_over: bool = False
    done: set[Key] = field(default_factory=set)
    failed: set[Key] = field(default_factory=set)


def read_line(line: str) -> Entry | None:
    """Return what a line tells; None where it is none of the log's, or is damaged."""
    found = _LINE.match(line)
    if found is None:
        return None
    time = round(float(found[1]), 3)
    return Entry(time, found[2] == "start", (found[3], found[4])) if time >= EARLIEST else None


class BuildTimeLog:
    """Entries in, events out.

    Attributes:
        out: events not fetched yet, with their run.
        current: the run that continues; None before the first line.
        newest: Unix seconds of the newest line.
        done: steps that have ended in any run.
    """

    def __init__(self, build: str, pause: float = PAUSE_SECONDS, target: str = "") -> None:
        self.out: list[tuple[WorkSession, Event]] = []
        self.current: WorkSession | None = None
        self.newest = 0.0
        self.done: set[Key] = set()
        self._build = build
        self._pause = pause
        self._target = target or None
        self._ends = 0
        self._seconds: dict[Key, list[tuple[int, float]]] = {}
        self._starts: set[int] = set()

    def feed(self, entry: Entry) -> None:
        """Take the next entry."""
        self.newest = max(self.newest, entry.time)
        session = self.current
        if session is None or self._is_another_run(session, entry):
            self.end()
            if not entry.starts:
                # its start is before the log's beginning
                return
            session = self.current = self._begin(entry.time)
        if session.is_over:
            # its end was told when nothing seemed to come any more
            session.is_over = False
            self._emit_begin(session, entry.time)
        before, session.last = session.last, entry.time
        if entry.starts:
            self._start(session, entry, before)
        else:
            self._end(session, entry)

    def end(self) -> None:
        """Tell the end of the run that continues, as of its last line."""
        session = self.current
        if session is None or session.is_over:
            return
        session.is_over = True
        for key in session.open:
            self._fail(session, key, session.last)
        status: Literal["succeeded", "failed"] = "failed" if session.failed else "succeeded"
        self.out.append((session, BuildFinished(time=session.last, build=self._build, status=status)))

    def expected(self, key: Key, mark: int) -> float | None:
        """Return the median of a step's newest durations before `mark`, in seconds; None where there is none."""
        newest = [seconds for when, seconds in self._seconds.get(key, ()) if when <= mark][-KEPT:]
        return round(median(newest), 3) if newest else None

    def _is_another_run(self, session: WorkSession, entry: Entry) -> bool:
        if entry.key in session.open and not entry.starts:
            return False
        if entry.time - session.last <= self._pause:
            return False
        if not session.open or entry.key in session.open or not session.is_parallel:
            return True
        # where steps continue side by side, one may take long while nothing else has its turn
        return entry.time - session.last > LONGEST_SECONDS

    def _begin(self, time: float) -> WorkSession:
        start = int(time)
        while start in self._starts:
            # a run is named by its second
            start += 1
        self._starts.add(start)
        session = WorkSession(float(start) if start > time else time, time, self._ends)
        self._emit_begin(session, session.start)
        return session

    def _emit_begin(self, session: WorkSession, time: float) -> None:
        started = BuildStarted(time=time, build=self._build, source="buildroot", target=self._target)
        self.out.append((session, started))

    def _start(self, session: WorkSession, entry: Entry, before: float) -> None:
        if entry.key in session.open:
            # make was started again and continues where it broke off
            self._fail(session, entry.key, before)
            del session.open[entry.key]
        elif session.open:
            session.is_parallel = True
        session.open[entry.key] = entry.time
        session.failed.discard(entry.key)
        phase, step = entry.key
        self.out.append(
            (session, StepStarted(time=entry.time, build=self._build, phase=phase, step=step, package=step))
        )

    def _end(self, session: WorkSession, entry: Entry) -> None:
        started = session.open.pop(entry.key, None)
        if started is None:
            return
        session.done.add(entry.key)
        session.failed.discard(entry.key)
        self.done.add(entry.key)
        if entry.time >= started:
            self._ends += 1
            self._seconds.setdefault(entry.key, []).append((self._ends, entry.time - started))
        phase, step = entry.key
        self.out.append(
            (session, StepFinished(time=entry.time, build=self._build, phase=phase, step=step, status="succeeded"))
        )

    def _fail(self, session: WorkSession, key: Key, time: float) -> None:
        phase, step = key
        session.failed.add(key)
        self.out.append(
            (
                session,
                StepFinished(time=time, build=self._build, phase=phase, step=step, status="failed", message=NOT_ENDED),
            )
        )
