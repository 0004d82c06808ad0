"""Find processes that have a log open for writing: while one does, the build may continue."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

from build_exporter.sources.make_process import (
    BOOT_SLACK_SECONDS,
    FIRST_SCAN_SECONDS,
    IDLE_SECONDS,
    INITIAL_PID_NAMESPACE,
    LONGEST_SCAN_SECONDS,
    boot_time,
)

QUIET_SECONDS: Final = 3.0
"""A log just written to is not looked for among the files processes have open: that costs more than all else."""

GONE_SECONDS: Final = 3.0
"""A log no one has had open for this long, after somebody had: between two commands it is opened again at once."""

ABSENT_SECONDS: Final = 30.0
"""Silence of a log that no one was ever seen writing to, where everybody who may could be seen."""


class _Holder(NamedTuple):
    """A process with the log open for writing: where the kernel shows that, and since when the process is there."""

    descriptor: str
    since: float | None


class FileWriters:
    """Watches for processes that have one file open for writing; costs one small look while one is known."""

    def __init__(self, path: Path, proc: Path = Path("/proc")) -> None:
        self._path = path
        self._proc = proc
        self._booted = boot_time(proc)
        self._holder: _Holder | None = None
        self._was_seen = False
        self._free_since: float | None = None
        self._next_scan = 0.0
        self._interval = FIRST_SCAN_SECONDS

    def since(self) -> float | None:
        """Return since when the oldest process that has the log open is there, in Unix seconds; None without one."""
        self._scan()
        return self._holder.since if self._holder is not None else None

    def are_gone(self, now: float, written: float) -> bool:
        """Return whether no one will write any more.

        Args:
            now: Unix seconds.
            written: when the log was written to last, in Unix seconds.
        """
        if now - written < QUIET_SECONDS:
            self._free_since = None
            return False
        if self._booted is not None and self._booted > written + BOOT_SLACK_SECONDS:
            return True
        if self._is_held(now):
            self._free_since = None
            return False
        if self._free_since is None:
            self._free_since = now
        if self._was_seen:
            return now - self._free_since >= GONE_SECONDS
        return now - written >= (ABSENT_SECONDS if self._would_be_seen() else IDLE_SECONDS)

    def forget(self) -> None:
        """Begin again: another file has taken the place of the one before."""
        self._holder, self._was_seen, self._free_since = None, False, None
        self._next_scan, self._interval = 0.0, FIRST_SCAN_SECONDS

    def _is_held(self, now: float) -> bool:
        if self._holder is not None:
            if self._is_same(self._holder.descriptor):
                return True
            self._holder, self._next_scan, self._interval = None, 0.0, FIRST_SCAN_SECONDS
        if now >= self._next_scan:
            self._scan()
            self._next_scan = now + self._interval
            self._interval = min(2 * self._interval, LONGEST_SCAN_SECONDS)
        return self._holder is not None

    def _is_same(self, descriptor: str) -> bool:
        try:
            found, wanted = os.stat(descriptor), self._path.stat()  # noqa: PTH116 - each second
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino)

    def _scan(self) -> None:
        try:
            wanted = self._path.stat()
            pids = [name for name in os.listdir(self._proc) if name.isdigit()]  # noqa: PTH208 - only names
        except OSError:
            return
        found = [
            _Holder(descriptor, self._started(pid))
            for pid in pids
            if (descriptor := self._descriptor(pid, (wanted.st_dev, wanted.st_ino))) is not None
        ]
        self._holder = min(found, key=lambda holder: holder.since or 0.0, default=None)
        self._was_seen = self._was_seen or self._holder is not None

    def _descriptor(self, pid: str, identity: tuple[int, int]) -> str | None:
        try:
            with os.scandir(f"{self._proc}/{pid}/fd") as entries:
                for entry in entries:
                    found = entry.stat()
                    if (found.st_dev, found.st_ino) == identity and self._writes(pid, entry.name):
                        return entry.path
        except OSError:
            # another user's, or ended meanwhile
            return None
        return None

    def _writes(self, pid: str, descriptor: str) -> bool:
        text = (self._proc / pid / "fdinfo" / descriptor).read_text(encoding="ascii", errors="replace")
        flags = next((line.split()[1] for line in text.splitlines() if line.startswith("flags:")), "0")
        return int(flags, 8) & os.O_ACCMODE != os.O_RDONLY

    def _started(self, pid: str) -> float | None:
        """Return when a process began, in Unix seconds."""
        try:
            text = (self._proc / pid / "stat").read_text(encoding="utf-8", errors="replace")
            ticks = float(text.rpartition(")")[2].split()[19])
        except (OSError, IndexError, ValueError):
            return None
        return round(self._booted + ticks / os.sysconf("SC_CLK_TCK"), 3) if self._booted is not None else None

    def _would_be_seen(self) -> bool:
        """Return whether a writer could be seen: on the machine itself, as root or as the log's own user."""
        try:
            namespace = str((self._proc / "self/ns/pid").readlink())
            owner = self._path.stat().st_uid
        except OSError:
            return False
        return namespace == INITIAL_PID_NAMESPACE and os.geteuid() in (0, owner)
