"""Decode lines to events. A bad line is counted by reason and skipped."""

from __future__ import annotations

import contextlib
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final

import msgspec

from build_exporter.journal.coalesce import coalesce
from build_exporter.model.event_names import clean_names
from build_exporter.model.events import AnyEvent, Event
from build_exporter.model.names import FUTURE_TOLERANCE_SECONDS, MAX_LINE_BYTES, is_build_name


class Reason(StrEnum):
    """Why a line was not taken."""

    TOO_LONG = "too-long"
    NOT_UTF8 = "not-utf-8"
    NOT_JSON = "not-json"
    NOT_AN_OBJECT = "not-an-object"
    WRONG_FIELD = "wrong-field"
    FUTURE = "future"
    WRONG_BUILD = "wrong-build"


UNKNOWN_EVENT = "unknown"
MOST_EXPECTED_BYTES = 1024 * 1024
"""Bytes of lines whose events are kept at most until the lines are read."""

_BEGINNINGS: Final = (b'{"time":', b'{"event":')
MOST_GLUED: Final = 64
"""Events that are looked for in one line: each that is torn costs an exception."""
_BEGIN: Final = re.compile(rb'(?=\{"(?:time|event)":)')
_REFUSED: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(AnyEvent)


class _Header(msgspec.Struct):
    time: float
    event: str
    build: str


_header_decoder = msgspec.json.Decoder(_Header)


def refusal(line: bytes, error: Exception) -> Reason | None:
    """Return why a line could not be decoded, None where it is a well-formed line of an unknown event."""
    if isinstance(error, msgspec.ValidationError):
        if not line.lstrip().startswith(b"{"):
            return Reason.NOT_AN_OBJECT
        return None if "`$.event`" in str(error) and _is_unknown_event(line) else Reason.WRONG_FIELD
    try:
        line.decode()
    except UnicodeDecodeError:
        return Reason.NOT_UTF8
    return Reason.NOT_JSON


def _is_unknown_event(line: bytes) -> bool:
    try:
        _header_decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def judge(line: bytes, horizon: float) -> tuple[Event | None, Reason | None, str]:
    """Return the event of one line, why it can't be taken, and what is wrong with it in words.

    Neither event nor reason: a well-formed line of an event this version does not know.
    """
    if len(line) >= MAX_LINE_BYTES:
        return None, Reason.TOO_LONG, f"a line has at most {MAX_LINE_BYTES} bytes"
    try:
        line.decode()
        event = _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        reason = refusal(line, error)
        return None, reason, str(error) if reason is not None else ""
    if event.time > horizon:
        return None, Reason.FUTURE, "time is more than a day ahead"
    if not is_build_name(event.build):
        return None, Reason.WRONG_FIELD, "build is 1 to 100 of A-Z a-z 0-9 . _ + -"
    return event, None, ""


def glued(line: bytes) -> tuple[list[Event], bool]:
    """Return the events in a line that is none by itself, and whether they are all that is in it.

    A writer that was killed in the middle of a line, or before its end, leaves the next writer's line glued to it. No
    text within a line can look like the beginning of one: its quotes are escaped.
    """
    if all(line.find(begin, 1) < 0 for begin in _BEGINNINGS):
        return [], False
    pieces = list(filter(None, _BEGIN.split(line, MOST_GLUED)))
    found = []
    for piece in pieces:
        with contextlib.suppress(*_REFUSED):
            piece.decode()
            found.append(_decoder.decode(piece))
    return found, len(found) == len(pieces)


