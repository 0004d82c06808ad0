"""Format durations, times, shares and sizes for people."""

from __future__ import annotations

import time
from typing import Final

_DAYS_WITH_NAMES: Final = 6
"""Within this many days the weekday is unambiguous."""


def duration(seconds: float) -> str:
    """Return a duration in its two largest units: `3 h 05 min`, `2 min 08 s`, `9 s`."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours:02} h"
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def clock_time(when: float) -> str:
    """Return a Unix time in the local zone, `Sat 06:40`, or with its date where that could be another week's Saturday.

    `-` where it is no date.
    """
    near = abs(when - time.time()) < _DAYS_WITH_NAMES * 86400
    return local_time(when, "%a %H:%M") if near else date_time(when)


def date_time(when: float) -> str:
    """Return a Unix time in the local zone with its date, `2026-11-21 06:40`, `-` where it is none."""
    return local_time(when, "%Y-%m-%d %H:%M")


def local_time(when: float, form: str) -> str:
    """Return a Unix time in the local zone in a form of `strftime`, `-` where it is no date."""
    try:
        return time.strftime(form, time.localtime(when))
    except (OverflowError, ValueError, OSError):
        return "-"


def percent(ratio: float) -> str:
    """Return a ratio in percent with one decimal, rounded down: 100 % only if done."""
    return f"{int(ratio * 1000) / 10:.1f} %"


def count_of(count: int, noun: str) -> str:
    """Return a count with its noun: `1 step`, `2 steps`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def size(count: float) -> str:
    """Return bytes in the largest binary unit that keeps at least one."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
