"""Lines of Portage's emerge.log: what each says. Dates in words are localised and never read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

MAX_PACKAGE_LENGTH: Final = 200
"""Longest category/name-version taken for one: it becomes a label's value, with the root behind it at times."""


class LineType(Enum):
    """What a line reports about its emerge or one package."""

    STARTED = auto()
    COMMAND = auto()
    MERGE = auto()
    STAGE = auto()
    USAGE = auto()
    COMPLETED = auto()
    FINISHED = auto()
    EXIT = auto()
    TERMINATING = auto()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry.

    Attributes:
        time: Unix seconds.
        line_type: what it reports.
        number: which package of the emerge it is; `total` of how many.
        package: category/name-version.
        text: root of a merge, name of a stage, what a build has used, arguments of a command.
        status: exit status of the emerge.
    """

    time: float
    line_type: LineType
    number: int = 0
    total: int = 0
    package: str = ""
    text: str = ""
    status: int = 0


_DAMAGE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufffd]+")
_TWO_IN_ONE: Final = re.compile(r"(?<=.)(?=[12]\d{9}: )")
_ENTRY: Final = re.compile(r"(\d{1,10}): {1,2}(\S.*)")
_PACKAGE: Final = r"([\w+][\w+.-]*/[\w+][\w+.-]*)"
_OF: Final = r"\((\d{1,6}) of (\d{1,6})\)"
_MERGE: Final = re.compile(rf">>> emerge {_OF} {_PACKAGE} to (\S+)")
_STAGE: Final = re.compile(rf"(?:===|---) {_OF} ([A-Z][\w/ -]*?) \({_PACKAGE}(?:::|\))")
_USAGE: Final = re.compile(rf"=== Resource usage for build of {_PACKAGE}: (.{{1,400}})")
_COMPLETED: Final = re.compile(rf"::: completed emerge {_OF} {_PACKAGE} to (\S+)")
_EXIT: Final = re.compile(r"\*\*\* exiting (?:(successfully)|unsuccessfully with status '(\d{1,3})')")
_VERSION: Final = re.compile(r"-(?=\d)")
_CPU: Final = re.compile(r"\bCPU: (\d{1,12}(?:\.\d{1,6})?)s")
_SIZES: Final = {
    "max_rss_bytes": re.compile(r"\bMaxMem: (\d{1,12}(?:\.\d{1,6})?) ([KMGTP]i)?B"),
    "read_bytes": re.compile(r"\bI/O R: (\d{1,12}(?:\.\d{1,6})?) ([KMGTP]i)?B"),
    "written_bytes": re.compile(r"\bI/O W: (\d{1,12}(?:\.\d{1,6})?) ([KMGTP]i)?B"),
}
_POWERS: Final = {"": 0, "Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5}
_FIRST_LINE: Final = re.compile(r"\d{9,10}: {1,2}(?:Started emerge on: |>>> |\*\*\* |=== |::: |--- )")


def read_line(line: str) -> list[Entry]:
    """Return the entries of a line: mostly one; none where it says nothing of builds, or is damaged."""
    if "\x00" in line or "\ufffd" in line:
        line = _DAMAGE.sub("", line)
    pieces = _TWO_IN_ONE.split(line) if line.count(": ", 12) else [line]
    return [entry for piece in pieces if (entry := _read(piece)) is not None]


def looks_like_log(line: str) -> bool:
    """Return whether a file's first line could be one of emerge.log."""
    return _FIRST_LINE.match(line) is not None


def split_package(package: str) -> tuple[str, str]:
    """Return category/name and version of category/name-version; an empty version where there is none."""
    name, *version = _VERSION.split(package, maxsplit=1)
    return name, version[0] if version else ""


def read_usage(text: str) -> dict[str, Any]:
    """Return CPU time in seconds, and sizes in bytes as rounded as the log has them, as fields of a step's end."""
    found: dict[str, Any] = {}
    if cpu := _CPU.search(text):
        found["cpu_seconds"] = float(cpu[1])
    for name, pattern in _SIZES.items():
        if size := pattern.search(text):
            found[name] = int(float(size[1]) * 1024 ** _POWERS[size[2] or ""])
    return found


def _read(piece: str) -> Entry | None:
    found = _ENTRY.match(piece)
    if found is None:
        return None
    time, text = float(found[1]), found[2]
    reader = _READERS.get(text[:3])
    return reader(time, text) if reader is not None else None


def _merge(time: float, text: str) -> Entry | None:
    return _of_package(time, LineType.MERGE, _MERGE.match(text), (3, 4))


def _stage(time: float, text: str) -> Entry | None:
    if (used := _USAGE.match(text)) is not None and len(used[1]) <= MAX_PACKAGE_LENGTH:
        return Entry(time, LineType.USAGE, package=used[1], text=used[2])
    return _of_package(time, LineType.STAGE, _STAGE.match(text), (4, 3))


def _completed(time: float, text: str) -> Entry | None:
    return _of_package(time, LineType.COMPLETED, _COMPLETED.match(text), (3, 4))


def _of_package(time: float, line_type: LineType, found: re.Match[str] | None, groups: tuple[int, int]) -> Entry | None:
    if found is None:
        return None
    package, text = found[groups[0]], found[groups[1]]
    if len(package) > MAX_PACKAGE_LENGTH:
        return None
    return Entry(time, line_type, int(found[1]), int(found[2]), package, text)


def _of_emerge(time: float, text: str) -> Entry | None:
    if (found := _EXIT.match(text)) is not None:
        return Entry(time, LineType.EXIT, status=0 if found[1] else int(found[2]))
    if text.startswith("*** terminating."):
        return Entry(time, LineType.TERMINATING)
    if text.startswith("*** Finished."):
        return Entry(time, LineType.FINISHED)
    if text.startswith("*** emerge "):
        return Entry(time, LineType.COMMAND, text=text[len("*** emerge ") :].strip())
    return None


def _started(time: float, text: str) -> Entry | None:
    return Entry(time, LineType.STARTED) if text.startswith("Started emerge on: ") else None


_READERS: Final = {">>>": _merge, "===": _stage, "---": _stage, ":::": _completed, "***": _of_emerge, "Sta": _started}
