"""Attaching a source to the journal: what it tells goes into run files, less what they already hold."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from build_exporter.journal.append import Writer
from build_exporter.journal.decode import Decoder
from build_exporter.journal.layout import run_path
from build_exporter.journal.lines import LineFile
from build_exporter.model.events import Event, Plan, encode_line
from build_exporter.model.names import MAX_LINE_BYTES, run_name
from build_exporter.sources.known import is_known, is_known_by_count
from build_exporter.sources.protocol import Remembering, Source, Told
from build_exporter.tracker import Run, apply, apply_all

KEPT_RUNS = 4
"""Runs a source may go back to without their file being read again."""


class Attachment:
    """One source writing to one journal.

    It reads what a run's file holds when the source first tells of that run: after a restart, or when attached to a
    build that was followed before, only the difference is appended.

    Attributes:
        source: what is attached.
        taken: how many events it has told so far, known ones among them: what does not rise does not move.
    """

    def __init__(self, source: Source, journal: str) -> None:
        self.source = source
        self.taken = 0
        self._journal = journal
        self._runs: dict[str, tuple[Run, Writer]] = {}
        if isinstance(source, Remembering):
            source.remember(journal)

    def look(self, now: float, *, over: bool = False) -> int:
        """Append what the record tells since the last look; return how many lines that was.

        Raises:
            SourceError: the record can't be read.
            OSError: the journal can't be read or written.
        """
        return sum(self._take(told) for told in self.source.look(now, over=over))

    def runs(self) -> list[str]:
        """Return the names of the runs written to lately, oldest first."""
        return sorted(self._runs)

    def close(self) -> None:
        """Close the files."""
        for _, writer in self._runs.values():
            writer.close()
        self._runs.clear()

    def _take(self, told: Told) -> bool:
        self.taken += 1
        run, writer = self._run(run_name(told.run_start))
        if told.closes and (run.start is None or run.status is not None):
            return False
        if is_known_by_count(run, told.event, told.nth) if told.nth else is_known(run, told.event):
            return False
        for line in lines_of(told.event):
            writer.append(line)
        apply(run, told.event)
        return True

    def _run(self, name: str) -> tuple[Run, Writer]:
        found = self._runs.get(name)
        if found is None:
            path = run_path(self._journal, self.source.build, name)
            found = self._runs[name] = (read_run(path, self.source.build, name), Writer(path))
            while len(self._runs) > KEPT_RUNS:
                self._runs.pop(next(iter(self._runs)))[1].close()
        return found


def read_run(path: str, build: str, name: str) -> Run:
    """Return the state a run's file amounts to; an empty run where there is no file.

    Raises:
        OSError: the file is there and can't be read.
    """
    run = Run(build, name)
    file = LineFile(path)
    decoder = Decoder()
    try:
        while (chunk := file.read()) is not None:
            apply_all(run, decoder.decode(chunk.data, build) if chunk.data else [])
    except FileNotFoundError:
        pass
    finally:
        file.close()
    return run


def lines_of(event: Event) -> Iterator[bytes]:
    """Yield the event's lines: one, or as many as a long plan needs.

    Raises:
        ValueError: it is too long for a line and can't be parted.
    """
    line = encode_line(event)
    if len(line) <= MAX_LINE_BYTES:
        yield line
        return
    if not isinstance(event, Plan) or len(event.steps) < 2:
        raise ValueError(f"an event of {len(line)} bytes fits no line")
    middle = len(event.steps) // 2
    yield from lines_of(msgspec.structs.replace(event, steps=event.steps[:middle]))
    yield from lines_of(msgspec.structs.replace(event, steps=event.steps[middle:], milestones=None, continues=True))
