"""Dates at the beginning of log lines."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

_ISO: Final = re.compile(
    r"^\W{0,4}(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s?(Z|UTC|[+-]\d\d:?\d\d)?(?=\W|$)"
)
_EPOCH: Final = re.compile(r"^\W{0,4}(1\d{9})(\.\d{1,9})?(?=\W|$)")


def leading_date(line: str) -> float | None:
    """Return the time a line begins with, in Unix seconds to the ms; None where it begins with none.

    Read are `2026-11-21 06:12:56`, with `T`, a fraction and a zone or without, in brackets or not; and Unix seconds,
    `1795241576.25`. Without a zone it is this machine's local time.
    """
    found = _ISO.match(line)
    if found is not None:
        day, clock, fraction, zone = found.groups()
        zone = {"Z": "+00:00", "UTC": "+00:00"}.get(zone or "", zone or "")
        try:
            return round(datetime.fromisoformat(f"{day}T{clock}{zone}").timestamp() + float(f"0.{fraction or 0}"), 3)
        except (ValueError, OverflowError):
            return None
    seconds = _EPOCH.match(line)
    return round(float(seconds[0].lstrip("([{ <")), 3) if seconds is not None else None
