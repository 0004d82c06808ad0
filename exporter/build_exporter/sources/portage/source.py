"""Portage: builds of Gentoo packages, from emerge.log, status files, locks and processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

from build_exporter.model.events import Event
from build_exporter.sources.files import Limits, TailFile, milliseconds, read_ends
from build_exporter.sources.history import left_out_runs
from build_exporter.sources.implausible import EARLIEST
from build_exporter.sources.portage.host_state import HostState
from build_exporter.sources.portage.lines import looks_like_log, read_line
from build_exporter.sources.portage.log import DEAD_SECONDS, EmergeLog
from build_exporter.sources.portage.paths import LOG_NAME, Options, find_log, find_paths
from build_exporter.sources.portage.plan import Planner
from build_exporter.sources.portage.session import Session
from build_exporter.sources.protocol import Settings, SourceError, SourceEvent, WithJournal

LAST_BYTES: Final = 64 * 1024 * 1024
"""Bytes read of a log, from its end; twenty years of building make some 20 MB."""

HISTORY_RUNS: Final = 50
"""Past emerges that watching reports to an empty journal, as many as are kept; `import` reports all."""


class Portage(WithJournal):
    """Reads emerge.log; see `docs/sources/portage.md`.

    Attributes:
        tail: the log's reader.
    """

    kind = "portage"
    Options = Options

    def __init__(self, settings: Settings) -> None:
        self.build = settings.build or "portage"
        self._host = HostState(find_paths(settings.path, settings.options))
        self._path = settings.path
        self.tail = TailFile(find_log(settings.path), Limits(last=LAST_BYTES))
        self._begin()

    @staticmethod
    def recognises(path: Path) -> bool:
        """Return whether a path is, or has, an emerge.log."""
        log = find_log(path)
        try:
            head = read_ends(log, 4096, 0).head
        except OSError:
            return False
        return any(map(looks_like_log, head.splitlines())) or (log.name == LOG_NAME and not head)

    def poll(self, now: float, *, over: bool = False) -> Iterator[SourceEvent]:
        """Return what is new; see `Source`.

        Raises:
            SourceError: the log can't be read.
        """
        self._host.poll(now, over=over)
        self._read(now)
        if over:
            self._log.settle_kinds(anyway=True)
            self._log.end_all(lambda session: True)
            if self._log.left_out and not self._log.out:
                raise SourceError(f"{self.tail.path}: {self._log.left_out}")
        else:
            self._log.settle_kinds()
            self._log.settle_failures()
            self._end_dead(now)
            self._limit_history()
        return iter(list(self._add_plans()))

    def _begin(self) -> None:
        self._log = EmergeLog(self.build, self._host)
        self._planner = Planner(self.build, self._log.history, self._host)
        self._is_first = True
        self._skipped: set[Session] = set()

    def _read(self, now: float) -> None:
        more = True
        while more:
            try:
                found = self.tail.read()
            except OSError as error:
                raise SourceError(f"{self.tail.path}: {error.strerror or error}") from error
            entries = [entry for line in found.lines for entry in read_line(line)]
            latest = self.tail.latest(now)
            if found.from_start and entries and entries[0].time <= self._log.newest:
                # not the next log after a rotation, but this one written again
                self._begin()
            for entry in entries:
                if EARLIEST <= entry.time <= latest:
                    self._log.feed(entry)
                else:
                    self._log.leave_out(entry.time)
            more = found.more

    def _end_dead(self, now: float) -> None:
        if not self._log.sessions:
            return
        try:
            changed = milliseconds(self.tail.path.stat().st_mtime_ns)
        except OSError:
            return
        is_idle = now - changed > DEAD_SECONDS or changed < psutil.boot_time()
        # a package may be built for days while its emerge is seen to live
        self._log.end_all(lambda session: self._host.is_dead(session, now) or (is_idle and not session.pid))
        self._host.forget(self._log.sessions)

    def _limit_history(self) -> None:
        if not self._is_first:
            return
        self._is_first = False
        ended = {s for s, _ in self._log.out} - set(self._log.sessions)
        past = ((session.start or 0.0, session) for session in ended)
        self._skipped = set(left_out_runs(past, HISTORY_RUNS, self._journal, self.build))

    def _add_plans(self) -> Iterator[SourceEvent]:
        already_planned: set[Session] = set()
        out, self._log.out = self._log.out, []
        for session, event in out:
            if session in self._skipped:
                continue
            start = session.start or session.began
            is_begin = session.planned is None and session not in already_planned
            if session not in already_planned and not is_begin:
                yield from self._plan(session, start, event.time)
            yield SourceEvent(start, event)
            if is_begin:
                yield from self._plan(session, start, event.time)
            already_planned.add(session)
        for session in self._log.sessions:
            if session.start is not None and session.exited is None and session not in already_planned:
                yield from self._plan(session, session.start, session.last)

    def _plan(self, session: Session, start: float, time: float) -> Iterator[SourceEvent]:
        ended = session.exited is not None or session not in self._log.sessions
        plan: Event | None = self._planner.emit(session, time, ended=ended)
        if plan is not None:
            yield SourceEvent(start, plan)
