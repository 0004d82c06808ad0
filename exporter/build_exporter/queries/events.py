"""`events`: what was journaled of a build, from a cursor on, as it may be shown."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from build_exporter.config.schema import EventName
from build_exporter.journal.decode import glued, judge
from build_exporter.journal.positions import (
    MAX_TEXT,
    START,
    Cursor,
    CursorError,
    Line,
    Position,
    decode_cursor,
    read_on,
)
from build_exporter.model.names import FUTURE_TOLERANCE_SECONDS
from build_exporter.model.redaction import redact
from build_exporter.model.text import plain
from build_exporter.queries.common import Answer
from build_exporter.queries.context import Context, NotFoundError, shown

MAX_PAGE: Final = 1000
MAX_PIECES: Final = 32
"""Pieces of the journal that one page is made from, at most."""
_SHORT: Final = 256
"""Texts up to this long are mostly names, which come again and again."""


class EventRow(Answer, frozen=True):
    """One event as it was journaled, and the cursor after it; its texts are plain and without secrets."""

    cursor: str
    event: dict[str, Any]


class Events(Answer, frozen=True):
    """Events in the order of the journal. `next` goes into `after` for those that follow; `eof`: none do so far."""

    build: str
    now: float
    events: list[EventRow]
    next: str
    eof: bool


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events are asked for: after a cursor, of one kind."""

    after: Annotated[
        str,
        Meta(max_length=MAX_TEXT, description="Cursor of an event, page or stream. Default: the newest run's begin."),
    ] = ""
    event: Annotated[EventName | None, Meta(description="Only events of this name.")] = None
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE, description="Most events in the answer.")] = 100
    runs: Annotated[
        Literal["newest", "all"], Meta(description="Without a cursor: begin with the newest or the oldest run.")
    ] = "newest"


def events(context: Context, name: str, wanted: EventFilter) -> Events:
    """Return a page of a build's events from a cursor on, up to where the journal has been read.

    A page may be short, or empty, and yet not the last: `eof` says so.

    Raises:
        NotFoundError: there is no such build, or the cursor leads nowhere.
    """
    build, run = context.build(name)
    end = context.position(build.name)
    position = Position(run.run, 0) if wanted.runs == "newest" else START
    rows: list[EventRow] = []
    try:
        if wanted.after:
            position = Position(*decode_cursor(wanted.after).builds[build.name])
        for _ in range(MAX_PIECES):
            if position >= end or len(rows) == wanted.limit:
                break
            lines, position = read_on(context.journal, build.name, position, end)
            for line in lines:
                event = shown_event(line, context.now)
                if event is not None and wanted.event in (None, event["event"]):
                    rows.append(EventRow(cursor=cursor_of(context.now, build.name, line.after), event=event))
                    if len(rows) == wanted.limit:
                        position = line.after
                        break
    except CursorError as problem:
        raise NotFoundError(f"after: {problem}") from None
    except (KeyError, OSError):
        raise NotFoundError(f"after: this cursor is not of build {build.name}") from None
    return Events(
        build=build.name,
        now=context.now,
        events=rows,
        next=cursor_of(context.now, build.name, position),
        eof=position >= end,
    )


def cursor_of(now: float, build: str, position: Position) -> str:
    """Return the cursor of a position in one build."""
    return Cursor(now, {build: position}).encode()


def shown_event(line: Line, now: float) -> dict[str, Any] | None:
    """Return a line's event as it may be shown, None for a line that is none."""
    event, _, _ = judge(line.data, now + FUTURE_TOLERANCE_SECONDS)
    if event is None:
        found, _ = glued(line.data)
        return shown_value(msgspec.to_builtins(found[-1])) if found else None
    fields: dict[str, Any] = shown_value(msgspec.json.decode(line.data))
    return fields


def shown_value(value: Any) -> Any:
    """Return a JSON value with every text in it plain and redacted."""
    match value:
        case str():
            return shown(value) if len(value) <= _SHORT and "\n" not in value else redact(plain(value))
        case list():
            return [shown_value(each) for each in value]
        case dict():
            return {shown(name): shown_value(each) for name, each in value.items()}
        case _:
            return value
