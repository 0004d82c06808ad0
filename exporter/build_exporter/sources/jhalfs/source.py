"""jhalfs: an automated LFS build, read from its directory, live or finished."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final

from build_exporter.config.section import Section, about
from build_exporter.model import events as e
from build_exporter.plan.jhalfs_makefile import is_makefile, read
from build_exporter.sources.jhalfs.names import jobs_of, name_after, target_of, tests_of
from build_exporter.sources.jhalfs.reconcile import Reconciled, Reconciler
from build_exporter.sources.jhalfs.tarballs import Tarballs
from build_exporter.sources.jhalfs.tree import JhalfsTree, locate, read_settings
from build_exporter.sources.jhalfs.weights import Weights
from build_exporter.sources.make_process import Closed, MakeWatch, last_activity
from build_exporter.sources.protocol import BuildContext, Settings, SourceError, SourceEvent
from build_exporter.sources.sequence import Emitter
from build_exporter.tracker.state import WAITING

PROMPT_SECONDS: Final = 10.0
"""Interval of checks for a password prompt, and the idle time between two steps before the first."""


class Options(Section, frozen=True):
    """Options of the source."""

    book: Annotated[str | None, about("XML of the LFS book, for SBU; by default that in the tree.", "path")] = None
    tarballs: Annotated[
        str | None, about("The directory of the packages; by default `sources` next to the tree.", "path")
    ] = None


class Jhalfs:
    """Reads the directory of jhalfs (`BUILDDIR/jhalfs`), or the one it is in.

    Options beside those of `Options`: `proc`, where the process table of the builds' machine is.

    Attributes:
        build: the build's name as given, else after the book (`name_after`), once its Makefile has been read.
    """

    kind = "jhalfs"
    Options = Options

    def __init__(self, settings: Settings) -> None:
        self.build = settings.build or "lfs"
        self._is_named = settings.build is not None
        self._path = settings.path
        book = settings.options.get("book")
        self._weights = Weights(Path(book) if book else None)
        tarballs = settings.options.get("tarballs")
        self._tarballs = Tarballs(Path(tarballs) if tarballs else None, Path(book) if book else None)
        self._proc = Path(settings.options.get("proc") or "/proc")
        self._emitter = Emitter()
        self._record: _Record | None = None
        with contextlib.suppress(OSError, ValueError):
            # known at once where the tree is there already
            path = locate(self._path)
            self._name(read(path / "Makefile").book, read_settings(path / "jhalfs.config"))

    @staticmethod
    def recognises(path: Path) -> bool:
        """Return whether a path is a Makefile of jhalfs, or a directory that has one or has it in `jhalfs`."""
        return is_makefile(path) or is_makefile(path / "Makefile") or is_makefile(path / "jhalfs" / "Makefile")

    def _name(self, book: str, settings: Mapping[str, str]) -> None:
        """Name the build; after its first event the name is fixed."""
        if not self._is_named:
            self.build = name_after(book, settings)

    @property
    def bytes_read(self) -> int:
        """Bytes of logs read so far."""
        return self._record.tree.bytes_read if self._record is not None else 0

    def build_context(self) -> BuildContext:
        """Return where the system is built: around the directory of jhalfs, and by which make."""
        record = self._record
        if record is None or record.tree.path.name != "jhalfs":
            return BuildContext()
        pid = record.watch.pid
        return BuildContext(new_system=record.tree.path.parent, pids=(pid,) if pid is not None else ())

    def step_logs(self, step: str) -> list[Path]:
        """Return the paths of a step's log and of its test log, those that there are."""
        return self._record.tree.step_logs(step) if self._record is not None else []

    def poll(self, now: float, *, over: bool = False) -> Iterator[SourceEvent]:
        """Yield the tree's new events.

        Raises:
            SourceError: there is no tree, or some of it can't be read; the rest has been emitted.
        """
        record = self._record
        if record is None or not record.tree.makefile.steps:
            record = self._record = _Record(locate(self._path), self._proc)
        reading = record.reading
        active = reading is not None and reading.run_start is not None and not reading.complete
        if active and not over:
            record.watch.poll(now)
        changed = record.tree.poll(now, over=over)
        self._name(record.tree.makefile.book, record.tree.settings)
        if not record.tree.is_settled:
            return
        closed = Closed.OVER if over else record.closed(now, changed=changed)
        if changed or closed is not record.was_closed or record.reading is None:
            yield from self._emit(record, closed)
        if closed is None and active:
            yield from self._waiting(record, now)
        if over and (record.reading is None or record.reading.run_start is None):
            raise SourceError(f"{record.tree.path}: no step of the Makefile has been begun")
        if record.tree.unreadable:
            why = next(iter(record.tree.unreadable.values()))
            raise SourceError(f"{len(record.tree.unreadable)} logs can't be read, among them {why}")

    def _emit(self, record: _Record, closed: Closed | None) -> Iterator[SourceEvent]:
        reading = record.read(closed)
        if reading.run_start is None:
            return
        self._is_named = True
        makefile, settings = record.tree.makefile, record.tree.settings
        yield from self._emitter.begin(
            e.BuildStarted(
                time=reading.run_start,
                build=self.build,
                source=self.kind,
                target=target_of(settings),
                book=makefile.book or settings.get("COMMIT") or None,
                jobs=jobs_of(settings) or makefile.jobs,
                tests=tests_of(settings),
            )
        )
        weights = self._weights.of(record.tree.path, makefile.steps)
        files = self._tarballs.of(record.tree.path, makefile)
        tarballs = str(self._tarballs.directory) if files else None
        yield from self._emitter.plan(makefile.plan(weights, files), makefile.milestones(), tarballs)
        yield from self._emitter.emit(reading.attempts)
        last = max((attempt.end for attempt in reading.attempts), default=reading.run_start)
        if reading.complete:
            yield from self._emitter.finish("succeeded", last)
        elif closed is not None:
            ending = reading.current.ending if reading.current is not None else None
            yield from self._emitter.finish("failed" if ending == "failed" else "interrupted", last)

    def _waiting(self, record: _Record, now: float) -> Iterator[SourceEvent]:
        """Emit a note, once, when a program asks for a password between two steps: the build waits for a person."""
        reading = record.reading
        if reading is None or reading.current is None or reading.current.ending is None or now < record.next_asking:
            return
        record.next_asking = now + PROMPT_SECONDS
        ended = reading.current.end
        asking = record.watch.asking() if now - ended >= PROMPT_SECONDS else None
        if asking is not None and (record.asked is None or record.asked < ended):
            record.asked = ended
            yield from self._emitter.note(ended, f"{WAITING}{asking} asks for a password before {reading.pending}")


class _Record:
    """A tree, what was made of it, and who works on it."""

    def __init__(self, path: Path, proc: Path) -> None:
        self.tree = JhalfsTree(path)
        self.watch = MakeWatch(path, proc)
        self.reading: Reconciled | None = None
        self.was_closed: Closed | None = None
        self.next_asking = 0.0
        self.asked: float | None = None
        self._reconciler = Reconciler(self.tree)

    def read(self, closed: Closed | None) -> Reconciled:
        """Judge the tree again."""
        self.was_closed = closed
        self.reading = self._reconciler.read(closed)
        self.tree.keep_open(self.reading.open)
        return self.reading

    def closed(self, now: float, *, changed: bool) -> Closed | None:
        """Return why nothing more will come, None while something may."""
        if changed:
            # somebody is at work: earlier observations no longer count; and who is seen now
            # may go with the next moment, so nothing is concluded before the files have been read once more
            self.watch.forget()
            self.watch.poll(now)
            return None
        newest = self.reading.newest if self.reading is not None else None
        if self.reading is None or newest is None or self.reading.complete:
            return None
        written = last_activity(self.tree.paths_of(newest))
        return self.watch.closed(now, written) if written is not None else None
