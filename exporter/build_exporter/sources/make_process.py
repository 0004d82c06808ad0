"""Find out from the process table whether a make runs in a directory.

Only what every user may read is needed, but for the working directory of a process, which only its owner and root
may. What can't be read is not taken for absent.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

_MAKES: Final = frozenset({"make", "gmake"})
_ASKING: Final = frozenset({"sudo", "su", "doas"})
_NO_BUILD: Final = frozenset({b"chroot", b"chroot1", b"devices", b"teardown"})
"""Targets of jhalfs' Makefile that only open or prepare the new system for a poll."""

INITIAL_PID_NAMESPACE: Final = "pid:[4026531836]"
"""PROC_PID_INIT_INO of the kernel: in another namespace only a part of the machine's processes is seen."""

_REMOTE: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "ceph", "afs", "lustre", "fuse.sshfs"})
"""File systems that another machine may be writing to."""

ABSENT_SECONDS: Final = 120.0
"""Silence after which a build that no make was ever seen at is taken for stopped."""

IDLE_SECONDS: Final = 4 * 3600.0
"""The same where the process table can't be seen; a step's tests may be silent for hours."""

BOOT_SLACK_SECONDS: Final = 60.0
"""The machine's clock may be set shortly after its start."""

FIRST_SCAN_SECONDS: Final = 5.0
LONGEST_SCAN_SECONDS: Final = 60.0
"""Between scans of the process table while no make is known: begins short, doubles."""


class Presence(Enum):
    """Whether a make works in the directory."""

    ALIVE = "alive"
    GONE = "gone"
    """One was seen here before and there is none any more."""
    ABSENT = "absent"
    """There is none, on a machine whose every make could be seen."""
    UNKNOWN = "unknown"


class Closed(Enum):
    """Why nothing more will come of a build as it is."""

    OVER = "over"
    """The reader of its record decides."""
    GONE = "gone"
    """No make works on it any more."""
    REBOOTED = "rebooted"
    """The machine was restarted since."""
    SILENT = "silent"
    """Nothing has come for hours."""


@dataclass(frozen=True, slots=True)
class _Process:
    """A row of the process table."""

    pid: int
    name: str
    state: str
    parent: int
    started: int


