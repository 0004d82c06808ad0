"""Attach a source to the journal: append its events to run files, without those they already hold."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from build_exporter.diagnostics.diagnosis import class_of
from build_exporter.journal.append import Writer
from build_exporter.journal.decode import Decoder
from build_exporter.journal.layout import run_path
from build_exporter.journal.lines import LineFile
from build_exporter.model.event_names import clean_names, mask_names
from build_exporter.model.events import BuildStarted, Event, StepFinished, StepStarted, encode_line
from build_exporter.model.names import run_name
from build_exporter.model.states import BuildState
from build_exporter.sources.dedup import is_recorded, is_recorded_by_count
from build_exporter.sources.event_lines import lines_of
from build_exporter.sources.protocol import JournalAware, Source, SourceEvent
from build_exporter.sources.step_logs.backfill import BACKFILL_SECONDS, backfill
from build_exporter.sources.step_logs.expected_failures import ExpectedFailurePatterns
from build_exporter.tracker import Key, Run, Step, apply, apply_all

KEPT_RUNS = 4
"""Runs a source may go back to without their file being read again."""

FIRST_READ_SECONDS: Final = 20.0
"""Seconds for which the first poll of a record reads the logs of steps that ended before …"""

READ_SECONDS: Final = 0.1
"""… and of each further poll: events of running steps must not wait for it."""


class Attachment:
    """One source writing to one journal.

    It reads a run's file when the source first emits an event of that run: after a restart, or when attached to a
    build that was followed before, only the difference is appended. The logs of steps whose end it is first to record,
    long after it came, are read once for tests and warnings.

    Attributes:
        source: what is attached.
        taken: number of events emitted so far, including known ones; if it does not rise, the source makes no progress.
        record: the path it reads, None where only the source knows it.
    """

    def __init__(
        self,
        source: Source,
        journal: str,
        known_failures: Callable[[Step], ExpectedFailurePatterns] | None = None,
        record: Path | None = None,
    ) -> None:
        """Attach a source to a journal; `known_failures`: tests known to fail, by default the shipped lists."""
        self.source = source
        self.taken = 0
        self.record = record
        self._journal = journal
        self._runs: dict[str, tuple[Run, Writer]] = {}
        self._known_failures = known_failures
        self._ended: deque[tuple[str, Key]] = deque()
        self._read_seconds = FIRST_READ_SECONDS
        self._events: Iterator[SourceEvent] = iter(())
        self._pending_event: SourceEvent | None = None
        if isinstance(source, JournalAware):
            source.remember(journal)

    def poll(self, now: float, *, over: bool = False) -> int:
        """Append the record's new events; return how many lines that was.

        Raises:
            SourceError: the record can't be read.
            OSError: the journal can't be read or written.
        """
        lines = 0
        try:
            # first the event that could not be written before: a source emits each event once
            lines += self._take_all(now, over=over)
            self._events = iter(self.source.poll(now, over=over))
            lines += self._take_all(now, over=over)
        finally:
            # a partly unreadable record has emitted the rest
            lines += self._read_ended(over=over)
        return lines

    def _take_all(self, now: float, *, over: bool) -> int:
        lines = 0
        while (emitted := self._pending_event or next(self._events, None)) is not None:
            self._pending_event = emitted
            try:
                is_new = self._take(emitted)
            except OSError as error:
                # whose path says little of what it is, and nothing is wrong with the record
                what = error.strerror or str(error)
                where = f"{error.filename}: " if error.filename else ""
                raise OSError(f"the journal can't be written: {where}{what}") from error
            except BaseException:
                self._pending_event = None
                raise
            self._pending_event = None
            lines += is_new
            if (
                is_new
                and isinstance(emitted.event, StepFinished)
                and (over or emitted.event.time < now - BACKFILL_SECONDS)
            ):
                self._ended.append((run_name(emitted.run_start), (emitted.event.phase, emitted.event.step)))
        return lines

    def _read_ended(self, *, over: bool) -> int:
        """Read logs of steps that ended before the exporter ran; return how many lines that gave."""
        lines = 0
        until = time.perf_counter() + self._read_seconds
        self._read_seconds = READ_SECONDS
        while self._ended and (over or time.perf_counter() < until):
            name, key = self._ended.popleft()
            run, writer = self._run(name)
            step = run.steps.get(key)
            for event in list(backfill(run, step, self._known_failures)) if step is not None else ():
                if not is_recorded(run, event):
                    writer.append(encode_line(event))
                    apply(run, event)
                    lines += 1
        return lines

    def runs(self) -> list[str]:
        """Return the names of the runs written to lately, oldest first."""
        return sorted(self._runs)

    def close(self) -> None:
        """Close the files, those that the source holds open too."""
        close = getattr(self.source, "close", None)
        if close is not None:
            close()
        for _, writer in self._runs.values():
            writer.close()
        self._runs.clear()

    def _take(self, emitted: SourceEvent) -> bool:
        self.taken += 1
        # as they are read again: what is known is found by its names
        clean_names(emitted.event)
        mask_names(emitted.event)
        run, writer = self._run(run_name(emitted.run_start))
        if emitted.closes and (run.start is None or run.status is not None):
            return False
        if is_recorded_by_count(run, emitted.event, emitted.nth) if emitted.nth else is_recorded(run, emitted.event):
            return False
        event = emitted.event
        if isinstance(event, StepFinished) and event.status == "failed" and event.error_class is None:
            event.error_class = class_of(event.message, event.exit_code, event.signal)
        if isinstance(event, StepStarted) and run.status == BuildState.SUCCEEDED and event.time >= (run.end or 0.0):
            # it was taken for over by a poll before a restart
            self._append(run, writer, BuildStarted(time=event.time, build=event.build))
        self._append(run, writer, event)
        return True

    def _append(self, run: Run, writer: Writer, event: Event) -> None:
        for line in lines_of(event):
            writer.append(line)
        apply(run, event)

    def _run(self, name: str) -> tuple[Run, Writer]:
        found = self._runs.get(name)
        if found is None:
            path = run_path(self._journal, self.source.build, name)
            found = self._runs[name] = (read_run(path, self.source.build, name), Writer(path))
            while len(self._runs) > KEPT_RUNS:
                self._runs.pop(next(iter(self._runs)))[1].close()
        return found


def read_run(path: str, build: str, name: str) -> Run:
    """Return the state of a run's file; an empty run without a file.

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
