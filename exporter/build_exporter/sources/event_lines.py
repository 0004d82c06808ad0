"""The lines of an event: a plan that is longer than a line is parted into several."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from build_exporter.model.events import Event, Plan, encode_line
from build_exporter.model.names import MAX_LINE_BYTES


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
