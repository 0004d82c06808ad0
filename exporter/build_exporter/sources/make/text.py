"""Lines of a captured console made plain: without escapes, overwritten text and time stamps, which are kept apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

from build_exporter.model.text import plain_line
from build_exporter.sources.dates import leading_date

MAX_LINE: Final = 2000
"""Characters of a line that are looked at."""

FUTURE_SECONDS: Final = 86400.0
"""A date so far beyond the file's last change is none of the build's."""

_ISO_STAMP: Final = re.compile(
    r"^\W{0,2}\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\s?(?:Z|UTC|[+-]\d\d:?\d\d)?[\])]?:? ?"
)
_EPOCH_STAMP: Final = re.compile(r"^\W{0,2}1\d{9}(?:\.\d{1,9})?[\])]?:? ?")
_SHORT_STAMP: Final = re.compile(r"^([A-Z][a-z]{2}) ([ \d]\d) (\d\d:\d\d:\d\d) ")
_ELAPSED_STAMP: Final = re.compile(r"^\[?(?:\d\d:\d\d:\d\d(?:\.\d+)?| {0,3}\d{1,4}:\d\d\.\d\d)\]? (?=\S| )")
_UNIT: Final = re.compile(r"^[\w.-]+ [\w./-]{1,60}\[\d{2,}\]: ")
"""Machine and process of a line of the system's journal."""

_SCRIPT: Final = re.compile(r"^Script (started|done)(?: on (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d))?(?=\W|$)(.*)")
_EXIT_CODE: Final = re.compile(r'COMMAND_EXIT_CODE="(\d{1,3})"')


class Stamped(NamedTuple):
    """A line without its time stamp, and the stamp in Unix seconds."""

    text: str
    time: float | None


class ScriptMark(NamedTuple):
    """What script(1) writes first and last: whether it begins, when (Unix seconds), and the exit code at the end."""

    begins: bool
    time: float | None
    exit_code: int | None


def pieces(raw: str) -> Iterator[str]:
    """Yield what a line showed, one after the other, where carriage returns let it be written over."""
    for piece in raw.split("\r") if "\r" in raw else (raw,):
        # escapes may be longer than the text they colour
        text = plain_line(piece[: 2 * MAX_LINE])[:MAX_LINE].rstrip()
        if text:
            yield text


def stamped(line: str, newest: float) -> Stamped:
    """Return a line and the time it begins with, None where it begins with none.

    Read are ISO dates, Unix seconds, and the short form of `ts` and of the system's journal, `Nov 21 06:12:56`, which
    is local time of the year before `newest`, the Unix seconds of the log's last change. Stamps of time elapsed are
    taken away and tell nothing.
    """
    for pattern in (_ISO_STAMP, _EPOCH_STAMP):
        found = pattern.match(line)
        if found is not None:
            date = leading_date(line)
            return Stamped(_UNIT.sub("", line[found.end() :]), date if _is_sane(date, newest) else None)
    short = _SHORT_STAMP.match(line)
    if short is not None:
        date = _of_short(f"{short[1]} {short[2].strip()} {short[3]}", newest)
        return Stamped(_UNIT.sub("", line[short.end() :]), date)
    return Stamped(_ELAPSED_STAMP.sub("", line), None)


def script_mark(line: str) -> ScriptMark | None:
    """Return what a line of script(1)'s own tells, None for any other."""
    found = _SCRIPT.match(line)
    if found is None:
        return None
    time = datetime.fromisoformat(found[2]).timestamp() if found[2] and _is_date(found[2]) else None
    code = _EXIT_CODE.search(found[3])
    return ScriptMark(found[1] == "started", time, int(code[1]) if code is not None else None)


def _is_sane(date: float | None, newest: float) -> bool:
    return date is not None and date <= newest + FUTURE_SECONDS


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _of_short(text: str, newest: float) -> float | None:
    try:
        year = datetime.fromtimestamp(newest, UTC).year
        for each in (year + 1, year, year - 1):
            time = datetime.strptime(f"{each} {text}", "%Y %b %d %H:%M:%S").timestamp()
            if time <= newest + FUTURE_SECONDS:
                return time
    except (ValueError, OverflowError, OSError):
        # February 29 of a year that has none, or no month's name
        return None
    return None
