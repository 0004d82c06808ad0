"""State of the machine beside emerge.log: pending packages, status files, build directories, locks and processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import psutil

from build_exporter.sources.portage.build_log import Failure, find_build_log, read_failure
from build_exporter.sources.portage.paths import PortagePaths
from build_exporter.sources.portage.pending import PendingFile
from build_exporter.sources.portage.processes import (
    Emerge,
    Hold,
    Lock,
    is_local,
    lock_of,
    running_emerges,
    sees_all_processes,
)
from build_exporter.sources.portage.session import Merge, Session
from build_exporter.sources.portage.status import StatusDirectory, figures

RECENT_SECONDS: Final = 7 * 86400.0
"""Emerges that began longer ago are not looked for among the processes."""

BEFORE_SECONDS: Final = 15.0
"""Portage writes its first line within this after its process began."""

AFTER_SECONDS: Final = 2.0
NEW_SECONDS: Final = 60.0
GONE_SECONDS: Final = 5.0
"""Seconds after a process's end within which its last output is read."""

IDLE_SECONDS: Final = 60.0
"""Without a line for so long, and with no emerge among the processes, one is dead."""

SLACK_SECONDS: Final = 120.0
"""An emerge that began so long after a line was written did not write it, whatever was done to the clock."""

SCAN_SECONDS: Final = 10.0
"""Processes are listed no more often than this to find out whether an emerge lives."""


