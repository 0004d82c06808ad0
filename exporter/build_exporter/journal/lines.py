"""Read whole lines from one file through appends, torn tails, truncation and replacement."""

from __future__ import annotations

import errno
import os
import stat
import time
from dataclasses import dataclass

from build_exporter.model.names import MAX_LINE_BYTES

HEAD_BYTES = 256
"""Identifies a file besides its inode, which a new file may reuse."""

CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines as read; `from_start` when the file was rewritten, `too_long` counts lines over the limit."""

    data: bytes
    from_start: bool = False
    too_long: int = 0


class LineFile:
    """Reads what was appended to a file since the last poll, in chunks of whole lines.

    A last line without its newline waits until the rest has come. A line longer than a journal line may be is skipped.

    Attributes:
        position: where in the file the newest whole line that was read ends.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.position = 0
        self._descriptor = -1
        self._inode = (0, 0)
        self._offset = 0
        self._torn = b""
        self._skipping = False
        self._resting = False
        self._head = b""
        self._grew = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it holds a descriptor."""
        return self._descriptor >= 0

    def quiet_seconds(self) -> float:
        """Return for how long nothing has been read from it."""
        return time.monotonic() - self._grew

    def read(self) -> Chunk | None:
        """Return the next chunk of whole lines, None when there is nothing new.

        Raises:
            OSError: the file can't be opened or read.
        """
        if self._resting and not self._wake():
            return None
        from_start = self._descriptor < 0
        if from_start:
            self._open()
        data = os.read(self._descriptor, CHUNK_BYTES)
        if not data and not from_start and os.fstat(self._descriptor).st_size < self._offset:
            self._open()
            from_start = True
            data = os.read(self._descriptor, CHUNK_BYTES)
        if not data:
            return Chunk(b"", from_start=True) if from_start else None
        if not self._offset:
            self._head = data[:HEAD_BYTES]
        self._offset += len(data)
        self._grew = time.monotonic()
        return self._whole_lines(data, from_start=from_start)

    def check_replaced(self) -> None:
        """Let go of a file that another has taken the place of, or that is gone: the next read starts again."""
        try:
            found = os.stat(self.path)
        except OSError:
            # the next read shows what it is
            self.close()
            return
        if (found.st_dev, found.st_ino) != self._inode:
            self.close()

    def close(self) -> None:
        """Close the file; the next read starts from its beginning."""
        self._resting = False
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def rest(self) -> None:
        """Close the file until it changes; the next read goes on where the last one ended."""
        if self._descriptor >= 0:
            self.close()
            self._resting = True

    def _wake(self) -> bool:
        """Open a resting file again where it has changed; return False where it has not."""
        found = os.stat(self.path)
        is_same = (found.st_dev, found.st_ino) == self._inode
        if is_same and found.st_size == self._offset:
            return False
        self._resting = False
        if is_same and found.st_size > self._offset:
            self._descriptor = open_regular(self.path)
            if os.pread(self._descriptor, len(self._head), 0) == self._head:
                os.lseek(self._descriptor, self._offset, os.SEEK_SET)
            else:
                # another file that was given the number of the one before
                self.close()
        return True

    def _open(self) -> None:
        self.close()
        self._descriptor = open_regular(self.path)
        found = os.fstat(self._descriptor)
        self._inode = (found.st_dev, found.st_ino)
        self._offset = self.position = 0
        self._torn = b""
        self._skipping = False

    def _whole_lines(self, data: bytes, *, from_start: bool) -> Chunk:
        too_long = 0
        if self._skipping:
            end = data.find(b"\n")
            if end < 0:
                return Chunk(b"", from_start)
            data = data[end + 1 :]
            self._skipping = False
        if self._torn:
            data = self._torn + data
        cut = data.rfind(b"\n") + 1
        self._torn = data[cut:]
        self.position = self._offset - len(self._torn)
        if len(self._torn) >= MAX_LINE_BYTES:
            self._torn = b""
            self._skipping = True
            too_long = 1
        whole = data[:cut]
        if len(whole) > MAX_LINE_BYTES:
            whole, dropped = without_long_lines(whole)
            too_long += dropped
        return Chunk(whole, from_start, too_long)


def open_regular(path: str) -> int:
    """Return a descriptor of a file open for reading; never wait on a FIFO put where a file should be.

    Raises:
        OSError: it can't be opened or is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return descriptor


def without_long_lines(data: bytes) -> tuple[bytes, int]:
    """Return whole lines without those longer than a journal line may be, and how many were left out."""
    kept: list[bytes] = []
    dropped = start = position = 0
    while len(data) - position > MAX_LINE_BYTES:
        end = data.rfind(b"\n", position, position + MAX_LINE_BYTES) + 1
        if end:
            position = end
            continue
        kept.append(data[start:position])
        dropped += 1
        start = position = data.find(b"\n", position) + 1
    kept.append(data[start:])
    return b"".join(kept), dropped
