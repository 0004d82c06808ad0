"""Normalize console lines: strip escapes, overwritten text and time stamps, which are returned separately."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final, NamedTuple

from build_exporter.diagnostics.prefix import parted
from build_exporter.sources.dates import leading_date

FUTURE_SECONDS: Final = 86400.0
"""A date so far beyond the file's last change is none of the build's."""

_SCRIPT: Final = re.compile(r"^Script (started|done)(?: on (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d))?(?=\W|$)(.*)")
_EXIT_CODE: Final = re.compile(r'COMMAND_EXIT_CODE="(\d{1,3})"')


class Stamped(NamedTuple):
    """A line without its time stamp, and the stamp in Unix seconds."""

    text: str
    time: float | None


class ScriptMark(NamedTuple):
    """First or last line of script(1): whether it begins, Unix seconds, and the exit code at the end."""

    begins: bool
    time: float | None
    exit_code: int | None


def stamped(line: str, newest: float) -> Stamped:
    """Return a line without what others put before it, and the time it begins with, None where it begins with none.

    Read are ISO dates, Unix seconds, and the short form of `ts` and of the system's journal, `Nov 21 06:12:56`, which
    is local time of the year before `newest`, the Unix seconds of the log's last change. Stamps of time elapsed are
    taken away and ignored.
    """
    text, stamp, _ = parted(line)
    if not stamp:
        return Stamped(text, None)
    date = leading_date(stamp)
    if date is None:
        date = _of_short(" ".join(stamp.split()), newest)
    return Stamped(text, date if _is_sane(date, newest) else None)


def script_mark(line: str) -> ScriptMark | None:
    """Return the content of a line of script(1)'s own, None for any other."""
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
