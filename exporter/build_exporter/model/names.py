"""Names of builds and runs, and the limits every line and label must keep."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

MAX_LINE_BYTES = 64 * 1024
"""Longest event line, newline included."""

MAX_NAME_LENGTH = 256
"""Longest phase, step, milestone or suite name, in characters: these become label values."""

MAX_TEXT_LENGTH = 16 * 1024
"""Characters kept of a free text (message, log path); a longer one costs its rest, not the event."""

MAX_TIME = 253402300799.0
"""Last second of the year 9999: beyond it a time is damage, not a date."""

FUTURE_TOLERANCE_SECONDS = 86400.0
"""Most seconds an event may be ahead of this machine's clock: a time zone mistaken for UTC is at most 14 hours."""

MAX_PATH_LENGTH = 4095
"""Longest path that Linux takes, in bytes."""

LISTED_NAMES = 5
"""Names that a message lists."""

BUILD_PATTERN = r"^[A-Za-z0-9._+-]{1,100}\Z"
RUN_PATTERN = r"^[0-9]{8}T[0-9]{6}Z\Z"

_BUILD = re.compile(BUILD_PATTERN)
_RUN = re.compile(RUN_PATTERN)


def is_build_name(name: str) -> bool:
    """Return whether `name` may name a line of builds; `.` and `..` may not, as it is also a directory's name."""
    return _BUILD.match(name) is not None and name.strip(".") != ""


def build_name_from(text: str) -> str:
    """Return the build name nearest to any text: other characters become `-`; `build` where nothing is left."""
    name = re.sub(r"[^A-Za-z0-9._+-]+", "-", text)[:100].strip("-")
    return name if is_build_name(name) else "build"


def is_path(text: str) -> bool:
    """Return whether a text from an event can be a path on this system."""
    return 0 < len(text) <= MAX_PATH_LENGTH and "\0" not in text


def is_run_name(name: str) -> bool:
    """Return whether `name` is a run's start in UTC, `YYYYMMDDTHHMMSSZ`."""
    return _RUN.match(name) is not None


def run_name(start: float) -> str:
    """Return the run name for a start in Unix seconds.

    Raises:
        ValueError: `start` is no date that can be written.
    """
    return datetime.fromtimestamp(int(start), UTC).strftime("%Y%m%dT%H%M%SZ")


def run_start(run: str) -> float:
    """Return the start of a run by its name, in Unix seconds.

    Raises:
        ValueError: `run` is not a run name.
    """
    return datetime.strptime(run, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


def nearest_names(name: str, known: Collection[str]) -> str:
    """Return those of the known names that are most like one that is not among them, in words.

    Where none is alike those that contain it, else the first five, and how many more; `none` where there are none.
    """
    from difflib import get_close_matches  # noqa: PLC0415 - slow to load, and not for what builds wait for

    nearest = get_close_matches(name[:100], known, n=3) or sorted(each for each in known if name in each)
    return listed_names(nearest or sorted(known)) or "none"


def listed_names(names: Sequence[str]) -> str:
    """Return the first five names with commas between them, and how many more there are."""
    more = len(names) - LISTED_NAMES
    return ", ".join([*names[:LISTED_NAMES], *([f"and {more} more"] if more > 0 else [])])
