"""Read whole lines from one file through appends, torn tails, truncation and replacement."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass

from build_exporter.model.names import MAX_LINE_BYTES

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

    def read(self) -> Chunk | None:
        """Return the next chunk of whole lines, None when there is nothing new.

        Raises:
            OSError: the file can't be opened or read.
        """
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
        self._offset += len(data)
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
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        self.close()
        # never wait on a FIFO put where a run should be
        self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        found = os.fstat(self._descriptor)
        if not stat.S_ISREG(found.st_mode):
            self.close()
            raise OSError(errno.EINVAL, "not a regular file", self.path)
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
