"""Buildroot's build-time.log as events: a run for each stretch of work, a step for each package and what is done to it.

Every make appends to the one log, so a run ends where nothing was done for a while. A step without an end failed, or
was interrupted: the log does not show which.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from statistics import median
from typing import Final, Literal

from build_exporter.model.events import BuildFinished, BuildStarted, Event, StepFinished, StepStarted
from build_exporter.sources.implausible import ImplausibleLines

PAUSE_SECONDS: Final = 900.0
"""Nothing done for longer than this, and no step open: what comes next is another run."""

LONGEST_SECONDS: Final = 43200.0
"""A step open for longer than this, while nothing else was done, is not taken to continue beside a new one."""

KEPT: Final = 15
NOT_ENDED: Final = "it began and did not end: it failed or was interrupted; utils/brmake keeps what make prints of it"

AFTERWARDS: Final = "finish"
"""Phase of what Buildroot does once the steps of a package, or of all, are done: checks, finalizing, images."""

Key = tuple[str, str]
"""Action (`build`) and package: phase and step."""

_LINE: Final = re.compile(r"(\d{1,10}(?:\.\d{1,9})?):(start|end) {0,2}:([a-z][a-z0-9-]{0,40}) *: (\S{1,200})\Z")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: Unix seconds to the millisecond, whether a step starts, which."""

    time: float
    starts: bool
    key: Key


@dataclass(slots=True)
class Open:
    """A step without an end so far.

    Attributes:
        start: Unix seconds by the log's own clock.
        left: the newest time before another step began; None before that. Where steps run one after the other, this
            one had ended by then.
    """

    start: float
    left: float | None = None


@dataclass(slots=True, eq=False)
class WorkSession:
    """One run.

    Attributes:
        start: Unix seconds it is named by; `last` of its newest event, `clock` of its newest line.
        open: steps that go on.
        is_parallel: whether a step ended that another one had begun beside.
        done: steps that have ended.
        mark: how many steps had ended before it.
        lost: steps without an end of which it is not known why.
    """

    start: float
    last: float
    clock: float
    mark: int = 0
    open: dict[Key, Open] = field(default_factory=dict)
    is_parallel: bool = False
    is_over: bool = False
    done: set[Key] = field(default_factory=set)
    failed: set[Key] = field(default_factory=set)
    lost: set[Key] = field(default_factory=set)

    @property
    def may_be_parallel(self) -> bool:
        """Whether steps go on, or may go on, side by side."""
        return self.is_parallel or any(step.left is not None for step in self.open.values())

    def take_time(self, time: float) -> float:
        """Return the time of an event at a line's time: later than the last one where the clock was set back."""
        moment = time if time >= self.last else round(self.last + 0.001, 3)
        self.last, self.clock = moment, time
        return moment

    def end_of(self, step: Open) -> float:
        """Return when an open step ended at the latest, as nothing more came of it."""
        return self.last if step.left is None or self.is_parallel else step.left


