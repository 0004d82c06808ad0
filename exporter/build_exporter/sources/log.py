"""Read any log by patterns for lines that start, complete or fail a step.

    STARTED binutils            2026-11-21 06:12:56 STARTED chapter-5/binutils-pass1
    COMPLETED binutils          [06:14:02] COMPLETED chapter-5/binutils-pass1
    FAILED gcc

These are read without a word of configuration; others by patterns with the groups `step` and, where they have them,
`phase`, `package` and `version`. A line that begins with a date is of that date. One without is of the time at which
the log had last been written to when the line was read: steps of a log without dates are timed as it is watched, and
one that was over before is known without its time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from build_exporter.config.schema import LogPatterns
from build_exporter.diagnostics.diagnosis import first_error
from build_exporter.model.events import BuildFinished, BuildStarted, StepFinished, StepStarted
from build_exporter.model.names import MAX_NAME_LENGTH, build_name_from
from build_exporter.sources.birthtime import birth_time
from build_exporter.sources.dates import leading_date
from build_exporter.sources.distinct_times import DistinctTimes
from build_exporter.sources.files import TailFile, milliseconds
from build_exporter.sources.idle import IdleTimer
from build_exporter.sources.protocol import Settings, SourceError, SourceEvent

_BEFORE: Final = r"^(?:(?:(?=\S*[^A-Za-z\s])\S+|[A-Z]+)\s+)*?(?:\S*[\]:])??"
"""Text allowed before the word: dates, levels, names of loggers, but no words of a sentence."""

_WORD: Final = _BEFORE + r"(?:\[\s*)?(?:{words})\b(?:\s*\])?[:\s]\s*(?:step\s+)?(?P<step>\S.*?)\s*$"
DEFAULT_PATTERNS: Final = {
    "started": _WORD.format(words="STARTED|STARTING|START|BEGIN"),
    "completed": _WORD.format(words="COMPLETED|COMPLETE|SUCCEEDED|FINISHED|DONE"),
    "failed": _WORD.format(words="FAILED|FAILURE"),
}
"""Default patterns: the word in capitals, then the step's name to the end of the line."""

DEFAULT_PHASE: Final = "build"

MAX_LINE: Final = 2000
"""Characters of a line that patterns are tried on: what is longer is output, not a sign."""

KEPT_LINES: Final = 200
"""Lines before a failure that are searched for its reason."""

IDLE_SECONDS: Final = 86400.0
"""A log that nothing was added to for longer is nobody's any more."""

_SAMPLE_LINES: Final = 2000

Key = tuple[str, str]
Status = Literal["succeeded", "failed"]


class _Moment(NamedTuple):
    """The time of a line in Unix seconds, and whether the line has it."""

    time: float
    dated: bool


