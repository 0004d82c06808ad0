"""Read a build from BitBake's console log alone: it holds no times, so tasks are timed as it is watched."""

from __future__ import annotations

import calendar
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from build_exporter.model import events as e
from build_exporter.sources.birthtime import birth_time
from build_exporter.sources.bitbake.console import Console
from build_exporter.sources.bitbake.run import SETSCENE_PHASE, split_recipe, unbegun
from build_exporter.sources.bitbake.stats import SETSCENE, Key
from build_exporter.sources.distinct_times import DistinctTimes
from build_exporter.sources.files import TailFile, milliseconds
from build_exporter.sources.idle import IdleTimer
from build_exporter.sources.protocol import SourceError, SourceEvent

IDLE_SECONDS: Final = 86400.0
"""A log that nothing was added to for longer is nobody's any more."""

_STAMP: Final = re.compile(r"\d{14}\.log\Z")
_SETSCENE_KEY: Final[Key] = (SETSCENE_PHASE, SETSCENE_PHASE)


class ConsoleRun:
    """One console log, followed; every event is known by its count.

    Attributes:
        path: the log.
    """

    def __init__(self, path: Path, build: str) -> None:
        self.path = path
        self._build = build
        self._tail = TailFile(path)
        self._idle = IdleTimer()
        self._forget()

    def _forget(self) -> None:
        self._console = Console(keeps_signs=True)
        self._start: float | None = None
        self._written = 0.0
        self._times = DistinctTimes()
        self._starts: Counter[Key] = Counter()
        self._ends: Counter[Key] = Counter()
        self._running: dict[Key, None] = {}
        self._cut: set[Key] = set()
        self._waiting: dict[Key, None] = {}
        self._plan: list[e.PlannedStep] | None = None
        self._is_over = False
        self._over_count = 0

    def poll(self, now: float, *, over: bool) -> Iterator[SourceEvent]:
        """Yield what is new; see `Source`.

        Raises:
            SourceError: the log can't be read.
        """
        more = True
        while more:
            try:
                found = self._tail.read(over=over)
                written = milliseconds(self.path.stat().st_mtime_ns)
            except OSError as error:
                raise SourceError(f"{self.path}: {error.strerror or error}") from error
            more = found.more
            if found.from_start:
                if self._start is not None:
                    yield from self._end()
                self._forget()
            self._written = written
            for line in found.lines:
                self._console.feed(line)
            yield from self._emit()
        for key in self._waiting:
            yield self._started(key)
        self._waiting.clear()
        if self._start is not None:
            yield from self._emit_totals(self._start)
        if self._idle.seconds(now, self._written) > IDLE_SECONDS or over:
            yield from self._end()

    def _emit(self) -> Iterator[SourceEvent]:
        signs, self._console.signs = self._console.signs, []
        if (signs or self._console.total or self._console.summary) and self._start is None:
            self._start = _start_of(self.path, self._written)
            started = e.BuildStarted(time=self._start, build=self._build, source="bitbake")
            yield SourceEvent(self._start, started, 1)
        for sign, key, words in signs:
            if sign == "summary":
                yield from self._end(words)
                continue
            # one who appends the output of several builds to one file has one run of them
            self._is_over = False
            if sign == "setscene completed":
                yield from self._finish(_SETSCENE_KEY, "succeeded")
            elif key[0].endswith(SETSCENE):
                if _SETSCENE_KEY not in self._running:
                    self._begin(_SETSCENE_KEY)
            elif sign == "Started":
                self._begin(key)
            else:
                yield from self._finish(key, "succeeded" if sign == "Succeeded" else "failed", words)

    def _begin(self, key: Key) -> None:
        # emitted at the end of this poll, unless it is over by then and its time not known
        self._running[key] = self._waiting[key] = None

    def _started(self, key: Key) -> SourceEvent:
        self._starts[key] += 1
        phase, step = key
        package, version = (None, None) if key == _SETSCENE_KEY else split_recipe(step)
        event = e.StepStarted(
            time=self._written, build=self._build, phase=phase, step=step, package=package, version=version
        )
        event.time = self._times.of(event)
        return SourceEvent(self._start or self._written, event, self._starts[key])

    def _finish(
        self, key: Key, status: Literal["succeeded", "failed", "interrupted"], message: str = ""
    ) -> Iterator[SourceEvent]:
        if key not in self._running and key not in self._cut:
            return
        self._running.pop(key, None)
        self._cut.discard(key)
        if key in self._waiting:
            del self._waiting[key]
            self._starts[key] += 1
        self._ends[key] += 1
        event = e.StepFinished(
            time=self._written, build=self._build, phase=key[0], step=key[1], status=status, message=message or None
        )
        event.time = self._times.of(event)
        yield SourceEvent(self._start or self._written, event, self._ends[key])

    def _emit_totals(self, start: float) -> Iterator[SourceEvent]:
        console = self._console
        if _SETSCENE_KEY in self._running and console.setscene_total:
            progress = e.StepProgress(
                time=self._written,
                build=self._build,
                phase=SETSCENE_PHASE,
                step=SETSCENE_PHASE,
                done=min(console.setscene_index, console.setscene_total),
                total=console.setscene_total,
            )
            yield SourceEvent(start, progress)
        if console.total and (plan := unbegun(console)) != self._plan:
            self._plan = plan
            yield SourceEvent(start, e.Plan(time=self._written, build=self._build, steps=plan))

    def _end(self, status: str = "") -> Iterator[SourceEvent]:
        """End the build as its own last words, or all that was read so far, say."""
        if self._start is None or self._is_over:
            return
        self._is_over = True
        self._over_count += 1
        console = self._console
        cut = list(self._running)
        for key in cut:
            yield from self._finish(key, "interrupted")
        # it may only have been silent
        self._cut.update(cut)
        if console.disk:
            words = f"BitBake's disk monitor let no more tasks begin: {console.disk}"
            yield SourceEvent(
                self._start, e.Note(time=self._written, build=self._build, message=words, level="warning")
            )
        finished = e.BuildFinished(time=self._written, build=self._build, status=status or console.outcome)  # type: ignore[arg-type]
        finished.time = self._times.of(finished)
        yield SourceEvent(self._start, finished, self._over_count)


def _start_of(path: Path, written: float) -> float:
    """Return when a log's build began: from its name, else from its file's creation."""
    if _STAMP.match(name := path.resolve().name):
        try:
            return float(calendar.timegm(time.strptime(name[:14], "%Y%m%d%H%M%S")))
        except (ValueError, OverflowError):
            pass
    born = birth_time(path)
    return written if born is None else min(born, written)
