"""Messages of a stream as JSON, each with the cursor that resumes after it."""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from build_exporter.journal.positions import MAX_TEXT, Position, read_on
from build_exporter.model.events import EVENT_NAMES
from build_exporter.model.names import is_build_name
from build_exporter.queries.build import Board, board
from build_exporter.queries.builds import BuildRow, builds
from build_exporter.queries.context import BadRequestError, Context, NotFoundError
from build_exporter.queries.events import shown_event

COALESCED_FROM: Final = 200
"""With more events than this at once, of the progress of a step the newest is sent alone; nothing else is left out."""

_encode: Final = msgspec.json.Encoder().encode


class StreamParameters(msgspec.Struct, frozen=True, kw_only=True):
    """A client's request: names of builds and events separated by commas, and a cursor."""

    build: Annotated[str, Meta(max_length=8192)] = ""
    event: Annotated[str, Meta(max_length=1024)] = ""
    after: Annotated[str, Meta(max_length=MAX_TEXT)] = ""
    heartbeat: Annotated[float, Meta(ge=0.1, le=300)] = 15.0


class Filter(NamedTuple):
    """A client's filter: builds and kinds of events (None: all), and seconds between heartbeats."""

    builds: frozenset[str] | None
    events: frozenset[str] | None
    heartbeat: float

    def wants_build(self, name: str) -> bool:
        """Return whether a build is asked for."""
        return self.builds is None or name in self.builds


class Item(NamedTuple):
    """An event to send: its build, time, name and step, itself as JSON, and the position after it."""

    build: str
    time: float
    event: str
    step: tuple[object, object]
    data: bytes
    after: Position


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot"):
    """The state of the builds asked for; `board` where that is one build."""

    cursor: str
    now: float
    builds: list[BuildRow]
    board: Board | None


class EventMessage(msgspec.Struct, frozen=True, tag="event"):
    """One event."""

    cursor: str
    event: msgspec.Raw


class Heartbeat(msgspec.Struct, frozen=True, tag="heartbeat"):
    """A sign of life, with the cursor up to which everything was sent."""

    cursor: str
    now: float


def filter_of(wanted: StreamParameters) -> Filter:
    """Return the filter that parameters ask for.

    Raises:
        BadRequestError: a name can't be that of a build, or is no event.
    """
    names = frozenset(filter(None, wanted.build.split(",")))
    events = frozenset(filter(None, wanted.event.split(",")))
    known = set(EVENT_NAMES)
    if not all(map(is_build_name, names)):
        raise BadRequestError("build: names of builds, with commas between them")
    if not events <= known:
        raise BadRequestError(
            f"event: names of events, with commas between them; there are: {', '.join(sorted(known))}"
        )
    return Filter(names or None, events or None, wanted.heartbeat)


def read_items(context: Context, build: str, begin: Position, end: Position) -> tuple[list[Item], Position]:
    """Return some of a build's events from one position on towards another, and where they end.

    Raises:
        CursorError: `begin` is no longer there.
        OSError: the run can't be read.
    """
    lines, after = read_on(context.journal, build, begin, end)
    items = []
    for line in lines:
        event = shown_event(line, context.now)
        if event is not None:
            step = (event.get("phase"), event.get("step"))
            items.append(Item(build, event["time"], str(event["event"]), step, _encode(event), line.after))
    return (items if len(items) <= COALESCED_FROM else coalesced(items)), after


def coalesced(items: list[Item]) -> list[Item]:
    """Return the items without the progress of a step that newer progress of it follows."""
    kept: list[Item] = []
    seen: set[tuple[object, object]] = set()
    for item in reversed(items):
        if item.event == "step_progress":
            if item.step in seen:
                continue
            seen.add(item.step)
        elif item.event in ("step_started", "step_finished"):
            # progress of the attempt before is another's
            seen.discard(item.step)
        kept.append(item)
    return kept[::-1]


def event_message(cursor: str, item: Item) -> bytes:
    """Return the message of an event."""
    return _encode(EventMessage(cursor, msgspec.Raw(item.data)))


def heartbeat_message(cursor: str, now: float) -> bytes:
    """Return a heartbeat."""
    return _encode(Heartbeat(cursor, now))


def snapshot_message(context: Context, wanted: Filter, cursor: str) -> bytes:
    """Return the snapshot of the builds that a filter asks for."""
    rows = [row for row in builds(context).builds if wanted.wants_build(row.build)]
    return _encode(Snapshot(cursor, context.now, rows, _board(context, wanted)))


def _board(context: Context, wanted: Filter) -> Board | None:
    if wanted.builds is None or len(wanted.builds) != 1:
        return None
    try:
        return board(context, next(iter(wanted.builds)))
    except NotFoundError:
        return None
