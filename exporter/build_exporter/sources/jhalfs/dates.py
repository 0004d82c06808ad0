"""Convert dates as printed by `date`, whose zone abbreviation is ambiguous, to Unix seconds.

The same run may change its zone half way: the new system's `/etc/localtime` is installed in chapter 8, and from then
on `date` says `CST` where it said `UTC`. The meaning of an abbreviation is inferred from the rest of the record.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

_CLOCK: Final = re.compile(r"\b(\d{1,2}):(\d\d):(\d\d)\b(?:[ ]([AaPp])\.?[Mm]\b)?")
_YEAR: Final = re.compile(r"\b(?:19|20)\d\d(?!\d)")
_NUMBER: Final = re.compile(r"\b\d{1,2}(?!\d)")
_ZONE: Final = re.compile(r"(?<![\w])([A-Z]{2,6}|[+-]\d{2}(?::?\d\d)?)(?!\w)")
_WORD: Final = re.compile(r"[^\W\d_]{3,}")

_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            "jan ene gen",
            "feb fév fev",
            "mar mär mrt",
            "apr avr abr",
            "may mai mag mei",
            "jun juin giu",
            "jul juil lug",
            "aug aoû ago",
            "sep set",
            "oct okt ott out",
            "nov",
            "dec déc dez dic",
        ),
        1,
    )
    for name in names.split()
}
"""First letters of months in English, French, German, Spanish, Italian, Portuguese and Dutch."""

_SLACK_SECONDS: Final = 5.0
"""A date has whole seconds, the times of files have fractions, and clocks are set now and then."""

_NEAR_SECONDS: Final = 600.0
"""Most seconds between a log's stated end and its last change, if its time was preserved."""


@dataclass(frozen=True, slots=True)
class LocalDate:
    """A date as printed: naive, the zone's abbreviation or offset; `month_known` is False in a foreign language."""

    date: datetime
    zone: str
    month_known: bool = True


def parse_date(line: str) -> LocalDate | None:
    """Return the date in a line printed by `date`, in the C locale or most others; None where there is none.

    Example:
        Sat Mar 30 17:19:10 CST 2024
    """
    line = line[:200]
    clock = _CLOCK.search(line)
    if clock is None:
        return None
    rest = f"{line[: clock.start()]} ; {line[clock.end() :]}"
    year = _YEAR.search(rest)
    if year is None:
        return None
    rest = f"{rest[: year.start()]} ; {rest[year.end() :]}"
    zone = _ZONE.search(rest)
    if zone is not None and zone[1][0] in "+-":
        rest = f"{rest[: zone.start()]} ; {rest[zone.end() :]}"
    numbers, month = [int(number) for number in _NUMBER.findall(rest)], _month(rest)
    if month is None and len(numbers) > 1 and numbers[0] <= 12:
        # where months are numbers the year comes first and the day last
        month, numbers = numbers[0], numbers[1:]
    if not numbers:
        return None
    hour = int(clock[1])
    if clock[4]:
        hour = hour % 12 + (12 if clock[4] in "pP" else 0)
    try:
        date = datetime(int(year[0]), month or 1, numbers[0], hour, int(clock[2]), int(clock[3]))
    except ValueError:
        return None
    return LocalDate(date, zone[1] if zone else "", month is not None)


def _month(text: str) -> int | None:
    found = None
    for word in _WORD.findall(text.lower()):
        # the last one counts: before it stands the weekday, and `mar.` may be one
        found = _MONTHS.get(word[:4]) or _MONTHS.get(word[:3]) or found
    return found


@dataclass(frozen=True, slots=True)
class Evidence:
    """Bounds on when a date was printed; Unix seconds.

    Attributes:
        after: it was not before this.
        changed: the file that it is in was changed last then, if its times have been kept.
        seconds: how long after the date that change was, None where it isn't known.
        zone: name of the zone that was probably set.
    """

    after: float | None = None
    changed: float | None = None
    seconds: float | None = None
    zone: str = ""


