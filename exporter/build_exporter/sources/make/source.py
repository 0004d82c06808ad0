"""Make and relatives: the captured console of a manual build, followed live or imported."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from build_exporter.diagnostics.terminal import shown
from build_exporter.model.names import build_name_from, run_name, run_start
from build_exporter.sources.birthtime import birth_time
from build_exporter.sources.files import Limits, TailFile, milliseconds, read_ends
from build_exporter.sources.make import patterns
from build_exporter.sources.make.console import Console
from build_exporter.sources.make.emitter import KIND, Emitter
from build_exporter.sources.make.history import Earlier, earlier_steps, is_of, newest
from build_exporter.sources.make.marks import marked
from build_exporter.sources.make.open_files import FileWriters
from build_exporter.sources.make.parts import Status
from build_exporter.sources.make.text import ScriptMark, script_mark, stamped
from build_exporter.sources.protocol import Settings, SourceError, SourceEvent, WithJournal
from build_exporter.sources.registry import recognise

LIMITS: Final = Limits(line=4 * 1024 * 1024)
"""A progress that is written over in place is one line, however long the build takes."""

CERTAIN_SECONDS: Final = 10.0
"""Lines that came within so long are timed; of others it is known only that they came."""

SAMPLE_BYTES: Final = 64 * 1024
MIN_MATCHES: Final = 3
"""Lines of a log's beginning that must be those of a build for `auto` to take it for one."""

MAX_HELD: Final = 10_000
"""Lines kept that came before the first of a build."""

COMMON_NAMES: Final = frozenset({"build", "make", "nohup", "typescript", "log", "out", "console", "output"})


