"""Leave out progress that newer progress of the same step replaces, before it is decoded.

A block is looked through by counting, some gigabytes a second: only one that holds nothing but progress of a few steps,
in lines that begin alike, is cut down to the newest of each. Every other block stays as it is.
"""

from __future__ import annotations

import re
from typing import Final

LEAST_BYTES: Final = 16 * 1024
"""A smaller block is decoded sooner than looked through with gain."""
MOST_STEPS: Final = 4
FIRST_LINES: Final = 16
"""Lines that are looked at to find the steps."""
_BEGIN: Final = b'{"time":'
_EVENT: Final = b'"event":'
_PROGRESS: Final = b',"event":"step_progress",'
_OF_STEP: Final = re.compile(
    rb'\{"time":[0-9.]+(,"event":"step_progress","build":"[^"\\]+","phase":"[^"\\]+","step":"[^"\\]+","ratio":)'
)
_KEPT: Final = (b'"message":', b'"warnings":')
"""Fields whose newest value may be in an older line than the newest."""
_ESTIMATED: Final = b'"estimated":'
"""Estimates give way to what the builder reports: a block with any is decoded line by line."""


def coalesce(data: bytes) -> tuple[bytes, int]:
    """Return whole lines without the progress that is replaced by what follows it, and the number of lines left out."""
    if len(data) < LEAST_BYTES or not data.endswith(b"\n"):
        return data, 0
    steps, others = _steps(data)
    if not steps:
        return data, 0
    lines = 0 if others else data.count(b"\n")
    # a line that is no progress of these steps makes one sum smaller, two objects on a line make the others larger
    if lines and sum(map(data.count, steps)) == data.count(_EVENT) == lines == _objects(data, lines):
        return (data, 0) if data.rfind(_ESTIMATED) >= 0 or not _is_text(data) else _newest(data, steps, lines)
    cut = _cut(data)
    if not cut:
        return data, 0
    (first, out), (second, more) = coalesce(data[:cut]), coalesce(data[cut:])
    return first + second, out + more


def _objects(data: bytes, lines: int) -> int:
    """Return how many objects begin in lines that each have one, and possibly braces in their words."""
    # the second count takes longer
    return lines if data.count(b"{") == lines else data.count(_BEGIN)


def _cut(data: bytes) -> int:
    """Return where to cut a block in which other lines stand among the progress, 0 where there is no such place.

    That is where progress begins, or where that of the first line's step ends, but about the middle where the latter is
    near the beginning: a block of many steps is not cut once for each.
    """
    half, first = len(data) // 2, _OF_STEP.match(data)
    if first is None:
        place = data.rfind(b"\n", 0, max(0, data.find(_PROGRESS))) + 1
        least = 1
    else:
        place = _end_of_line(data, data.rfind(first[1]))
        least = half // 4
    if least <= place < len(data):
        return place
    # the last line may be longer than all before it
    return (data.find(b"\n", half, -1) + 1) or (data.rfind(b"\n", 0, half) + 1)


def _steps(data: bytes) -> tuple[set[bytes], bool]:
    """Return what lines of progress of the same step have in common, and whether there are too many or other lines.

    That is by the first lines and the last one.
    """
    last = data.rfind(b"\n", 0, len(data) - 1) + 1
    lines = [*data[: 4096 * FIRST_LINES].split(b"\n", FIRST_LINES)[:FIRST_LINES], data[last:]]
    found = [_OF_STEP.match(line) for line in lines]
    steps = {match[1] for match in found if match}
    return steps, len(steps) > MOST_STEPS or not all(found)


def _newest(data: bytes, steps: set[bytes], lines: int) -> tuple[bytes, int]:
    ends = {_end_of_line(data, data.rfind(step)) for step in steps}
    ends |= {_end_of_line(data, found) for field in _KEPT for step in steps if (found := _last(data, field, step)) >= 0}
    kept = [data[data.rfind(b"\n", 0, end - 1) + 1 : end] for end in sorted(ends)]
    return b"".join(kept), lines - len(kept)


def _is_text(data: bytes) -> bool:
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False


def _last(data: bytes, field: bytes, step: bytes) -> int:
    """Return where the last line of a step with a field is, -1 where there is none."""
    end = len(data)
    while (found := data.rfind(field, 0, end)) >= 0:
        begin = data.rfind(b"\n", 0, found) + 1
        if data.find(step, begin, found) >= 0:
            return found
        end = begin
    return -1


def _end_of_line(data: bytes, place: int) -> int:
    return data.index(b"\n", place) + 1