def read_line(line: str) -> Entry | None:
    """Parse a line; None where it is not of the log, or is damaged."""
    found = _LINE.match(line)
    return Entry(round(float(found[1]), 3), found[2] == "start", (found[3], found[4])) if found is not None else None


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
        self._left_out = ImplausibleLines()

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
            # its end was emitted when nothing seemed to follow
            session.is_over = False
            self._emit_begin(session, max(entry.time, session.last))
        if entry.starts:
            self._start(session, entry)
        else:
            self._end(session, entry)

    def fail(self, key: Key, time: float) -> None:
        """Emit that a step has failed, known before make is gone; one that has no start in the log gets it here."""
        session = self.current
        if session is None:
            return
        if session.is_over:
            session.is_over = False
            self._emit_begin(session, session.last)
        moment = max(time, session.last)
        if session.open.pop(key, None) is None and key not in session.lost:
            started = StepStarted(time=moment, build=self._build, phase=key[0], step=key[1], package=key[1])
            self.out.append((session, started))
        self._fail(session, key, moment)
        session.last = moment

    def leave_out(self, time: float) -> None:
        """Report once that the log has lines of a time that no build can have."""
        self._left_out.add(time)
        if self.current is not None:
            self._emit_left_out(self.current)

    def end(self, *, is_cut: bool = False) -> None:
        """Emit the end of the current run at its last line; a truncated log is no success."""
        session = self.current
        if session is None or session.is_over:
            return
        session.is_over = True
        for key, step in session.open.items():
            self._fail(session, key, session.end_of(step))
        status: Literal["succeeded", "failed", "interrupted"]
        status = "failed" if session.failed else "interrupted" if is_cut else "succeeded"
        self.out.append((session, BuildFinished(time=session.last, build=self._build, status=status)))

    def expected(self, key: Key, mark: int) -> float | None:
        """Return the median of a step's newest durations before `mark`, in seconds; None where there is none."""
        newest = [seconds for when, seconds in self._seconds.get(key, ()) if when <= mark][-KEPT:]
        return round(median(newest), 3) if newest else None

    def _is_another_run(self, session: WorkSession, entry: Entry) -> bool:
        if entry.key in session.open and not entry.starts:
            return False
        passed = entry.time - session.clock
        if abs(passed) <= self._pause:
            return False
        if not session.open or entry.key in session.open or not session.may_be_parallel:
            return True
        # where steps go on side by side, one may take long while nothing else has its turn
        return passed > LONGEST_SECONDS or (passed < 0 and entry.key in session.done)

    def _begin(self, time: float) -> WorkSession:
        start = int(time)
        while start in self._starts:
            # a run is named by its second
            start += 1
        self._starts.add(start)
        session = WorkSession(float(start) if start > time else time, time, time, self._ends)
        self._emit_begin(session, session.start)
        self._emit_left_out(session)
        return session

    def _emit_begin(self, session: WorkSession, time: float) -> None:
        started = BuildStarted(time=time, build=self._build, source="buildroot", target=self._target)
        self.out.append((session, started))

    def _emit_left_out(self, session: WorkSession) -> None:
        for note in self._left_out.notes(self._build, session.last):
            self.out.append((session, note))

    def _start(self, session: WorkSession, entry: Entry) -> None:
        # make was restarted if it repeats a running step, or a finished one while nothing can run in parallel
        is_restart = entry.key in session.done and not session.is_parallel
        for key in list(session.open) if is_restart else [entry.key] if entry.key in session.open else ():
            self._fail(session, key, session.end_of(session.open.pop(key)))
        for each in session.open.values():
            each.left = session.last if each.left is None else each.left
        session.open[entry.key] = Open(entry.time)
        session.lost.discard(entry.key)
        # that make goes on shows that what failed after the steps was seen to
        session.failed = {key for key in session.failed if key != entry.key and key[0] != AFTERWARDS}
        phase, step = entry.key
        time = session.take_time(entry.time)
        self.out.append((session, StepStarted(time=time, build=self._build, phase=phase, step=step, package=step)))

    def _end(self, session: WorkSession, entry: Entry) -> None:
        step = session.open.pop(entry.key, None)
        if step is None:
            return
        session.is_parallel = session.is_parallel or step.left is not None
        session.done.add(entry.key)
        session.failed.discard(entry.key)
        self.done.add(entry.key)
        seconds = entry.time - step.start
        if seconds >= 0:
            self._ends += 1
            self._seconds.setdefault(entry.key, []).append((self._ends, seconds))
        time = session.take_time(entry.time)
        event = StepFinished(
            time=time,
            build=self._build,
            phase=entry.key[0],
            step=entry.key[1],
            status="succeeded",
            # by the log's own clock, which may have been set meanwhile
            seconds=round(max(0.0, seconds), 3) if time != entry.time or seconds < 0 else None,
        )
        self.out.append((session, event))

    def _fail(self, session: WorkSession, key: Key, time: float) -> None:
        phase, step = key
        session.failed.add(key)
        session.lost.add(key)
        self.out.append(
            (
                session,
                StepFinished(time=time, build=self._build, phase=phase, step=step, status="failed", message=NOT_ENDED),
            )
        )
