"""Read foreign files as they grow, are truncated, replaced or broken. Nothing here interprets lines.

`TailFile` follows a file that grows. `read_ends` takes the beginning and the end of one, whatever is between.
`Directory` lists new names in a directory and costs one `stat` while nothing changes.
A file of a record is opened for each poll and closed again, so that the file system it is on can be unmounted.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from build_exporter.sources.lines import LINE_BYTES, LineCutter, decoded
from build_exporter.sources.links import check_links

POLL_BYTES: Final = 1024 * 1024
"""Most that one poll reads of a file; the rest comes with the next."""

GRAIN_NS: Final = 50_000_000
"""A directory changed this recently may change again within the same tick of its time stamp."""

FUTURE_SECONDS: Final = 86400.0
"""Most seconds between the clocks of one record."""

_BEGINNING_BYTES: Final = 256
"""Bytes of a file's beginning that are remembered, to distinguish a rewritten file from a grown one."""

_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


@dataclass(frozen=True, slots=True)
class Lines:
    """Result of one poll of a file.

    Attributes:
        lines: whole lines without their ends.
        from_start: the file was replaced or rewritten, `lines` start at its beginning.
        skipped: bytes left out before `lines`, where only the end of a file is wanted.
        more: there is more to read; poll again.
    """

    lines: list[str]
    from_start: bool = False
    skipped: int = 0
    more: bool = False


class Block(NamedTuple):
    """The same as bytes: `data` are whole lines with their ends."""

    data: bytes
    from_start: bool = False
    skipped: int = 0
    more: bool = False


