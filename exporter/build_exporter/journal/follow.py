"""Follow a journal: the newest run of each build as it grows, older ones on request.

`poll` costs one read per build when nothing is new; the inotify watcher only says when to poll.
"""

from __future__ import annotations

import errno
import logging
import math
import os
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

from build_exporter.journal.decode import Decoder, Reason
from build_exporter.journal.inotify import Watcher
from build_exporter.journal.layout import builds, run_path, runs
from build_exporter.journal.lines import Chunk, LineFile
from build_exporter.journal.positions import START, Position
from build_exporter.model.events import Event
from build_exporter.model.names import is_build_name
from build_exporter.model.redaction import redact

log = logging.getLogger(__name__)

_MTIME_GRAIN_NS = 50_000_000
"""A directory changed this recently may change again within the same tick of its time stamp."""

_COARSE_GRAIN_NS = 2_000_000_000
"""The same where time stamps have no fraction of a second: some file systems keep only every other second."""


MOST_HELD = 64
"""Run files that are held open at a time, however many builds there are."""

HELD_SECONDS = 30.0
"""A run that has not grown for so long holds no descriptor."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one run in their order; `from_start` when the run's file is read from its beginning.

    `left_out` counts the lines of progress that newer ones among the events replace.
    """

    build: str
    run: str
    events: list[Event]
    from_start: bool
    left_out: int = 0


@dataclass(slots=True)
class _Directory:
    """A build's directory as last seen."""

    mtime_ns: int = -1
    listed_ns: int = 0
    runs: list[str] = field(default_factory=list)
    newest: str | None = None
    file: LineFile | None = None
    superseded: tuple[str, LineFile] | None = None
    """The run that was the newest until now, whose last lines are still to be read."""
    empty: list[str] = field(default_factory=list)
    """Runs without a line that are newer than `newest`: their writer has written nothing, for want of room perhaps."""
    read: dict[str, int] = field(default_factory=dict)
    """Size in bytes of each older run when it was read."""
    future: dict[str, float] = field(default_factory=dict)
    """Earliest time of the lines of a run that are too far ahead to be taken; the run is read again at that time."""
    counted: dict[str, int] = field(default_factory=dict)
    """Offset in a run's file up to which rejected lines have been counted, where it is read again."""


MAX_EMPTY = 16
"""Most of the newest runs that are searched for one with events."""


