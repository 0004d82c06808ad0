"""Appending events that come from elsewhere to the runs they belong to, by the rule that every writer follows."""

from __future__ import annotations

import os
from dataclasses import dataclass

from build_exporter.journal.append import Writer
from build_exporter.journal.current import join_run
from build_exporter.journal.layout import newest_run
from build_exporter.model.names import run_start

MAX_OPEN = 64
"""Run files that are kept open between batches."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines of one run of one build.

    Attributes:
        build: a valid build name.
        lines: whole lines.
        began: the time of the first event, Unix seconds. A run that has to be made begins then, or after the start of
            the newest one, whichever is later.
        goes_on: whether an event says that work goes on; others, such as notes, join even a run that is over.
        starts: whether the first event begins a run; it takes up a newest one that has failed.
        ends: whether the last event ends the run.
    """

    build: str
    lines: bytes
    began: float
    goes_on: bool
    starts: bool
    ends: bool


@dataclass(slots=True)
class _Open:
    """A run that was written to: its file, and what file and directory looked like after that."""

    writer: Writer
    stamp: tuple[int, int, int] | None
    over: bool


class Ingest:
    """Appends batches of lines to the newest unfinished run of their build, or to a new one."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._open: dict[str, _Open] = {}

    def append_at_once(self, piece: Piece) -> bool:
        """Append a piece that goes to an open run, which does not block; return whether it does.

        Raises:
            OSError: the journal can't be written.
        """
        known = self._ready(piece)
        if known is not None:
            self._write(known, piece)
        return known is not None

    def append(self, piece: Piece) -> None:
        """Append the lines of a piece by one write.

        Raises:
            OSError: the journal can't be written.
        """
        known = self._ready(piece)
        if known is None:
            if piece.build in self._open:
                self._open.pop(piece.build).writer.close()
            known = _Open(Writer(self._join(piece)), None, over=False)
        self._write(known, piece)

    def _ready(self, piece: Piece) -> _Open | None:
        """Return the open run that a piece goes to, None where another one is to be found or made."""
        known = self._open.get(piece.build)
        if known is None or piece.starts or (known.over and piece.goes_on):
            return None
        is_same = known.stamp is not None and known.stamp == self._stamp(piece.build, known.writer)
        return known if is_same else None

    def _write(self, known: _Open, piece: Piece) -> None:
        build = piece.build
        self._open.pop(build, None)
        try:
            known.writer.append_lines(piece.lines)
        except OSError:
            known.writer.close()
            raise
        known.over = piece.ends or (known.over and not piece.goes_on)
        known.stamp = self._stamp(build, known.writer)
        self._open[build] = known
        if len(self._open) > MAX_OPEN:
            self._open.pop(next(iter(self._open))).writer.close()

    def close(self) -> None:
        """Close all files."""
        for known in self._open.values():
            known.writer.close()
        self._open.clear()

    def _join(self, piece: Piece) -> str:
        newest = newest_run(self.root, piece.build)
        began = piece.began
        if newest is not None:
            began = max(began, run_start(newest.rpartition("/")[2][:16]) + 1.0)
        return join_run(self.root, piece.build, began, resume=piece.starts, goes_on=piece.goes_on)

    def _stamp(self, build: str, writer: Writer) -> tuple[int, int, int] | None:
        """Return what changes when another writer appends to the run, or begins another one; None without the file."""
        try:
            found = os.stat(writer.path)
            return (found.st_ino, found.st_size, os.stat(f"{self.root}/{build}").st_mtime_ns)
        except OSError:
            return None
