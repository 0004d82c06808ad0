"""Writing to the journal: one line, one `write()` on a descriptor opened for appending.

The kernel serialises appends to a file, so any number of writers share a run without locks, and a line is either
there whole or, after a crash in mid-write, torn at the end where the reader waits for its rest.
"""

from __future__ import annotations

import os

LINE_LIMIT = 64 * 1024


class Writer:
    """Appends lines to one run file, made with its directory at the first line.

    Errors are the caller's to swallow: a build goes on without its monitor.
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
        """Append whole lines by one write; one that a full disk cut short is ended so that the next is not glued to it.

        Raises:
            OSError: the file can't be made or written.
        """
        if self._descriptor < 0:
            self._descriptor = self._open()
        written = os.write(self._descriptor, lines)
        if written < len(lines):
            # what follows must not be glued to the torn line
            os.write(self._descriptor, b"\n")
            raise OSError(28, "only part of the line could be written", self.path)

    def close(self) -> None:
        """Close the file; a later append opens it again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
        try:
            return os.open(self.path, flags, 0o644)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            return os.open(self.path, flags, 0o644)