class Decoder:
    """Decodes chunks of whole lines and counts what it could not take.

    Attributes:
        rejected: lines not taken, by reason.
        unknown_events: well-formed lines of events this version does not know.
        last_reject: reason and first bytes of the newest rejected line, for one clear report.
        earliest_future: earliest time, in Unix seconds, of the lines rejected as too far ahead since a reader last
            set it to None: once the clock has come near it, they can be taken.
        counting: whether rejected lines count: not while lines are read again.
        coalescing: whether progress that newer progress of its step replaces may be left out.
        left_out: lines of progress left out since a reader last set it to 0.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.rejected: Counter[Reason] = Counter()
        self.unknown_events = 0
        self.last_reject: tuple[Reason, bytes] | None = None
        self.earliest_future: float | None = None
        self.counting = True
        self.coalescing = False
        self.left_out = 0
        self._clock = clock
        self._expected: dict[str, list[tuple[bytes, list[Event]]]] = {}
        self._expected_bytes = 0

    @property
    def horizon(self) -> float:
        """The latest time, in Unix seconds, that a line may bear now."""
        return self._clock() + FUTURE_TOLERANCE_SECONDS

    def reject(self, reason: Reason, line: bytes = b"", count: int = 1) -> None:
        """Count lines that could not be taken."""
        if not self.counting:
            return
        self.rejected[reason] += count
        self.last_reject = (reason, line[:200])

    def expect(self, data: bytes, build: str, events: list[Event]) -> None:
        """Keep the events of whole lines about to be appended to a run of `build`: read next, they need no decoding."""
        if not data.isascii() or b"\\" in data or b"\x7f" in data:
            # their names may have to be cleaned
            return
        self._expected_bytes += len(data)
        if self._expected_bytes > MOST_EXPECTED_BYTES:
            # some were never written, or are not read for long
            self._expected.clear()
            self._expected_bytes = 0
            return
        self._expected.setdefault(build, []).append((data, events))

    def _as_expected(self, data: bytes, build: str) -> tuple[list[Event], bytes]:
        """Return the events of the expected lines at the beginning of a block, and the rest of the block."""
        waiting = self._expected.pop(build, None)
        found: list[Event] = []
        place = 0
        for number, (text, events) in enumerate(waiting or ()):
            if place == len(data) and waiting:
                # the block ends where others that are expected begin
                self._expected[build] = waiting[number:]
            if not data.startswith(text, place):
                break
            place += len(text)
            found += events
        if not self._expected:
            self._expected_bytes = 0
        return found, data[place:]

    def decode(self, data: bytes, build: str) -> list[Event]:
        """Return the events in whole lines of a file of `build`, in their order."""
        decode = _decoder.decode
        events, data = self._as_expected(data, build)
        if self.coalescing:
            data, left_out = coalesce(data)
            self.left_out += left_out
        try:
            if not data.isascii():
                # the decoder ignores fields it does not know
                data.decode()
            # `decode_lines` takes values, not lines: two on one line, one over two; which depends on where a read ended
            events += [decode(line) for line in data.split(b"\n") if line]
        except _REFUSED:
            events += self._one_by_one(data)
        if b"\\" in data or b"\x7f" in data or not data.isascii():
            # no other line can hold a control character
            for event in events:
                clean_names(event)
        horizon = self.horizon
        if events and (max([event.time for event in events]) > horizon or {event.build for event in events} != {build}):
            events = list(self._plausible(events, build, horizon))
        return events

    def _one_by_one(self, data: bytes) -> Iterator[Event]:
        for line in data.split(b"\n"):
            if not line or line.isspace():
                continue
            try:
                line.decode()
                yield _decoder.decode(line)
            except _REFUSED as error:
                good, whole = glued(line)
                if not whole:
                    self._refuse(line, error)
                yield from good

    def _refuse(self, line: bytes, error: Exception) -> None:
        reason = refusal(line, error)
        if reason is None:
            self.unknown_events += self.counting
        else:
            self.reject(reason, line)

    def _plausible(self, events: list[Event], build: str, horizon: float) -> Iterator[Event]:
        for event in events:
            if event.time > horizon:
                self.earliest_future = min(event.time, self.earliest_future or event.time)
                self.reject(Reason.FUTURE, f"time {event.time}".encode())
            elif event.build != build:
                reason = Reason.WRONG_BUILD if is_build_name(event.build) else Reason.WRONG_FIELD
                self.reject(reason, f"build {event.build}".encode())
            else:
                yield event
