"""Append to the journal: one line, one `write()`, opened with O_APPEND.

The kernel serialises appends to a file, so any number of writers share a run without locks, and a line is either
there whole or, after a crash in mid-write, torn at the end where the reader waits for its rest.
"""

from __future__ import annotations

import errno
import os

LINE_LIMIT = 64 * 1024


class Writer:
    """Appends lines to one run file, made with its directory at the first line.

    Errors are the caller's to swallow: a build continues without its monitor.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor = -1

    def append(self, line: bytes) -> None:
        """Append one line, newline included, by one write.

        Raises:
            OSError: the file can't be made or written.
            ValueError: the line is longer than a reader accepts, or is not one line.
        """
        if len(line) > LINE_LIMIT or line.find(b"\n") != len(line) - 1:
            raise ValueError(f"an event is one line of at most {LINE_LIMIT} bytes, got {len(line)}")
        self.append_lines(line)

    def append_lines(self, lines: bytes) -> None:
        """Append whole lines by one write, never glued to a line that a crash or a full disk left without its end.

        Raises:
            OSError: the file can't be made or written.
        """
        if self._descriptor < 0:
            self._descriptor = self._open()
        if self._ends_torn():
            # where that was another's write half seen, this makes an empty line, which is nothing
            lines = b"\n" + lines
        written = os.write(self._descriptor, lines)
        if written < len(lines):
            try:
                os.write(self._descriptor, b"\n")
            finally:
                raise OSError(errno.ENOSPC, "only part of the line could be written", self.path)

    def close(self) -> None:
        """Close the file; a later append opens it again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> int:
        # O_NONBLOCK: never wait on a FIFO put where a run should be
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
        try:
            return os.open(self.path, flags, 0o644)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            return os.open(self.path, flags, 0o644)

    def _ends_torn(self) -> bool:
        size = os.fstat(self._descriptor).st_size
        return size > 0 and os.pread(self._descriptor, 1, size - 1) != b"\n"