_NOTHING: Final = Block(b"")


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on reading a file, in bytes.

    Attributes:
        poll_bytes: most that one poll reads.
        line: longest line; what is beyond is cut.
        last: read only so much of the end whenever more than that is waiting; None to read everything.
    """

    poll_bytes: int = POLL_BYTES
    line: int = LINE_BYTES
    last: int | None = None


def open_regular(path: Path, *, follow_links: bool = True) -> int:
    """Open a regular file for reading and return its descriptor; never waits, never opens a device or FIFO.

    Args:
        path: the file.
        follow_links: whether the last component may be a symbolic link. A file found inside a tree that somebody
            else writes should not be one: it could lead to what only this process may read.

    Raises:
        OSError: it can't be opened, is no regular file or one of the kernel's, or another user's link leads where that
            user may not read.
    """
    descriptor = os.open(path, _FLAGS | (0 if follow_links else os.O_NOFOLLOW))
    try:
        found = os.fstat(descriptor)
        # an event may name /proc/self/environ as its log
        if not stat.S_ISREG(found.st_mode) or found.st_dev in _of_kernel():
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        check_links(path, descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def may_be_read_to(record: str, path: Path) -> bool:
    """Return whether a file may be read to the user whose record names it: it belongs to him, or he is root.

    Raises:
        OSError: one of them can't be opened, or `path` is a link or no regular file.
    """
    writer = os.stat(record).st_uid  # noqa: PTH116 - each poll for each step
    if writer == 0:
        return True
    descriptor = open_regular(path, follow_links=False)
    try:
        return os.fstat(descriptor).st_uid == writer
    finally:
        os.close(descriptor)


@cache
def _of_kernel() -> frozenset[int]:
    places = (Path("/proc"), Path("/sys"))
    return frozenset(place.stat().st_dev for place in places if place.is_mount())


class TailFile:
    """Follows one file: each `read` returns the whole lines that have come since the last.

    A file truncated, replaced or rewritten is read from its beginning (`Lines.from_start`). A renamed file loses what
    was written after the last poll, unless it is `held`.

    Attributes:
        path: the file, which may appear later.
        bytes_read: how many bytes were read of it so far.
        changed: Unix seconds of its last change at the newest read, 0 before.
    """

    def __init__(self, path: Path, limits: Limits = Limits(), *, hold: bool = False, follow_links: bool = True) -> None:
        """Follow `path`.

        Args:
            path: the file.
            limits: how much of it is read.
            hold: keep the file open between polls, so that the rest of one renamed away is read. Its file system
                can't be unmounted meanwhile.
            follow_links: see `open_regular`.
        """
        self.path = path
        self.bytes_read = 0
        self.changed = 0.0
        self._limits = limits
        self._hold = hold
        self._follow_links = follow_links
        self._cutter = LineCutter(limits.line)
        self._descriptor = -1
        self._seen: tuple[int, int, int, int] | None = None
        self._identity: tuple[int, int] | None = None
        self._beginning = b""
        self._offset = 0

    @property
    def torn(self) -> str:
        """The beginning of a last line that has no end yet."""
        return self._cutter.torn

    def latest(self, now: float) -> float:
        """Return the Unix seconds after which no line can have been written; a date beyond is damage.

        The clock of this machine, `now`, may be behind: one without a battery starts in another year.
        """
        return max(now, self.changed) + FUTURE_SECONDS

    @property
    def position(self) -> int:
        """Bytes from the file's beginning to where the next poll begins."""
        return self._offset

    def read(self, *, over: bool = False) -> Lines:
        """Return what is new as text; with `over` a last line without its end counts as one.

        Raises:
            OSError: the file can't be opened or read, or is no regular file. A later call tries again.
        """
        block = self.read_block(over=over)
        return Lines(self._cutter.lines(block.data), block.from_start, block.skipped, block.more)

    def read_block(self, *, over: bool = False) -> Block:
        """Return what is new as bytes, a line too long not cut everywhere; else as `read`."""
        descriptor = self._open()
        try:
            found = os.fstat(descriptor)
            self.changed = milliseconds(found.st_mtime_ns)
            seen = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
            if seen == self._seen and self._offset >= found.st_size:
                result = _NOTHING
            else:
                result = self._read(descriptor, found)
                self._seen = seen
            if not result.more and self._hold and self._is_replaced(found):
                # what the old file still held has been read: the next poll begins with the other
                result = result._replace(data=result.data + self._cutter.flush_block(), more=True)
                self.close()
        finally:
            if not self._hold and self._descriptor >= 0:
                self.close()
        if over and not result.more:
            result = result._replace(data=result.data + self._cutter.flush_block())
        return result

    def close(self) -> None:
        """Close the file where it is open; the next `read` opens it again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> int:
        if self._descriptor < 0:
            self._descriptor = open_regular(self.path, follow_links=self._follow_links)
        return self._descriptor

    def _read(self, descriptor: int, found: os.stat_result) -> Block:
        from_start = self._is_rewritten(descriptor, found)
        if from_start:
            self._offset = 0
            self._cutter.reset()
            self._identity = (found.st_dev, found.st_ino)
        skipped = self._skip(descriptor, found.st_size)
        data = os.pread(descriptor, self._limits.poll_bytes, self._offset)
        self._remember_beginning(data, from_start=from_start)
        self._offset += len(data)
        self.bytes_read += len(data)
        return Block(self._cutter.block(data), from_start, skipped, more=bool(data) and self._offset < found.st_size)

    def _is_rewritten(self, descriptor: int, found: os.stat_result) -> bool:
        if self._identity != (found.st_dev, found.st_ino) or found.st_size < self._offset:
            return True
        begins = os.pread(descriptor, len(self._beginning), 0)
        self.bytes_read += len(begins)
        return begins != self._beginning

    def _skip(self, descriptor: int, size: int) -> int:
        if self._limits.last is None or size - self._offset <= self._limits.last:
            return 0
        begin = size - self._limits.last
        skipped, self._offset = begin - self._offset, begin
        self._cutter.skip_to_line_end()
        if os.pread(descriptor, 1, begin - 1) == b"\n":
            self._cutter.reset()
        return skipped

    def _remember_beginning(self, data: bytes, *, from_start: bool) -> None:
        if from_start:
            self._beginning = b""
        if len(self._beginning) < _BEGINNING_BYTES and self._offset == len(self._beginning):
            self._beginning += data[: _BEGINNING_BYTES - len(self._beginning)]

    def _is_replaced(self, held: os.stat_result) -> bool:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            # moved away, and the new one is not there yet: the old may still be written to
            return False
        return (found.st_dev, found.st_ino) != (held.st_dev, held.st_ino)


@dataclass(frozen=True, slots=True)
class Ends:
    """The beginning and the end of a file, its size in bytes, the Unix seconds of its last change (to the ms)."""

    head: str
    tail: str
    size: int
    changed: float


def read_ends(path: Path, head_bytes: int, tail_bytes: int, *, follow_links: bool = True) -> Ends:
    """Return the first and the last bytes of a file as text; they may overlap in a short one.

    Raises:
        OSError: it can't be opened or read, or is no regular file.
    """
    descriptor = open_regular(path, follow_links=follow_links)
    try:
        found = os.fstat(descriptor)
        size = found.st_size
        head = os.pread(descriptor, head_bytes, 0) if head_bytes else b""
        begin = max(0, size - tail_bytes)
        tail = head[begin:] if size <= len(head) else os.pread(descriptor, tail_bytes, begin)
    finally:
        os.close(descriptor)
    return Ends(decoded(head), decoded(tail), size, milliseconds(found.st_mtime_ns))


class Directory:
    """Names in a directory, listed again only when its time stamp changes.

    Attributes:
        path: the directory.
        names: what was there at the last listing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: frozenset[str] = frozenset()
        self._stamp = (-1, -1, -1)
        self._listed_ns = 0

    def poll(self) -> frozenset[str]:
        """Return the names that have come since the last poll; `names` is another object where any came or went.

        Raises:
            OSError: the directory can't be read; `names` stays as it was.
        """
        found = self.path.stat()
        stamp = (found.st_dev, found.st_ino, found.st_mtime_ns)
        if stamp == self._stamp and self._listed_ns - found.st_mtime_ns > GRAIN_NS:
            return frozenset()
        listed_ns = time.time_ns()
        names = frozenset(os.listdir(self.path))  # noqa: PTH208 - names are wanted, not a Path for each
        came = names - self.names
        if names != self.names:
            self.names = names
        self._stamp, self._listed_ns = stamp, listed_ns
        return came


def milliseconds(nanoseconds: int) -> float:
    """Return a file's time in Unix seconds, rounded to the millisecond, so that it is stable."""
    return round(nanoseconds / 1e9, 3)
