"""Append the events of one run to the journal, from any thread, without ever stopping the calling program."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Any

from build_exporter.journal.append import LINE_LIMIT, Writer
from build_exporter.journal.current import GOES_ON, join_run
from build_exporter.journal.layout import default_journal, pid_namespace, run_path
from build_exporter.journal.spool import keep
from build_exporter.model.events import Event, EventsLost, encode_line, event_name
from build_exporter.model.names import MAX_NAME_LENGTH, MAX_TEXT_LENGTH, is_build_name, run_name

log = logging.getLogger(__name__)


MAX_PENDING = 1000
"""Events kept in memory while they cannot be written."""


def name_of(text: str) -> str:
    """Return a text as a name an event may hold: not empty, and not longer than a label may be."""
    return readable(text)[:MAX_NAME_LENGTH] or "unnamed"


def text_of(text: str | None) -> str | None:
    """Return a text as an event may hold it; None stays None."""
    return None if text is None else readable(text)[: MAX_TEXT_LENGTH // 4]


def readable(text: str) -> str:
    """Return a text that can be written as UTF-8: what can't becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def process() -> dict[str, Any]:
    """Return the fields by which the exporter finds out that this process is gone."""
    return {"pid": os.getpid(), "pid_namespace": pid_namespace()}


def progress_fields(
    ratio: float | None, done: float | None, total: float | None, message: str | None
) -> dict[str, Any]:
    """Return the fields of a progress event: a ratio within 0 and 1, counts of 0 or more."""
    return {
        "ratio": None if ratio is None else min(1.0, max(0.0, ratio)),
        "done": None if done is None else max(0.0, done),
        "total": None if total is None else max(0.0, total),
        "message": text_of(message),
    }


class EventLog:
    """Appends events to a run of `build`: a new one, or the newest where that has not succeeded and `new` is false.

    Events that come before work goes on join the newest run even where that has succeeded.

    Raises:
        ValueError: `build` can't name a build.
    """

    def __init__(self, build: str, journal: str | None = None, *, new: bool = False) -> None:
        if not is_build_name(build):
            raise ValueError(f"{build!r} can't name a build: 1 to 100 of A-Z a-z 0-9 . _ + -")
        self.build = build
        self._journal = journal or default_journal()
        self._new = new
        self._lock = threading.Lock()
        self._writer: Writer | None = None
        self._goes_on = self._is_ours = False
        self._logged = False
        self._pending: list[bytes] = []
        self._lost = 0
        self._newest = 0.0

    @property
    def path(self) -> str | None:
        """The run's file, None before the first event."""
        return None if self._writer is None else self._writer.path

    def now(self) -> float:
        """Return the time for an event, Unix seconds: later than that of any earlier event."""
        with self._lock:
            # two events of the same time would be one
            self._newest = max(round(time.time(), 6), self._newest + 1e-6)
            return self._newest

    def append(self, event: Event) -> bool:
        """Append an event; False when it could not be written, which is tried again with the next one."""
        with self._lock:
            try:
                line = encode_line(event)
                if len(line) > LINE_LIMIT:
                    raise ValueError(f"an event of {len(line)} bytes, a line holds {LINE_LIMIT}")
                self._pending.append(line)
                writer = self._join(event)
                writer.append_lines(self._report_lost(event.time) + b"".join(self._pending))
            except (OSError, ValueError) as error:
                self._drop_oldest()
                if not self._logged:
                    log.warning("the build's events can't be written: %s", error)
                    self._logged = True
                return False
            self._pending.clear()
            self._lost = 0
        return True

    def _join(self, event: Event) -> Writer:
        """Return the writer of the newest run, of one that is not over as soon as work goes on."""
        # those that are not yet written count too
        self._goes_on = self._goes_on or self._new or event_name(event) in GOES_ON
        if self._writer is None or (self._goes_on and not self._is_ours):
            path = join_run(self._journal, self.build, event.time, resume=True, new=self._new, goes_on=self._goes_on)
            if self._writer is not None:
                self._writer.close()
            self._writer, self._is_ours = Writer(path), self._goes_on
        return self._writer

    def _report_lost(self, now: float) -> bytes:
        return encode_line(EventsLost(time=now, build=self.build, count=self._lost)) if self._lost else b""

    def _drop_oldest(self) -> None:
        surplus = max(0, len(self._pending) - MAX_PENDING)
        del self._pending[:surplus]
        self._lost += surplus

    def close(self) -> None:
        """Close the file; events that could not be written are kept for when there is room again."""
        with self._lock:
            path = self.path or run_path(self._journal, self.build, run_name(self._newest))
            if self._writer is not None:
                self._writer.close()
            if self._pending:
                keep(path, self._report_lost(self._newest) + b"".join(self._pending), time.time())
                self._pending.clear()