class HostState:
    """The host beside the log."""

    def __init__(self, paths: PortagePaths) -> None:
        self.mtimedb = PendingFile(paths.mtimedb)
        self.pretended = PendingFile(paths.pretended, pretended=True)
        self._paths = paths
        self._status = StatusDirectory(paths.status)
        self._figures: dict[str, dict[str, Any]] = {}
        self._gone_since: dict[Session, float] = {}
        self._now: float | None = None
        self._emerges: list[Emerge] = []
        self._listed = 0.0
        self._is_all_seen = sees_all_processes() and is_local(paths.log)

    def poll(self, now: float, *, over: bool) -> None:
        """Read what has changed; nothing runs where a record is `over`."""
        self.mtimedb.poll()
        self.pretended.poll()
        self._now = None if over else now
        if not over:
            self._status.poll()
            for snapshot in self._status.snapshots:
                self._figures.update({task.cpv: found for task in snapshot.tasks if (found := figures(task))})

    def kind_of(self, package: str) -> str:
        """Return how a package is merged by the status files, the resume list, or `emerge -p`."""
        running = self._status.task(package)
        if running is not None and running[1].binary is not None:
            return "binary" if running[1].binary else "merge"
        return self.mtimedb.kind_of(package) or self.pretended.kind_of(package)

    def start_fields(self, session: Session, merge: Merge) -> dict[str, Any]:
        """Return the path of the package's log, and the emerge's process, where it runs now."""
        now = self._now
        if now is None or not merge.started > now - RECENT_SECONDS:
            return {}
        fields: dict[str, Any] = {}
        if (log := self._build_log(merge, now)) is not None:
            fields["log"] = str(log)
        if pid := self._process(session, merge):
            fields["pid"] = pid
        return fields

    def end_fields(self, merge: Merge) -> dict[str, Any]:
        """Return what the package used."""
        return self._figures.pop(merge.package, {})

    def failure(self, merge: Merge, until: float) -> Failure | None:
        """Return the failure in the package's log up to a time (Unix seconds); None when there is none."""
        directory = self._directory(merge)
        if directory is None:
            return None
        return read_failure(find_build_log(directory, self._paths.logs), merge.started, until)

    def has_released(self, merge: Merge) -> bool:
        """Return whether the emerge is done with a package that it had begun: it holds no lock on it any more."""
        return merge.is_locked and self._lock(merge).hold is Hold.NONE

    def failed_meanwhile(self, session: Session, merge: Merge) -> Failure | None:
        """Return why a package failed before the log shows it; None if it still runs or nothing is certain."""
        if self._now is None or self._status.task(merge.package) is not None or not self.has_released(merge):
            return None
        found = self.failure(merge, self._now)
        return found if found is not None and found.time is not None else None

    def is_dead(self, session: Session, now: float) -> bool:
        """Return whether an emerge has died: its process was seen and is gone for some seconds, or it must have.

        It must have where a package it was at has a lock that no one holds, or no emerge is among the processes.
        """
        if session.pid:
            is_lasting, lasts = self._is_gone(session), GONE_SECONDS
        else:
            is_lasting, lasts = self._must_be_gone(session, now)
        if not is_lasting:
            self._gone_since.pop(session, None)
            return False
        return now - self._gone_since.setdefault(session, now) >= lasts

    def forget(self, sessions: list[Session]) -> None:
        """Keep nothing of emerges but those given."""
        self._gone_since = {session: since for session, since in self._gone_since.items() if session in sessions}

    def jobs(self, session: Session) -> int | None:
        """Return how many packages an emerge builds at once by its status file."""
        found = next((self._status.task(merge.package) for merge in session.going_on), None)
        most = found[0].jobs.max if found is not None and found[0].jobs is not None else None
        return most if isinstance(most, int) and not isinstance(most, bool) and 0 < most < 10_000 else None

    def _directory(self, merge: Merge) -> Path | None:
        temporary = self._paths.temporary
        return temporary / "portage" / merge.package / "temp" if temporary is not None else None

    def _build_log(self, merge: Merge, now: float) -> Path | None:
        directory = self._directory(merge)
        if directory is None or merge.phase == "binary":
            return None
        log = find_build_log(directory, self._paths.logs)
        try:
            return log if log.stat().st_mtime >= merge.started - 1 else None
        except OSError:
            is_new = now - merge.started < NEW_SECONDS
            return log if is_new and directory.parent.parent.parent.is_dir() else None

    def _lock(self, merge: Merge) -> Lock:
        temporary = self._paths.temporary
        return lock_of(temporary, merge.package) if temporary is not None else Lock(Hold.UNKNOWN)

    def _process(self, session: Session, merge: Merge) -> int:
        running = self._status.task(merge.package)
        pid = self._lock(merge).pid or (running[0].emerge_pid if running is not None else 0)
        if session.pid is None or (pid and session.pid != pid):
            session.pid, session.process_began = self._emerge(session.began, pid)
        return session.pid

    def _must_be_gone(self, session: Session, now: float) -> tuple[bool, float]:
        """Return whether everything says that an emerge died, and for how many seconds it has to, to be believed."""
        locks = [self._lock(merge) for merge in session.going_on if merge.is_locked]
        held = next((lock for lock in locks if lock.hold is Hold.HELD), None)
        if held is not None:
            if held.pid:
                session.pid, session.process_began = self._emerge(session.began, held.pid)
            return False, 0.0
        if any(lock.hold is Hold.LEFT for lock in locks):
            return not self._could_run(session, now), GONE_SECONDS
        is_idle = self._is_all_seen and now - session.last > IDLE_SECONDS and self._builds_here(session)
        return is_idle and not self._could_run(session, now), IDLE_SECONDS

    def _builds_here(self, session: Session) -> bool:
        """Return whether an emerge builds on this machine, and its log is not one copied from another."""
        temporary = self._paths.temporary
        if temporary is None:
            return False
        builds = temporary / "portage"
        return any((builds / merge.package).is_dir() for merge in session.going_on) or (
            not session.going_on and builds.is_dir()
        )

    def _could_run(self, session: Session, now: float) -> bool:
        return any(each.began <= session.began + SLACK_SECONDS for each in self._running(now, SCAN_SECONDS))

    def _emerge(self, began: float, pid: int) -> tuple[int, float]:
        """Return pid and start of the process whose first line is of `began`; zeros where it is unknown."""
        if pid:
            try:
                return pid, psutil.Process(pid).create_time()
            except (psutil.Error, OSError, OverflowError):
                return 0, 0.0
        running = [each for each in self._running(self._now or 0.0) if each.is_certain]
        fitting = [each for each in running if -AFTER_SECONDS <= began - each.began <= BEFORE_SECONDS]
        return (fitting[0].pid, fitting[0].began) if len(fitting) == 1 else (0, 0.0)

    def _running(self, now: float, age: float = 0.0) -> list[Emerge]:
        """Return the emerges there are, or were at the last listing where that is no older than `age` seconds."""
        if not 0.0 <= now - self._listed <= age:
            self._emerges, self._listed = running_emerges(), now
        return self._emerges

    @staticmethod
    def _is_gone(session: Session) -> bool:
        try:
            process = psutil.Process(session.pid)
            return process.create_time() != session.process_began or process.status() == psutil.STATUS_ZOMBIE
        except (psutil.Error, OSError):
            return True