class Follower:
    """Reads a journal directory, which may appear later, and returns what is new at each `poll`."""

    def __init__(self, root: str, decoder: Decoder | None = None) -> None:
        self.root = root
        self.decoder = decoder or Decoder()
        self.watcher = Watcher()
        self.errors: dict[str, str] = {}
        self.has_more = False
        self._root = _Directory()
        self._builds: dict[str, _Directory] = {}
        self._held: dict[LineFile, None] = {}
        self._reported = 0

    def poll(self, seconds: float = math.inf) -> Iterator[Batch]:
        """Yield what was appended since the last call, build by build.

        The first batch of a run is `from_start`, even when it has no events yet. After so many seconds only some of
        what each build has is read, and `has_more` says so: who appends faster than anybody reads holds up nobody else.
        """
        self.has_more = False
        until = time.monotonic() + seconds
        self._scan()
        for build, directory in self._builds.items():
            if directory.superseded is not None:
                # before the run that follows it: its end may be among them
                run, file = directory.superseded
                directory.superseded = None
                yield from self._read(build, run, file)
                file.close()
                self.errors.pop(file.path, None)
            if directory.file is not None and directory.newest is not None:
                self._restart_after_future(directory, directory.newest, directory.file)
                yield from self._read(build, directory.newest, directory.file, until)
                self._spare(directory.file)
        self._report_rejects()

    def build_names(self) -> list[str]:
        """Return the builds that have a run now."""
        return [name for name, directory in self._builds.items() if directory.newest is not None]

    def position(self, build: str) -> Position:
        """Return how far a build has been read: its newest run, and the bytes of whole lines read of its file."""
        directory = self._builds.get(build)
        if directory is None or directory.newest is None or directory.file is None:
            return START
        return Position(directory.newest, directory.file.position)

    def older_runs(self, build: str) -> list[str]:
        """Return the runs before the newest that have not been read, or have grown since; newest first."""
        directory = self._builds.get(build)
        if directory is None:
            return []
        older = [run for run in directory.runs if run != directory.newest and run not in directory.empty]
        return [run for run in reversed(older) if self._is_unread(directory, build, run)]

    def _is_unread(self, directory: _Directory, build: str, run: str) -> bool:
        if run in directory.future and self.decoder.horizon >= directory.future[run]:
            return True
        return directory.read.get(run) != _size(run_path(self.root, build, run))

    def newest_age(self, build: str) -> float:
        """Return the seconds since a build's newest run was last written to; 0 where that can't be found out."""
        directory = self._builds.get(build)
        try:
            return time.time() - os.stat(run_path(self.root, build, (directory and directory.newest) or "")).st_mtime
        except OSError:
            return 0.0

    def run_bytes(self, build: str, run: str) -> int:
        """Return the size of a run's file, 0 where there is none."""
        return _size(run_path(self.root, build, run))

    def read_older(self, build: str, run: str) -> Generator[list[Event]]:
        """Yield an older run's events, some at a time, and remember that it was read."""
        size = _size(run_path(self.root, build, run))
        file = LineFile(run_path(self.root, build, run))
        directory = self._builds.get(build)
        if directory is not None:
            directory.future.pop(run, None)
        try:
            for batch in self._read(build, run, file):
                yield batch.events
        finally:
            file.close()
            # logged once; an error that has passed does not make the journal unreadable
            self.errors.pop(file.path, None)
            if directory is not None:
                directory.read[run] = size
                directory.counted[run] = file.position

    def forget_older(self, build: str, run: str) -> None:
        """Take an older run for one that has not been read."""
        directory = self._builds.get(build)
        if directory is not None:
            directory.read[run] = -1

    def close(self) -> None:
        """Close what is open."""
        self.watcher.close()
        for directory in self._builds.values():
            if directory.file is not None:
                directory.file.close()

    def _spare(self, file: LineFile) -> None:
        """Hold few files open: of those that grew last, and none that has been quiet for a while."""
        self._held.pop(file, None)
        if not file.is_open:
            return
        if file.quiet_seconds() > HELD_SECONDS:
            file.rest()
            return
        self._held[file] = None
        if len(self._held) > MOST_HELD:
            oldest = next(iter(self._held))
            del self._held[oldest]
            oldest.rest()

    def _restart_after_future(self, directory: _Directory, run: str, file: LineFile) -> None:
        """Read a run from its beginning once the clock has come near lines that were too far ahead of it."""
        if run in directory.future and self.decoder.horizon >= directory.future[run]:
            del directory.future[run]
            directory.counted[run] = file.position
            file.close()

    def _read(self, build: str, run: str, file: LineFile, until: float = math.inf) -> Iterator[Batch]:
        while True:
            try:
                chunk = file.read()
            except OSError as error:
                self._report(file.path, error)
                return
            if chunk is None:
                self.errors.pop(file.path, None)
                return
            events = self._decode(build, run, chunk, file.position)
            yield Batch(build, run, events, chunk.from_start, self.decoder.left_out)
            if time.monotonic() > until:
                self.has_more = True
                return

    def _decode(self, build: str, run: str, chunk: Chunk, end: int) -> list[Event]:
        """Return the events of a chunk that ends at a position of the run's file; count what is rejected once."""
        directory = self._builds.get(build, _Directory())
        cut = max(0, directory.counted.get(run, 0) - (end - len(chunk.data)))
        self.decoder.earliest_future, self.decoder.left_out = None, 0
        self.decoder.counting = False
        events = self.decoder.decode(chunk.data[:cut], build) if cut else []
        self.decoder.counting = True
        if chunk.too_long and not cut:
            self.decoder.reject(Reason.TOO_LONG, count=chunk.too_long)
        events += self.decoder.decode(chunk.data[cut:], build) if len(chunk.data) > cut else []
        if self.decoder.earliest_future is not None:
            directory.future[run] = min(self.decoder.earliest_future, directory.future.get(run, math.inf))
        return events

    def _scan(self) -> None:
        self._watch(self.root)
        if self._is_changed(self._root, self.root):
            self._check_readable(self.root)
            names = {name for name in builds(self.root) if is_build_name(name)}
            for name in self._builds.keys() - names:
                self._release(self._builds.pop(name))
                self.errors.pop(f"{self.root}/{name}", None)
            for name in sorted(names - self._builds.keys()):
                self._builds[name] = _Directory()
        for name, directory in self._builds.items():
            path = f"{self.root}/{name}"
            self._watch(path)
            grown = any(_size(run_path(self.root, name, run)) for run in directory.empty)
            if self._is_changed(directory, path) or grown:
                self._check_readable(path)
                self._list(name, directory)

    def _watch(self, path: str) -> None:
        # before reading, so that later changes are reported
        if not self.watcher.is_watched(path):
            self.watcher.add(path)

    def _list(self, build: str, directory: _Directory) -> None:
        directory.runs = runs(self.root, build)
        latest = directory.runs[: -MAX_EMPTY - 1 : -1]
        written = (run for run in latest if _size(run_path(self.root, build, run)))
        newest = next(written, latest[0] if latest else None)
        directory.empty = [run for run in directory.runs if newest is not None and run > newest]
        if newest != directory.newest:
            self._supersede(directory)
            directory.newest = newest
            directory.file = LineFile(run_path(self.root, build, newest)) if newest else None
        elif directory.file is not None:
            directory.file.check_replaced()

    def _supersede(self, directory: _Directory) -> None:
        if directory.superseded is not None:
            directory.superseded[1].close()
        is_there = directory.newest in directory.runs
        directory.superseded = (
            (directory.newest, directory.file) if directory.newest and directory.file and is_there else None
        )
        if directory.superseded is None:
            self._release(directory)

    def _release(self, directory: _Directory) -> None:
        if directory.file is not None:
            directory.file.close()
            self.errors.pop(directory.file.path, None)

    def _is_changed(self, directory: _Directory, path: str) -> bool:
        try:
            mtime_ns = os.stat(path).st_mtime_ns
        except FileNotFoundError:
            self.errors.pop(path, None)
            mtime_ns = -2
        except OSError as error:
            self._report(path, error)
            mtime_ns = -2
        grain = _MTIME_GRAIN_NS if mtime_ns % 1_000_000_000 else _COARSE_GRAIN_NS
        settled = directory.listed_ns - mtime_ns > grain
        # permissions put right change no time stamp
        if mtime_ns == directory.mtime_ns and settled and path not in self.errors:
            return False
        directory.mtime_ns = mtime_ns
        directory.listed_ns = time.time_ns()
        return True

    def _check_readable(self, path: str) -> None:
        if os.access(path, os.R_OK | os.X_OK, effective_ids=True):
            self.errors.pop(path, None)
        elif os.path.exists(path):
            code = errno.EACCES if os.path.isdir(path) else errno.ENOTDIR
            self._report(path, OSError(code, os.strerror(code)))

    def _report(self, path: str, error: OSError) -> None:
        message = error.strerror or str(error)
        if self.errors.get(path) != message:
            self.errors[path] = message
            log.warning("cannot read the journal", extra={"path": path, "error": message})

    def _report_rejects(self) -> None:
        total = self.decoder.rejected.total()
        # log the first, then each tenfold: a flood of bad lines must not flood the log
        if total > self._reported and total >= self._reported * 10 and self.decoder.last_reject is not None:
            reason, line = self.decoder.last_reject
            text = redact(line.decode("utf-8", "backslashreplace"))
            log.warning("journal lines rejected", extra={"reason": str(reason), "line": text, "total": total})
            self._reported = total


def journal_bytes(root: str) -> int:
    """Return the size in bytes of all run files in a journal."""
    return sum(_size(run_path(root, build, run)) for build in builds(root) for run in runs(root, build))


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
