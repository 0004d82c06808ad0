"""emerge.log as events: each emerge that merges something is a run, each package a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from build_exporter.model.events import BuildFinished, BuildStarted, Event, StepFinished, StepStarted
from build_exporter.sources.implausible import ImplausibleLines
from build_exporter.sources.portage.history import BINARY, MERGE, History
from build_exporter.sources.portage.host_state import HostState
from build_exporter.sources.portage.lines import Entry, LineType, read_usage, split_package
from build_exporter.sources.portage.session import (
    Merge,
    Session,
    is_renumbered,
    session_of_cleaning,
    session_of_exit,
    session_of_merge,
    session_of_package,
    session_of_termination,
)

DEAD_SECONDS: Final = 86400.0
"""An emerge without a line for this long is taken for dead: its machine or its terminal went down."""

MAX_OPEN: Final = 32
"""Emerges that may continue at once; the oldest beyond are taken for dead."""

MAX_ENDED: Final = 8
"""Emerges that ended last, one of which may turn out to continue."""

FIRST_SIGNAL_STATUS: Final = 128

Status = Literal["succeeded", "failed", "interrupted"]


class Ending(NamedTuple):
    """End of a package: Unix seconds, exit code, and its duration in seconds by the log's own clock if known."""

    time: float
    status: Status
    code: int | None = None
    seconds: float | None = None


_OF_BINARIES: Final = frozenset({"Fetching Binary", "Merging Binary"})
_BEGINNINGS: Final = frozenset({"Cleaning", "Compiling/Merging", "Compiling/Packaging"}) | _OF_BINARIES