class MakeWatch:
    """Watches for a make in one directory; costs one small read a poll while one is there."""

    def __init__(
        self, directory: Path, proc: Path = Path("/proc"), accepts: Callable[[list[bytes]], bool] | None = None
    ) -> None:
        """Watch a directory; `accepts` says of a command's words whether it is one of the makes that are meant."""
        self._directory = directory
        self._proc = proc
        self._accepts = accepts or _NO_BUILD.isdisjoint
        self._make: _Process | None = None
        self._was_seen = False
        self._found = Presence.UNKNOWN
        self._booted = boot_time(proc)
        self._next_scan = 0.0
        self._interval = FIRST_SCAN_SECONDS

    def poll(self, now: float) -> Presence:
        """Return whether a make runs; `now` (Unix seconds) paces full scans."""
        if self._make is not None:
            if self._is_same(self._make):
                return Presence.ALIVE
            self._make = None
            self._next_scan = now
            self._interval = FIRST_SCAN_SECONDS
        if now >= self._next_scan:
            self._found = self._scan()
            self._next_scan = now + self._interval
            self._interval = min(2 * self._interval, LONGEST_SCAN_SECONDS)
        return self._found

    def closed(self, now: float, written: float) -> Closed | None:
        """Return why nothing more will come, None while something may, as things were at the last `poll`.

        Args:
            now: Unix seconds.
            written: when the build last touched anything, in Unix seconds, read after that look.
        """
        if self._make is not None:
            return None
        if self._booted is not None and self._booted > written + BOOT_SLACK_SECONDS and self.is_local():
            return Closed.REBOOTED
        if self._found is Presence.GONE or (self._found is Presence.ABSENT and now - written >= ABSENT_SECONDS):
            return Closed.GONE
        return Closed.SILENT if now - written >= IDLE_SECONDS else None

    def asking(self) -> str | None:
        """Return the name of a program below the make that asks for a password, None where none does.

        It is one of sudo, su and doas that sleeps and has not started what it was called for.
        """
        if self._make is None:
            return None
        table = self._table()
        parents = {process.parent for process in table.values()}
        for process in table.values():
            waits = process.name in _ASKING and process.state == "S" and process.pid not in parents
            if waits and self._make.pid in _above(process, table):
                return process.name
        return None

    @property
    def pid(self) -> int | None:
        """The pid of the make that was seen last, None where none is known."""
        make = self._make
        return make.pid if make is not None else None

    def forget(self) -> None:
        """Scan again soon: something has happened in the directory."""
        if self._make is None:
            self._found = Presence.UNKNOWN
            self._next_scan, self._interval = 0.0, FIRST_SCAN_SECONDS

    def _scan(self) -> Presence:
        try:
            wanted = self._directory.stat()
        except OSError:
            return Presence.UNKNOWN
        hidden = False
        for pid in self._pids():
            process = self._process(pid)
            if process is None or process.name not in _MAKES or not self._is_meant(pid):
                continue
            try:
                found = (self._proc / str(pid) / "cwd").stat()
            except OSError as error:
                hidden = hidden or error.errno not in (errno.ENOENT, errno.ESRCH)
                continue
            if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                self._make, self._was_seen = process, True
                return Presence.ALIVE
        if self._was_seen and not hidden:
            return Presence.GONE
        if hidden or not self._sees_everything(wanted.st_dev):
            return Presence.UNKNOWN
        return Presence.ABSENT

    def _is_meant(self, pid: int) -> bool:
        try:
            return self._accepts((self._proc / str(pid) / "cmdline").read_bytes().split(b"\0"))
        except OSError:
            return True

    def _sees_everything(self, device: int) -> bool:
        try:
            namespace = str((self._proc / "self/ns/pid").readlink())
            # with hidepid the process 1 of somebody else can't be seen
            (self._proc / "1/stat").read_bytes()
        except OSError:
            return False
        return namespace == INITIAL_PID_NAMESPACE and not self._is_remote(device)

    def is_local(self) -> bool:
        """Return whether the directory is on a file system that only this machine writes to."""
        try:
            return not self._is_remote(self._directory.stat().st_dev)
        except OSError:
            return False

    def _is_remote(self, device: int) -> bool:
        wanted = f"{os.major(device)}:{os.minor(device)}"
        try:
            lines = (self._proc / "self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return True
        kinds = {line.split(" - ", 1)[1].split(" ", 1)[0] for line in lines if line.split(" ", 3)[2] == wanted}
        return bool(kinds & _REMOTE)

    def _pids(self) -> list[int]:
        try:
            return [int(name) for name in os.listdir(self._proc) if name.isdigit()]  # noqa: PTH208 - only names
        except OSError:
            return []

    def _table(self) -> dict[int, _Process]:
        found = (self._process(pid) for pid in self._pids())
        return {process.pid: process for process in found if process is not None}

    def _is_same(self, make: _Process) -> bool:
        found = self._process(make.pid)
        # a make that has ended and is not yet waited for is at work no more
        return found is not None and found.started == make.started and found.state not in "ZX"

    def _process(self, pid: int) -> _Process | None:
        """Return a row of `/proc/PID/stat`, whose second field may hold anything, parentheses and spaces included."""
        try:
            with open(f"{self._proc}/{pid}/stat", "rb") as file:  # noqa: PTH123 - hundreds of times a scan
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return None
        head, _, rest = text.rpartition(")")
        fields = rest.split()
        if len(fields) < 20:
            return None
        return _Process(pid, head.partition("(")[2], fields[0], int(fields[1]), int(fields[19]))


def _above(process: _Process, table: Mapping[int, _Process]) -> set[int]:
    """Return the pids of the processes that a process descends from."""
    found: set[int] = set()
    parent = process.parent
    # the rows were read one after the other: with a pid used again they may lead in a circle
    while parent in table and parent not in found:
        found.add(parent)
        parent = table[parent].parent
    return found


def boot_time(proc: Path = Path("/proc")) -> float | None:
    """Return when this machine was started, in Unix seconds; None where it isn't given."""
    try:
        text = (proc / "stat").read_text(encoding="ascii")
    except OSError:
        return None
    found = next((line for line in text.splitlines() if line.startswith("btime ")), None)
    return float(found.split()[1]) if found else None


def last_activity(paths: Iterable[Path]) -> float | None:
    """Return when any of the files was last written, made, or otherwise touched, in Unix seconds; None without one.

    Unlike the time of the last write that of the last touch can't be set: it reveals a copy as well.
    """
    newest: float | None = None
    for path in paths:
        try:
            found = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - each second
        except OSError:
            continue
        newest = max(newest or 0.0, found.st_mtime, found.st_ctime)
    return newest