class Zones:
    """Meaning of the zone abbreviations in one record; once found, it stays."""

    def __init__(self) -> None:
        self._offsets: dict[tuple[str, bool], float] = {}

    def unix(self, local: LocalDate, evidence: Evidence, *, inside: bool = False) -> float:
        """Return Unix seconds of a date.

        Args:
            local: the date as printed.
            evidence: what else is known.
            inside: printed in the new system, whose zone may be another than that of the machine.
        """
        date = local.date if local.month_known else _with_month(local.date, evidence.changed)
        naive = date.replace(tzinfo=UTC).timestamp()
        offset = _explicit_offset(local.zone)
        if offset is None:
            key = (local.zone, inside)
            offset = self._offsets.get(key)
            if offset is None:
                offset = self._offsets[key] = _find_offset(local.zone, date, naive, evidence)
        return naive - offset


def _explicit_offset(zone: str) -> float | None:
    """Return the offset in seconds that a zone's name states."""
    if zone in ("UTC", "GMT", "UCT", "Z"):
        return 0.0
    if zone[:1] in ("+", "-"):
        digits = zone[1:].replace(":", "").ljust(4, "0")
        return (-1 if zone[0] == "-" else 1) * (int(digits[:2]) * 3600.0 + int(digits[2:]) * 60.0)
    return None


def _find_offset(zone: str, date: datetime, naive: float, evidence: Evidence) -> float:
    named = _offset_in(evidence.zone, zone, date)
    if named is not None:
        return named
    candidates = _offsets_called(zone, date.replace(hour=0, minute=0, second=0)) or _every_offset()
    by_end = _nearest(candidates, lambda offset: _distance_to_end(naive - offset, evidence), _NEAR_SECONDS)
    if by_end is not None:
        return by_end
    if evidence.after is not None:
        floor = evidence.after - _SLACK_SECONDS
        by_order = _nearest(candidates, lambda offset: _none_below(naive - offset - floor), 14 * 86400.0)
        if by_order is not None:
            return by_order
    here = date.astimezone()
    local = here.utcoffset()
    if here.tzname() == zone and local is not None:
        return local.total_seconds()
    if evidence.changed is not None:
        ceiling = evidence.changed + _SLACK_SECONDS
        by_change = _nearest(candidates, lambda offset: _none_below(ceiling - (naive - offset)), 2 * 86400.0)
        if by_change is not None:
            return by_change
    return min(candidates, key=abs) if zone else (local or timedelta()).total_seconds()


def _distance_to_end(start: float, evidence: Evidence) -> float | None:
    if evidence.changed is None or evidence.seconds is None:
        return None
    return abs(evidence.changed - start - evidence.seconds)


def _none_below(value: float) -> float | None:
    return value if value >= 0 else None


def _nearest(candidates: tuple[float, ...], distance: Callable[[float], float | None], furthest: float) -> float | None:
    """Return the candidate of the least distance, None where all are further than `furthest` or have none."""
    found = [(d, offset) for offset in candidates if (d := distance(offset)) is not None and d <= furthest]
    return min(found)[1] if found else None


def _offset_in(name: str, zone: str, date: datetime) -> float | None:
    """Return the offset of the named time zone at a date where it calls itself `zone` then."""
    try:
        there = date.replace(tzinfo=zoneinfo.ZoneInfo(name)) if name else None
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        return None
    offset = there.utcoffset() if there is not None else None
    return offset.total_seconds() if there is not None and offset is not None and there.tzname() == zone else None


@cache
def _offsets_called(zone: str, day: datetime) -> tuple[float, ...]:
    """Return the offsets of all time zones that call themselves `zone` on a day; empty where none is known."""
    if not zone:
        return ()
    noon = day + timedelta(hours=12)
    found = {_offset_in(name, zone, noon) for name in sorted(zoneinfo.available_timezones())}
    return tuple(sorted(offset for offset in found if offset is not None))


def _every_offset() -> tuple[float, ...]:
    return tuple(quarter * 900.0 for quarter in range(-12 * 4, 14 * 4 + 1))


def _with_month(date: datetime, changed: float | None) -> datetime:
    """Return the date in the month that puts it last before the file's change; as it is where nothing fits."""
    if changed is None:
        return date
    latest = datetime.fromtimestamp(changed, UTC).replace(tzinfo=None) + timedelta(days=1)
    fitting: list[datetime] = []
    for month in range(1, 13):
        try:
            there = date.replace(month=month)
        except ValueError:
            continue
        if there <= latest:
            fitting.append(there)
    return max(fitting, default=date)