class Log:
    """Follows one log file."""

    kind = "log"
    Options = LogPatterns

    def __init__(self, settings: Settings) -> None:
        self.build = settings.build or build_name_from(settings.path.stem)
        self._path = settings.path
        self._file = TailFile(settings.path, hold=True)
        self._idle = IdleTimer()
        self._readers = self._make_readers(settings.options)
        self._is_configured = any(settings.options.values())
        self._recent: list[str] = []
        self._forget()

    def _forget(self) -> None:
        self._run_start: float | None = None
        self._written = 0.0
        self._running: dict[Key, None] = {}
        self._waiting: dict[Key, StepStarted] = {}
        self._starts: Counter[Key] = Counter()
        self._ends: Counter[Key] = Counter()
        self._times = DistinctTimes()
        self._failed: set[Key] = set()
        self._is_over = False
        self._times_over = 0

    @staticmethod
    def recognises(path: Path) -> bool:
        """Return whether a path is a file with a line near its beginning that the ready patterns know."""
        try:
            lines = TailFile(path).read().lines[:_SAMPLE_LINES]
        except OSError:
            return False
        started = re.compile(DEFAULT_PATTERNS["started"])
        return any(started.match(line[:MAX_LINE]) for line in lines)

    def poll(self, now: float, *, over: bool = False) -> Iterable[SourceEvent]:
        """Return the events of the log's new lines; see `protocol.Source`."""
        more = True
        while more:
            try:
                read = self._file.read()
                written = milliseconds(self._path.stat().st_mtime_ns)
            except OSError as error:
                raise SourceError(f"{self._path}: {error.strerror or error}") from error
            more = read.more
            if read.from_start:
                # what the log held before belonged to another run
                yield from self._end_run()
                self._forget()
            self._written = written
            for line in read.lines:
                yield from self._line(line)
        for event in self._waiting.values():
            yield from self._emit(event, self._starts, dated=False)
        self._waiting.clear()
        if self._idle.seconds(now, self._written) > IDLE_SECONDS or over:
            yield from self._end_run()

    def close(self) -> None:
        """Close the log, which is held open between polls."""
        self._file.close()

    def _make_readers(
        self, options: Mapping[str, Any]
    ) -> list[tuple[re.Pattern[str], Callable[..., Iterator[SourceEvent]]]]:
        readers = {"started": self._start, "failed": self._fail, "completed": self._complete}
        patterns = {name: options.get(name) or DEFAULT_PATTERNS[name] for name in readers}
        return [(re.compile(patterns[name]), reader) for name, reader in readers.items()]

    def _line(self, raw: str) -> Iterator[SourceEvent]:
        line = raw[:MAX_LINE]
        for pattern, reader in self._readers:
            found = pattern.search(line)
            if found is not None:
                date = leading_date(line)
                yield from reader(found, _Moment(self._written if date is None else date, date is not None))
                break
        self._recent.append(line)
        del self._recent[:-KEPT_LINES]

    def _start(self, found: re.Match[str], moment: _Moment) -> Iterator[SourceEvent]:
        key = _key(found)
        if key is None:
            return
        groups = found.groupdict()
        event = StepStarted(
            time=moment.time,
            build=self.build,
            phase=key[0],
            step=key[1],
            package=_short(groups.get("package")),
            version=_short(groups.get("version")),
            log=str(self._path),
        )
        self._failed.discard(key)
        self._running.pop(key, None)
        self._running[key] = None
        if moment.dated:
            yield from self._emit(event, self._starts, dated=True)
        else:
            # emitted at the end of this poll, unless it is over by then and its time not known
            self._waiting[key] = event

    def _complete(self, found: re.Match[str], moment: _Moment) -> Iterator[SourceEvent]:
        yield from self._finish(found, moment, "succeeded", None)

    def _fail(self, found: re.Match[str], moment: _Moment) -> Iterator[SourceEvent]:
        yield from self._finish(found, moment, "failed", first_error(self._recent) or found[0].strip())

    def _finish(
        self, found: re.Match[str], moment: _Moment, status: Status, message: str | None
    ) -> Iterator[SourceEvent]:
        # without a name it is the step begun last
        key = _key(found) or next(reversed(self._running), None)
        if key is None or not (self._starts or self._waiting or self._is_configured):
            # a page may have a line that begins with such a word; a build's log has one of its start before
            return
        self._running.pop(key, None)
        (self._failed.add if status == "failed" else self._failed.discard)(key)
        if self._waiting.pop(key, None) is not None:
            self._starts[key] += 1
        event = StepFinished(
            time=moment.time, build=self.build, phase=key[0], step=key[1], status=status, message=_short(message, 300)
        )
        yield from self._emit(event, self._ends, dated=moment.dated)

    def _emit(self, event: StepStarted | StepFinished, counts: Counter[Key], *, dated: bool) -> Iterator[SourceEvent]:
        if self._run_start is None:
            born = birth_time(self._path)
            self._run_start = event.time if dated or born is None else born
            yield SourceEvent(self._run_start, BuildStarted(time=self._run_start, build=self.build, source=self.kind))
        self._is_over = False
        key = (event.phase, event.step)
        counts[key] += 1
        if not dated:
            # attempts that were over before the log was read all seem to be of the moment of its last change
            event.time = self._times.of(event)
        yield SourceEvent(self._run_start, event, 0 if dated else counts[key])

    def _end_run(self) -> Iterator[SourceEvent]:
        start = self._run_start
        if start is None or self._is_over:
            return
        when = self._last_moment(start)
        status: Literal["succeeded", "failed", "interrupted"] = "failed" if self._failed else "succeeded"
        if self._running:
            status = "interrupted"
        for phase, step in self._running:
            gone = StepFinished(time=when, build=self.build, phase=phase, step=step, status="interrupted")
            yield SourceEvent(start, gone)
        self._running.clear()
        self._is_over = True
        self._times_over += 1
        yield SourceEvent(start, BuildFinished(time=when, build=self.build, status=status), self._times_over)

    def _last_moment(self, start: float) -> float:
        """Return when the log was last written to: by the date in its last line, else by the file's own time.

        A copy is as old as the copying.
        """
        last = next((line for line in reversed(self._recent) if line.strip()), "")
        date = leading_date(last)
        return self._written if date is None else max(date, start)


def _key(found: re.Match[str]) -> Key | None:
    groups = found.groupdict()
    name = _short(groups.get("step"))
    if name is None:
        return None
    phase = _short(groups.get("phase"))
    if phase is None:
        before, slash, after = name.partition("/")
        phase, name = (before, after) if slash and before and after else (DEFAULT_PHASE, name)
    return (phase, name)


def _short(text: str | None, length: int = MAX_NAME_LENGTH) -> str | None:
    return text.strip()[:length].strip() or None if text else None
