"""Read single processes cheaply: descriptors stay open, only exported fields are parsed."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from build_exporter.collectors.host.files import read

_GONE: Final = frozenset({errno.ENOENT, errno.ESRCH, errno.ENOTDIR})
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM})
_MAX_DESCRIPTORS: Final = 512


@dataclass(slots=True)
class Process:
    """One process as it was last read.

    `ticks`, `read_bytes` and `written_bytes` hold what the process used itself and, as the kernel adds it up, what
    those of its children used that have ended and were waited for, and so does `faults`, the pages that were read from
    storage. `name` is the program's, `state` the kernel's letter. `quiet` counts the readings in a row that found
    nothing used since the one before; `text` and `io_text` are what the kernel gave as the newest.
    """

    pid: int
    parent: int
    start: int
    ticks: int
    pages: int
    name: str = ""
    state: str = ""
    faults: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    reports_io: bool = False
    denies_io: bool = False
    quiet: int = 0
    stat: int = -1
    io: int = -1
    text: bytes = b""
    io_text: bytes = b""


@dataclass(slots=True)
class Amounts:
    """CPU clock ticks and bytes moved from and to storage."""

    ticks: int = 0
    read_bytes: int = 0
    written_bytes: int = 0

    def add(self, other: Amounts | Process) -> None:
        """Add what another used."""
        self.ticks += other.ticks
        self.read_bytes += other.read_bytes
        self.written_bytes += other.written_bytes

    def minus(self, other: Amounts) -> Amounts:
        """Return what is left without the other's."""
        return Amounts(
            self.ticks - other.ticks, self.read_bytes - other.read_bytes, self.written_bytes - other.written_bytes
        )


def total_of(parts: Iterable[Amounts | Process]) -> Amounts:
    """Return the sum of what many used."""
    kept = list(parts)
    # three sums take a quarter of the time of an addition each
    return Amounts(
        sum([part.ticks for part in kept]),
        sum([part.read_bytes for part in kept]),
        sum([part.written_bytes for part in kept]),
    )


class ProcessReader:
    """Reads the processes under `proc`.

    Descriptors are kept from the second reading on: opening costs more than reading, but most processes of a build do
    not live for two readings. At most a quarter of what the exporter may have open is kept; beyond it files are
    opened each time. A kept descriptor can't be fooled by a reused pid: it belongs to the process it was opened of.
    """

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = proc
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._free = _MAX_DESCRIPTORS if soft == resource.RLIM_INFINITY else min(_MAX_DESCRIPTORS, soft // 4)

    def pids(self) -> set[int]:
        """Return the processes there are.

        Raises:
            OSError: the directory can't be read.
        """
        return {int(name) for name in os.listdir(self._proc) if name.isdecimal()}  # noqa: PTH208 - names alone

    def first(self, pid: int) -> Process | None:
        """Return a process with its CPU time and memory; None where it has ended or is hidden.

        Raises:
            OSError: it is there and can't be read, for want of descriptors for one.
        """
        try:
            found = parse_stat(read(f"{self._proc}/{pid}/stat"))
        except OSError as error:
            if error.errno in _GONE | _DENIED:
                return None
            raise
        except ValueError:
            return None
        return Process(pid, *found)

    def update(self, process: Process) -> bool:
        """Read a process again; False where it has ended, even if its pid was given to another.

        Raises:
            OSError: it is there and can't be read.
        """
        try:
            process.stat, text = self._pread(process.stat, process.pid, "stat")
            # most processes of a build wait: nothing of their line changes
            found = parse_stat(text) if text != process.text else None
        except OSError as error:
            if error.errno in _GONE | _DENIED:
                return False
            raise
        except ValueError:
            return False
        if found is not None and found.start != process.start:
            return False
        before = (process.ticks, process.read_bytes, process.written_bytes)
        if found is not None:
            process.parent, _, process.ticks, process.pages, process.name, process.state, process.faults = found
            process.text = text
        self._update_io(process, keep=True)
        is_quiet = before == (process.ticks, process.read_bytes, process.written_bytes)
        process.quiet = process.quiet + 1 if is_quiet else 0
        return True

    def add_io(self, process: Process) -> None:
        """Read for the first time what a process moved from and to storage."""
        self._update_io(process, keep=False)

    def close(self, process: Process) -> None:
        """Give back the descriptors kept of a process."""
        for descriptor in (process.stat, process.io):
            if descriptor >= 0:
                os.close(descriptor)
                self._free += 1
        process.stat = process.io = -1

    def _update_io(self, process: Process, *, keep: bool) -> None:
        if process.denies_io:
            return
        try:
            if keep:
                process.io, text = self._pread(process.io, process.pid, "io")
            else:
                text = read(f"{self._proc}/{process.pid}/io")
            if text == process.io_text:
                return
            process.io_text, fields = text, text.split()
            process.read_bytes, process.written_bytes, process.reports_io = int(fields[9]), int(fields[11]), True
        except OSError as error:
            if error.errno in _DENIED or error.errno == errno.ENOENT:
                process.denies_io = True  # of another user, or a kernel without the account
            elif error.errno not in _GONE:
                raise

    def _pread(self, descriptor: int, pid: int, name: str) -> tuple[int, bytes]:
        """Return the descriptor, opened and kept where one is free, and what the file holds."""
        if descriptor < 0:
            if self._free <= 0:
                return -1, read(f"{self._proc}/{pid}/{name}")
            descriptor = os.open(f"{self._proc}/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
            self._free -= 1
            try:
                return descriptor, os.pread(descriptor, 4096, 0)
            except OSError:
                os.close(descriptor)
                self._free += 1
                raise
        return descriptor, os.pread(descriptor, 4096, 0)


class Stat(NamedTuple):
    """The fields of /proc/PID/stat that are used; `start` in clock ticks since boot."""

    parent: int
    start: int
    ticks: int
    pages: int
    name: str
    state: str
    faults: int


def parse_stat(text: bytes) -> Stat:
    """Return what is used of /proc/PID/stat; CPU ticks and faults with those of waited-for children.

    Raises:
        ValueError: this is no /proc/PID/stat.
    """
    # the name before the last parenthesis may itself hold parentheses, spaces and newlines
    end = text.rindex(b")")
    fields = text[end + 2 :].split(b" ", 22)
    if len(fields) < 22:
        raise ValueError("too few fields")
    ticks = int(fields[11]) + int(fields[12]) + int(fields[13]) + int(fields[14])
    name = text[text.index(b"(") + 1 : end].decode("utf-8", "replace")
    faults = int(fields[9]) + int(fields[10])
    return Stat(int(fields[1]), int(fields[19]), ticks, int(fields[21]), name, fields[0].decode(), faults)
