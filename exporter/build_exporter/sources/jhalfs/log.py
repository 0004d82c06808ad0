"""The log of one step as jhalfs writes it: it begins with the date and ends with time and disk usage.

    Sat Mar 30 08:24:21 UTC 2024
    tar: stdout: write error
    KB: 709876	/lfs_build/
    …all output of the step…

    Totalseconds: 625

    KB: 5298004	/lfs_build/

The last three lines are missing while it runs, when it failed, and always with the steps of chapter 4 and those the
user added.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from build_exporter.sources.files import Ends, read_ends
from build_exporter.sources.jhalfs.dates import LocalDate, parse_date

HEAD_BYTES: Final = 1024
TAIL_BYTES: Final = 1024
ERROR_BYTES: Final = 256 * 1024
"""Bytes of a failed log's end that are searched for the reason."""

_DISK: Final = re.compile(r"^KB: (\d{1,18})(?:\s|$)", re.MULTILINE)
_SECONDS: Final = re.compile(r"^Totalseconds: (\d{1,9})[ \t]*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class StepLog:
    """A parsed step log.

    Attributes:
        began: the date in its first line, None where there is none.
        is_begun: whether its first line is whole.
        seconds: how long the step's commands took, without unpacking; None before their end.
        disk_bytes: how much more the disk held at the end than before unpacking, negative where it was less.
        disk_before_bytes: what was in use on the disk before unpacking; None before the end.
        size: bytes.
        changed: Unix seconds of the last write.
    """

    began: LocalDate | None
    is_begun: bool
    seconds: int | None
    disk_bytes: int | None
    disk_before_bytes: int | None
    size: int
    changed: float


def read_step_log(path: Path) -> StepLog:
    """Parse a log; only its beginning and end are read.

    Raises:
        OSError: it can't be read or is no regular file.
    """
    return parse_ends(read_ends(path, HEAD_BYTES, TAIL_BYTES, follow_links=False))


def parse_ends(ends: Ends) -> StepLog:
    """Parse the beginning and the end of a log."""
    # the last one counts: a package may print such a line as well
    took = next(iter(reversed(list(_SECONDS.finditer(ends.tail)))), None)
    disk = used = None
    if took is not None:
        before, after = _DISK.search(ends.head), _DISK.search(ends.tail, took.end())
        if before and after:
            used = int(before[1]) * 1024
            disk = int(after[1]) * 1024 - used
    first, end, _ = ends.head.lstrip("\n").partition("\n")
    return StepLog(
        began=parse_date(first) if end else None,
        is_begun=bool(end),
        seconds=int(took[1]) if took is not None else None,
        disk_bytes=disk,
        disk_before_bytes=used,
        size=ends.size,
        changed=ends.changed,
    )


def read_last_lines(path: Path) -> list[str]:
    """Return the lines at a log's end, to be searched for an error; empty where it can't be read."""
    try:
        ends = read_ends(path, 0, ERROR_BYTES, follow_links=False)
    except OSError:
        return []
    return ends.tail.splitlines()