class EmergeLog:
    """Entries in, events out.

    Attributes:
        out: events not fetched yet, with their emerge.
        sessions: the emerges that continue.
        history: how long packages took.
        newest: Unix seconds of the newest line.
    """

    def __init__(self, build: str, host: HostState) -> None:
        self.out: list[tuple[Session, Event]] = []
        self.sessions: list[Session] = []
        self.history = History()
        self._build = build
        self._host = host
        self._ended: list[Session] = []
        self._gone: tuple[Session, float] | None = None
        self._left_out = ImplausibleLines()
        self._starts: set[int] = set()
        self.newest = 0.0

    def feed(self, entry: Entry) -> None:
        """Take the next entry."""
        self.newest = max(self.newest, entry.time)
        _HANDLERS[entry.line_type](self, entry)

    def leave_out(self, time: float) -> None:
        """Report once, with the emerge at hand, that the log has lines of a time that no build can have."""
        self._left_out.add(time)
        if self.out or self._ended:
            session = self.out[-1][0] if self.out else self._ended[-1]
            self._emit_left_out(session)

    @property
    def left_out(self) -> str:
        """Why lines are left out that no emerge was there to report with; empty where none are."""
        return self._left_out.words

    def end_all(self, is_dead: Callable[[Session], bool]) -> None:
        """Emit the end of emerges that are dead, at the time of their last line."""
        for session in [session for session in self.sessions if is_dead(session)]:
            self._close(session, session.newest)

    def settle_kinds(self, *, anyway: bool = False) -> None:
        """Emit the packages whose kind is known by now; all of them with `anyway`."""
        for session in self.sessions:
            for merge in session.open.values():
                if not merge.kind and not merge.status:
                    kind = self._host.kind_of(merge.package) or (MERGE if anyway else "")
                    self._release(session, merge, kind)

    def settle_failures(self) -> None:
        """Emit packages that failed while their emerge goes on with others: its log names them only at the end."""
        for session in self.sessions:
            for merge in session.going_on:
                failure = self._host.failed_meanwhile(session, merge)
                if failure is not None and failure.time is not None:
                    self._emit_end(session, merge, Ending(failure.time, "failed"))

    def _started(self, entry: Entry) -> None:
        self.end_all(lambda session: entry.time - session.last > DEAD_SECONDS)
        while len(self.sessions) >= MAX_OPEN:
            oldest = min(self.sessions, key=lambda session: session.last)
            self._close(oldest, oldest.newest)
        self.sessions.append(Session(entry.time, entry.time, newest=entry.time))

    def _command(self, entry: Entry) -> None:
        waiting = [session for session in self.sessions if not session.command and session.is_fresh]
        if waiting:
            waiting[-1].command = entry.text
            waiting[-1].see(entry.time)

    def _merge(self, entry: Entry) -> None:
        session = self._take_back_end(session_of_merge(self.sessions, entry), entry)
        if session is None:
            session = Session(entry.time, entry.time, newest=entry.time)
            self.sessions.append(session)
        self._end_other_attempts(session, entry)
        if session.start is None:
            self._begin(session, entry)
        elif is_renumbered(session, entry):
            self._end_open(session, Ending(session.see(entry.time), "failed"))
        is_renumbered_now = is_renumbered(session, entry)
        session.number = entry.number if is_renumbered_now else max(session.number, entry.number)
        session.total, session.is_cleaning = entry.total, False
        step = session.step_name(entry.package, entry.text)
        merge = Merge(step, entry.package, entry.text, entry.time, session.see(entry.time))
        for other in session.going_on:
            other.next_start = merge.moment if other.next_start is None else other.next_start
        session.merges.pop(step, None)
        session.merges[step] = session.open[entry.package] = merge
        self._release(session, merge, self._host.kind_of(entry.package))

    def _take_back_end(self, session: Session | None, entry: Entry) -> Session | None:
        """Return the emerge that begins a package: where the end before was that of another, the one it was taken for.

        An emerge counts anew only with `--keep-going`. Without it, what begins is of a further emerge, and the last
        `*** terminating.` was of the one that would have to count anew.
        """
        if session is None or self._gone is None or session.keeps_going or not is_renumbered(session, entry):
            return session
        gone, time = self._gone
        if not gone.names(entry.package) and "@" not in gone.command and gone.target not in ("world", "system"):
            return session
        self._gone = None
        self._close(session, session.see(time))
        self.sessions.append(gone)
        return gone

    def _begin(self, session: Session, entry: Entry) -> None:
        start = int(session.began)
        while start in self._starts:
            # a run is named by its second
            start += 1
        self._starts.add(start)
        session.start, session.mark, session.root = float(start), self.history.mark, entry.text
        session.jobs = session.reported_jobs
        session.newest = max(session.newest, session.start)
        self._emit(
            session,
            BuildStarted(
                time=session.start, build=self._build, source="portage", target=session.target, jobs=session.jobs
            ),
        )
        self._emit_left_out(session)

    def _end_other_attempts(self, session: Session, entry: Entry) -> None:
        """End what can't continue any more: a package has one build directory, so only one emerge can build it."""
        for other in [*self.sessions, *self._ended]:
            merge = other.open.get(entry.package)
            if merge is None or merge.root != entry.text:
                continue
            if merge.status:
                del other.open[entry.package]
            elif other is session:
                self._end_merge(session, merge, Ending(session.see(entry.time), "failed"))
            else:
                self._close(other, other.newest)

    def _stage(self, entry: Entry) -> None:
        session = self._session_going_on(entry)
        if session is None:
            if entry.text not in _BEGINNINGS or self._is_done(entry):
                return
            # the line of its start is lost
            around = session_of_merge(self.sessions, entry)
            root = around.root if around is not None else ""
            self._merge(Entry(entry.time, LineType.MERGE, entry.number, entry.total, entry.package, root or "/"))
            session = session_of_package(self.sessions, entry)
        if session is not None:
            session.see(entry.time)
            merge = session.open[entry.package]
            merge.is_locked = True
            self._release(session, merge, BINARY if entry.text in _OF_BINARIES else MERGE)

    def _usage(self, entry: Entry) -> None:
        session = self._session_going_on(entry)
        if session is not None:
            session.see(entry.time)
            session.open[entry.package].used = read_usage(entry.text)

    def _completed(self, entry: Entry) -> None:
        session = self._session_going_on(entry)
        if session is None:
            return
        merge = session.open[entry.package]
        session.is_parallel = session.is_parallel or merge.next_start is not None
        seconds = entry.time - merge.started
        self._end_merge(session, merge, Ending(session.see(entry.time), "succeeded", seconds=seconds))
        self.history.add(merge.phase, merge.name, seconds)

    def _cleaning(self, entry: Entry) -> None:
        session = session_of_cleaning(self.sessions)
        if session is not None:
            session.is_cleaning = True
            session.see(entry.time)

    def _exit(self, entry: Entry) -> None:
        session = session_of_exit(self.sessions, entry.status)
        if session is not None:
            self._end(session, session.see(entry.time), entry.status)

    def _end(self, session: Session, time: float, code: int) -> None:
        status: Status = "succeeded" if code == 0 else "interrupted" if code >= FIRST_SIGNAL_STATUS else "failed"
        session.exited, session.status = time, code
        self._finish(session, time, status, code or None)

    def _terminating(self, entry: Entry) -> None:
        session = session_of_termination(self.sessions, entry.time)
        if session is not None:
            if session.is_fresh:
                self._gone = (session, entry.time)
            self._close(session, session.newest if session.is_fresh else session.see(entry.time))

    def _close(self, session: Session, time: float) -> None:
        """Drop an emerge, and emit its end unless that was emitted."""
        self.sessions.remove(session)
        if session.is_fresh:
            return
        self._ended = [*self._ended, session][-MAX_ENDED:]
        if session.exited is not None:
            return
        failed = any(merge.status == "failed" for merge in session.merges.values())
        status: Status = "failed" if failed and not session.going_on else "interrupted"
        self._finish(session, time, "succeeded" if session.is_complete else status)

    def _finish(self, session: Session, time: float, status: Status, code: int | None = None) -> None:
        if session.is_fresh:
            return
        # what continues stays in `open`: should a later line be of it, the emerge has not ended
        for merge in session.going_on:
            # nothing goes on beside it in an emerge that does one after the other: the line of its end is lost
            is_lost = status == "succeeded" and not session.is_parallel
            end = merge.next_start if is_lost and merge.next_start is not None else time
            self._emit_end(session, merge, Ending(end, status, code))
        self._emit(session, BuildFinished(time=time, build=self._build, status=status))

    def _is_done(self, entry: Entry) -> bool:
        """Return whether the package is one that was merged lately: its last lines may come after its end."""
        return any(
            merge.package == entry.package and entry.number <= session.number and merge.status == "succeeded"
            for session in [*self.sessions, *self._ended]
            for merge in session.merges.values()
            if session.total == entry.total
        )

    def _session_going_on(self, entry: Entry) -> Session | None:
        """Return the emerge in which a package continues, be it one taken for ended: that end was not its own."""
        session = session_of_package(self.sessions, entry)
        if session is not None and session.exited is None:
            return session
        if session is None:
            session = session_of_package(self._ended, entry)
            if session is None:
                return None
            self._ended.remove(session)
            self.sessions.append(session)
        exited, code, session.exited = session.exited, session.status, None
        for merge in session.open.values():
            merge.status = ""
        others = [other for other in self.sessions if other.going_on and other.exited is None and other is not session]
        if exited is not None and others:
            self._end(max(others, key=lambda other: other.began), exited, code)
        return session

    def _end_open(self, session: Session, ending: Ending) -> None:
        for merge in list(session.open.values()):
            if merge.status:
                del session.open[merge.package]
            else:
                self._end_merge(session, merge, ending)

    def _end_merge(self, session: Session, merge: Merge, ending: Ending) -> None:
        del session.open[merge.package]
        self._emit_end(session, merge, ending)

    def _emit_end(self, session: Session, merge: Merge, ending: Ending) -> None:
        time, status, code, seconds = ending
        self._release(session, merge, merge.phase)
        failure = self._host.failure(merge, time) if status != "succeeded" else None
        if failure is not None and status == "interrupted":
            # what it was ended for came later, unless the emerge had done with it before
            is_its_own = failure.time is not None and self._host.has_released(merge)
            status, failure = ("failed", failure) if is_its_own else (status, None)
        if failure is not None and failure.time is not None:
            time, code = failure.time, None
        merge.status = status
        self._emit_at(
            session,
            StepFinished(
                time=time,
                build=self._build,
                phase=merge.phase,
                step=merge.step,
                status=status,
                exit_code=code or None,
                # where the clock was set back meanwhile
                seconds=max(0.0, seconds) if seconds is not None and seconds != time - merge.moment else None,
                message=failure.message if failure is not None else None,
                **(self._host.end_fields(merge) | merge.used),
            ),
        )

    def _release(self, session: Session, merge: Merge, kind: str) -> None:
        if merge.kind or not kind:
            return
        merge.kind = kind
        name, version = split_package(merge.package)
        self._emit(
            session,
            StepStarted(
                time=merge.moment,
                build=self._build,
                phase=kind,
                step=merge.step,
                package=name,
                version=version or None,
                **self._host.start_fields(session, merge),
            ),
        )

    def _emit_left_out(self, session: Session) -> None:
        for note in self._left_out.notes(self._build, session.newest):
            self._emit(session, note)

    def _emit(self, session: Session, event: Event) -> None:
        self.out.append((session, event))

    def _emit_at(self, session: Session, event: Event) -> None:
        """Emit an event no earlier than the last one of the same emerge."""
        place = len(self.out)
        while place and self.out[place - 1][0] is session and self.out[place - 1][1].time > event.time:
            place -= 1
        self.out.insert(place, (session, event))


_HANDLERS: Final[dict[LineType, Callable[[EmergeLog, Entry], None]]] = {
    LineType.STARTED: EmergeLog._started,
    LineType.COMMAND: EmergeLog._command,
    LineType.MERGE: EmergeLog._merge,
    LineType.STAGE: EmergeLog._stage,
    LineType.USAGE: EmergeLog._usage,
    LineType.COMPLETED: EmergeLog._completed,
    LineType.FINISHED: EmergeLog._cleaning,
    LineType.EXIT: EmergeLog._exit,
    LineType.TERMINATING: EmergeLog._terminating,
}
