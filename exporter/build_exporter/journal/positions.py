"""Places in a journal, and reading on from them: how event pages and streams resume where they were left."""

from __future__ import annotations

import base64
import binascii
import os
import zlib
from typing import Final, NamedTuple

import msgspec

from build_exporter.journal.layout import run_path, runs
from build_exporter.model.names import MAX_LINE_BYTES, is_build_name, is_run_name

READ_BYTES: Final = 256 * 1024
"""Most that is read of a run's file at a time."""

PACKED_FROM: Final = 2048
"""Bytes from which a cursor is packed, so that one of hundreds of builds fits in the address of a request."""
_MAX_UNPACKED: Final = 512 * 1024
"""Several times what packs into an address, of builds with the longest names."""
MAX_TEXT: Final = 65_536
"""Characters of a cursor; addresses and headers have less room."""

_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class Position(NamedTuple):
    """A place in a build's journal: the run, and how many bytes of its file come before."""

    run: str
    offset: int


START: Final = Position("", 0)
"""Before the first run."""


class Line(NamedTuple):
    """A line of a run's file without its end, and the position after it."""

    after: Position
    data: bytes


class CursorError(ValueError):
    """A cursor is invalid, or its position no longer exists; the text says which."""


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Position of a reader of one or several builds: `time` (Unix seconds) when it was there, and each build's place.

    Builds that are not in it were over and unchanged for a while then.
    """

    time: float
    builds: dict[str, tuple[str, int]]

    def encode(self) -> str:
        """Return the cursor as text that may stand in a URL as it is."""
        data = msgspec.json.encode(self)
        data = data if len(data) < PACKED_FROM else zlib.compress(data, 1)
        return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode_cursor(text: str) -> Cursor:
    """Return the cursor that a text stands for.

    Raises:
        CursorError: it is none.
    """
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        data = data if data.startswith(b"[") else zlib.decompressobj().decompress(data, _MAX_UNPACKED)
        cursor = msgspec.json.decode(data, type=Cursor)
    except (msgspec.MsgspecError, binascii.Error, ValueError, RecursionError, zlib.error):
        raise CursorError("this is no cursor") from None
    for build, (run, offset) in cursor.builds.items():
        if not is_build_name(build) or (run and not is_run_name(run)) or not 0 <= offset < 2**63:
            raise CursorError("this is no cursor")
    return cursor


class Piece(NamedTuple):
    """Some whole lines in their order, and the position up to which was read."""

    lines: list[Line]
    after: Position


def read_on(root: str, build: str, begin: Position, end: Position) -> Piece:
    """Return the whole lines from one position on towards another, about `READ_BYTES` of them; all is read at `end`.

    Lines longer than a journal line may be are left out.

    Raises:
        CursorError: `begin` is no line's end, or its run is no longer there.
    """
    if begin == end:
        return Piece([], end)
    if begin > end:
        raise CursorError("the run of this cursor was removed or written anew")
    names = [name for name in runs(root, build) if begin.run <= name <= end.run]
    if begin.run and begin.run not in names:
        raise CursorError("the run of this cursor is no longer there")
    for run in names:
        offset = begin.offset if run == begin.run else 0
        limit = end.offset if run == end.run else None
        lines, position = _lines(run_path(root, build, run), run, offset, limit)
        if position > offset:
            return Piece(lines, Position(run, position))
        # nothing more in this run: what a crash left of a line at its end is no line
    return Piece([], end)


def _lines(path: str, run: str, offset: int, limit: int | None) -> tuple[list[Line], int]:
    data, position = _read(path, offset, limit)
    lines = []
    begin = offset
    for line in data.split(b"\n")[:-1]:
        begin += len(line) + 1
        if line and len(line) < MAX_LINE_BYTES:
            lines.append(Line(Position(run, begin), line))
    return lines, position


def _read(path: str, offset: int, limit: int | None) -> tuple[bytes, int]:
    """Return whole lines from an offset on, and where they end."""
    descriptor = os.open(path, _FLAGS)
    try:
        size = os.fstat(descriptor).st_size
        if offset > size or (offset and os.pread(descriptor, 1, offset - 1) != b"\n"):
            raise CursorError("the run of this cursor was written anew")
        size = size if limit is None else min(size, limit)
        data = os.pread(descriptor, min(READ_BYTES, max(0, size - offset)), offset)
        whole = data.rfind(b"\n") + 1
        if whole or len(data) < READ_BYTES:
            return data[:whole], offset + whole
        return b"", _end_of_line(descriptor, offset + len(data), size, offset)
    finally:
        os.close(descriptor)


def _end_of_line(descriptor: int, position: int, size: int, otherwise: int) -> int:
    """Return where a line that is too long ends, `otherwise` where it does not."""
    while position < size:
        data = os.pread(descriptor, min(READ_BYTES, size - position), position)
        end = data.find(b"\n") + 1
        if end or not data:
            return position + end
        position += len(data)
    return otherwise