class Make(WithJournal):
    """Follows one captured console; see `docs/sources/make.md`.

    Attributes:
        tail: the log's reader.
    """

    kind = KIND

    def __init__(self, settings: Settings) -> None:
        self._path = settings.path
        self.build = settings.build or _build_name(settings.path.absolute())
        self.tail = TailFile(settings.path, LIMITS)
        self._writers = FileWriters(settings.path)
        self._polled = 0.0
        self._written = 0.0
        self._last_run = ""
        self._was_absent = False
        self._ended: list[SourceEvent] = []
        self._forget()

    def _forget(self) -> None:
        self._emitter: Emitter | None = None
        self._console: Console | None = None
        self._held: deque[tuple[str, float]] = deque(maxlen=MAX_HELD)
        self._weight = 0
        self._given_start: float | None = None
        self._lower: float | None = None

    @staticmethod
    def recognises(path: Path) -> bool:
        """Return whether a path is a file whose beginning holds lines that only builds print."""
        try:
            head = read_ends(path, SAMPLE_BYTES, 0).head
        except OSError:
            return False
        texts = [stamped(piece, 0.0).text for raw in head.splitlines() for piece in shown(raw)]
        if texts and patterns.is_log_of_portage(texts[0]):
            return False
        return sum(patterns.weight_of(text) > 0 for text in texts) >= MIN_MATCHES

    def poll(self, now: float, *, over: bool = False) -> Iterator[SourceEvent]:
        """Return what is new; see `Source`.

        Raises:
            SourceError: the log can't be read.
        """
        before = begin = self.tail.position
        is_watched, more = self._emitter is not None, True
        while more:
            try:
                read = self.tail.read(over=over)
                found = self._path.stat()
            except OSError as error:
                self._was_absent, self._polled = isinstance(error, FileNotFoundError), now
                raise SourceError(f"{self._path}: {error.strerror or error}") from error
            more = read.more
            if read.from_start:
                begin = 0
                yield from self._restart()
            if read.lines:
                self._note_times(milliseconds(found.st_mtime_ns), is_watched=is_watched)
                is_watched = False
                self._take(read.lines, begin, found.st_size)
                yield from self._taken()
        self._polled, self._was_absent = now, self._was_absent or not self.tail.position
        yield from self._settle(now, over=over, came=self.tail.position != before)

    def _restart(self) -> Iterator[SourceEvent]:
        """End the current run, as its log is another now."""
        if self._emitter is not None:
            self._end(None)
            yield from self._taken()
            self._forget()
            self._writers.forget()
            self._was_absent = True

    def _note_times(self, written: float, *, is_watched: bool) -> None:
        """Learn between which two moments the lines came that are taken next; where they were watched, the earlier."""
        if is_watched:
            # all that was there at the last poll was read then, unless the clocks differ
            self._lower = self._polled if self._written <= self._polled <= written else min(self._written, written)
        self._written = written

    def _take(self, lines: list[str], begin: int, size: int) -> None:
        position = max(begin, self.tail.position - sum(map(len, lines)) - len(lines))
        special = marked(lines)
        for number, raw in enumerate(lines):
            position += len(raw) + 1
            share = min(1.0, (position - begin) / max(1, size - begin))
            for piece in shown(raw):
                self._line(piece, share, is_dull=number not in special)

    def _line(self, piece: str, share: float, *, is_dull: bool = False) -> None:
        mark = script_mark(piece) if not is_dull else None
        if mark is not None:
            self._take_mark(mark)
            return
        text, date = stamped(piece, self._written)
        if self._weight < patterns.CERTAIN:
            self._held.append((piece, share))
            self._weight += patterns.weight_of(text)
            if self._weight >= patterns.CERTAIN:
                self._refuse_other_kinds()
                held = list(self._held)
                self._held.clear()
                for each in held:
                    self._line(*each)
            return
        if self._emitter is None or self._console is None:
            self._emitter = self._begin_run(date)
            self._console = Console(self._emitter)
        emitter = self._emitter
        if emitter.is_dated:
            emitter.moment = max(emitter.moment, date or 0.0)
        else:
            lower = emitter.start if self._lower is None else self._lower
            # a log that was there before anybody watched may be a copy, made in no time
            is_watched = self._lower is not None or self._was_absent
            emitter.is_timed = is_watched and self._written - lower <= CERTAIN_SECONDS
            reached = lower + (self._written - lower) * share if emitter.is_timed else self._written
            emitter.moment = max(emitter.moment, reached)
        if emitter.is_over:
            emitter.resume()
        # what stood before a line hid how it begins
        self._console.feed(text, piece, is_dull=is_dull and len(text) == len(piece))

    def _refuse_other_kinds(self) -> None:
        """Refuse a record of a tool that another kind knows; what a failed command wrote may be shown in it."""
        found = recognise(self._path)
        if found is not None and not getattr(found, "is_common", False):
            self._weight = 0
            raise SourceError(f"{self._path}: no build of kind {KIND}: it looks like a record of kind {found.name}")

    def _take_mark(self, mark: ScriptMark) -> None:
        """Take script(1)'s own line of beginning or end."""
        if mark.begins:
            if self._emitter is not None:
                self._end(None)
                self._ended = self._emitter.emitted
                self._forget()
            self._given_start = mark.time
        elif self._emitter is not None:
            if mark.time is not None and not self._emitter.is_dated:
                self._emitter.moment = max(self._emitter.moment, min(mark.time, self._written))
            self._end(mark.exit_code)

    def _begin_run(self, date: float | None) -> Emitter:
        start = date if date is not None else self._given_start
        # looked for now, too, so that its going is noticed at once
        since = self._writers.since()
        if start is None:
            start = self._start_of_undated(since)
        self._last_run = run_name(start)
        earlier = earlier_steps(self._journal, self.build, start) if self._journal is not None else Earlier([], {})
        return Emitter(self.build, start, is_dated=date is not None, earlier=earlier)

    def _start_of_undated(self, since: float | None) -> float:
        """Return when the run began: as the journal knows, else when the log was made, or its writer was started."""
        written = self._written
        born = birth_time(self._path)
        born = written if born is None else min(born, written)
        prior = newest(self._journal, self.build) if self._journal is not None else None
        if prior is not None and prior.run != self._last_run and prior.start is not None and is_of(prior, written):
            return prior.start
        start = born if since is None else max(born, min(since, written))
        if prior is not None and start <= max(prior.last_event or 0.0, run_start(prior.run) + 1.0):
            # written over: when it was made says nothing of what it holds now; and no two runs are of one second
            start = max(self._polled if self._was_absent else written, run_start(prior.run) + 1.0)
        return start

    def _taken(self) -> Iterator[SourceEvent]:
        if self._ended:
            yield from self._ended
            self._ended = []
        if self._emitter is not None:
            emitted, self._emitter.emitted = self._emitter.emitted, []
            yield from emitted

    def _settle(self, now: float, *, over: bool, came: bool) -> Iterator[SourceEvent]:
        if self._emitter is None or self._console is None:
            return
        if came and self.tail.torn:
            for piece in shown(self.tail.torn.rpartition("\r")[2])[-1:]:
                self._console.peek(stamped(piece, self._written).text)
        if not came:
            self._console.flush()
        self._emitter.settle(self._console.parts.values(), over=over)
        if not self._emitter.is_over and (over or self._writers.are_gone(now, self._written)):
            self._end(None)
        yield from self._taken()

    def _end(self, exit_code: int | None) -> None:
        if self._emitter is None or self._console is None:
            return
        if exit_code != 0:
            self._console.conclude()
        self._console.settle()
        status: Status = self._console.status()
        if exit_code is not None and status != "interrupted":
            status = "succeeded" if exit_code == 0 else "failed"
        self._emitter.finish(self._console.parts.values(), status)


def _build_name(log: Path) -> str:
    """Return `make-` and the log's name, or that of its directory where the log is called as everybody's is."""
    name = log.parent.name if log.stem.lower() in COMMON_NAMES and log.parent.name else log.stem
    return build_name_from(f"make-{name}")
