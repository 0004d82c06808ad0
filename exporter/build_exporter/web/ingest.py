"""Bodies of `POST /api/v1/events` to lines of the journal, with an answer for each line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from itertools import islice
from typing import Annotated, Any, Final

import msgspec

from build_exporter.journal.current import GOES_ON
from build_exporter.journal.decode import judge
from build_exporter.journal.ingest import Piece
from build_exporter.model.events import EVENT_TYPES, AnyEvent, BuildFinished, BuildStarted, Event
from build_exporter.model.names import MAX_LINE_BYTES, is_build_name
from build_exporter.queries.context import BadRequestError

MAX_EVENTS: Final = 5000
_TOO_MANY: Final = f"a request holds at most {MAX_EVENTS} events"
ACCEPTED: Final = "accepted"
UNKNOWN: Final = "unknown-event"

_GOING_ON: Final = frozenset(kind for kind in EVENT_TYPES if kind.__struct_config__.tag in GOES_ON)
_LOCAL_FIELDS: Final = ("log", "pid", "pid_namespace", "tarballs")
"""Fields that name files and processes of the exporter's machine: who may post events need not be a user of it."""
_LOCAL_KEYS: Final = tuple(f'"{name}"'.encode() for name in _LOCAL_FIELDS)

_value_decoder: Final = msgspec.json.Decoder(msgspec.Raw)
_array_decoder: Final = msgspec.json.Decoder(Annotated[list[msgspec.Raw], msgspec.Meta(max_length=MAX_EVENTS)])
_decoder: Final[msgspec.json.Decoder[Event]] = msgspec.json.Decoder(AnyEvent)
_Line = tuple[bytes, Event | None]


class TooManyEventsError(ValueError):
    """A body holds more events than one request may."""


class LineError(msgspec.Struct, frozen=True):
    """Why one line was not accepted: its place in the batch (from 0), the code of `results`, and words."""

    index: int
    code: str
    message: str


class Ingested(msgspec.Struct, frozen=True):
    """Result of a batch: `results` has a code for each event in its order.

    `accepted`: it is in the journal. `unknown-event`: so, but this version does not know the event and ignores it. Any
    other code is a reason of `build_exporter_lines_rejected_total`, and `errors` says more.
    """

    accepted: int
    rejected: int
    results: list[str]
    errors: list[LineError]


@dataclass(frozen=True, slots=True)
class Batch:
    """A body as far as it can be accepted: what goes to which run, and the answer.

    `events` are those of the one piece where there is no more than one, else none.
    """

    pieces: list[Piece]
    answer: Ingested
    events: list[Event] = field(default_factory=list)


def lines_of(body: bytes, content_type: str) -> list[bytes]:
    """Return the events of a body, each as one line without its end.

    An array holds one event an element. Anything else is one event a line; as `application/json` it is one event.

    Raises:
        BadRequestError: it is an array, or one event, that is no JSON.
        TooManyEventsError: it holds more than 5,000.
    """
    try:
        if body.lstrip()[:1] == b"[":
            lines = _elements(_array_decoder.decode(body))
        elif content_type.partition(";")[0].strip().lower() == "application/json":
            lines = _elements([_value_decoder.decode(body)])
        else:
            found = (line.removesuffix(b"\n") for line in BytesIO(body) if line.strip())
            lines = list(islice(found, MAX_EVENTS + 1))
    except msgspec.ValidationError:
        # an element may be anything: there are too many
        raise TooManyEventsError(_TOO_MANY) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise BadRequestError(f"the body is neither an event nor an array of events: {problem}") from None
    if len(lines) > MAX_EVENTS:
        raise TooManyEventsError(_TOO_MANY)
    return lines


def _elements(values: list[msgspec.Raw]) -> list[bytes]:
    # an object may be written over several lines, which a line of the journal is not
    found = map(bytes, values)
    return [msgspec.json.format(each, indent=-1) if b"\n" in each else each for each in found]


def read_batch(lines: list[bytes], horizon: float) -> Batch:
    """Return the result of a batch; `horizon` is the latest time accepted, in Unix seconds."""
    quick = _read_at_once(lines, horizon)
    return quick if quick is not None else _read_one_by_one(lines, horizon)


def _read_at_once(lines: list[bytes], horizon: float) -> Batch | None:
    """Return a batch of one build in which all is well and nothing starts or ends; None for any other."""
    text = b"\n".join(lines) + b"\n"
    if not lines or len(max(lines, key=len)) >= MAX_LINE_BYTES or b"\r" in text or _may_name_local(text):
        return None
    decode = _decoder.decode
    try:
        if not text.isascii():
            # the decoder does not look at what no field takes up
            text.decode()
        events = [decode(line) for line in lines]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    kinds, build = {type(event) for event in events}, events[0].build
    if kinds & {BuildStarted, BuildFinished} or {event.build for event in events} != {build}:
        return None
    if not is_build_name(build) or max([event.time for event in events]) > horizon:
        return None
    piece = Piece(build, text, events[0].time, goes_on=bool(kinds & _GOING_ON), starts=False, ends=False)
    return Batch([piece], Ingested(len(lines), 0, [ACCEPTED] * len(lines), []), events)


def _read_one_by_one(lines: list[bytes], horizon: float) -> Batch:
    results: list[str] = []
    errors: list[LineError] = []
    by_build: dict[str, list[_Line]] = {}
    for index, given in enumerate(lines):
        line = _without_local_fields(given.replace(b"\r", b""))
        event, reason, words = judge(line, horizon)
        if reason is not None:
            results.append(str(reason))
            errors.append(LineError(index, str(reason), words))
            continue
        results.append(ACCEPTED if event is not None else UNKNOWN)
        build = event.build if event is not None else _build_of(line)
        if not is_build_name(build):
            results[-1] = "wrong-field"
            errors.append(LineError(index, "wrong-field", "build is 1 to 100 of A-Z a-z 0-9 . _ + -"))
            continue
        by_build.setdefault(build, []).append((line, event))
    pieces = [piece for build, found in by_build.items() for piece in _pieces(build, found)]
    return Batch(pieces, Ingested(len(lines) - len(errors), len(errors), results, errors))


def _pieces(build: str, lines: list[_Line]) -> Iterator[Piece]:
    """Yield a build's lines cut before each start of a run and after each end."""
    group: list[_Line] = []
    for line, event in lines:
        if isinstance(event, BuildStarted) and group:
            yield _piece(build, group)
            group = []
        group.append((line, event))
        if isinstance(event, BuildFinished):
            yield _piece(build, group)
            group = []
    if group:
        yield _piece(build, group)


def _piece(build: str, group: list[_Line]) -> Piece:
    events = [event for _, event in group if event is not None]
    return Piece(
        build,
        b"".join(line + b"\n" for line, _ in group),
        events[0].time if events else 0.0,
        goes_on=any(type(event) in _GOING_ON for event in events),
        starts=isinstance(group[0][1], BuildStarted),
        ends=isinstance(group[-1][1], BuildFinished),
    )


def _build_of(line: bytes) -> str:
    fields: dict[str, Any] = msgspec.json.decode(line)
    return str(fields.get("build", ""))


def _may_name_local(text: bytes) -> bool:
    # `"l\\u006fg"` is `log` too
    return (b"\\" in text and b"\\u" in text) or any(map(text.__contains__, _LOCAL_KEYS))


def _without_local_fields(line: bytes) -> bytes:
    if not _may_name_local(line):
        return line
    try:
        fields = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return line
    if not isinstance(fields, dict):
        return line
    return msgspec.json.encode({name: value for name, value in fields.items() if name not in _LOCAL_FIELDS})
