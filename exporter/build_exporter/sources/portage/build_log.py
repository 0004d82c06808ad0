"""The failure of a package, from its build.log."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final, NamedTuple

from build_exporter.diagnostics.diagnosis import first_error, was_stopped
from build_exporter.sources.files import milliseconds, read_ends

TAIL_BYTES: Final = 256 * 1024
MESSAGE_LENGTH: Final = 300
ERROR_LENGTH: Final = 200

EARLIER_SECONDS: Final = 1.0
LATER_SECONDS: Final = 2.0
"""emerge.log has whole seconds, and the last lines about a failure are written after it."""

_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])|[\x00-\x08\x0b-\x1f\x7f]")
_DIED: Final = re.compile(r"^ \* ERROR: (\S+ failed(?: \([^)\n]*\))?):?\n(?: \*   (.*))?", re.MULTILINE)
_FETCH: Final = re.compile(r"^!!! (?:Couldn't download|Fetched file: .* VERIFY FAILED|Unable to fetch)", re.MULTILINE)


class Failure(NamedTuple):
    """Why a package failed; `time` is when, in Unix seconds, None where its log does not say that it has."""

    message: str
    time: float | None


def find_build_log(directory: Path, logs: Path | None) -> Path:
    """Return a package's build.log.

    Args:
        directory: the package's `temp` directory.
        logs: PORTAGE_LOGDIR, where build.log is a link to; a link to any other place is not followed.
    """
    path = directory / "build.log"
    if logs is None:
        return path
    try:
        target = Path(os.readlink(path))  # noqa: PTH115 - raises for what is no link, as wanted
    except OSError:
        return path
    if target.is_absolute() and ".." not in target.parts:
        inside = next((place for place in (target, logs / target.name) if place.is_relative_to(logs)), None)
        return inside or path
    return path


def read_failure(path: Path, since: float, until: float) -> Failure | None:
    """Return the failure in a build log; None when it has none, or belongs to another attempt.

    Args:
        path: the log.
        since: Unix seconds of the attempt's start.
        until: Unix seconds when it was over.
    """
    try:
        changed = milliseconds(path.stat(follow_symlinks=False).st_mtime_ns)
        if not since - EARLIER_SECONDS <= changed <= until + LATER_SECONDS:
            return None
        ends = read_ends(path, 0, TAIL_BYTES, follow_links=False)
    except OSError:
        return None
    message = failure_message(ends.tail)
    if not message:
        return None
    text = _plain(ends.tail)
    is_certain = (_DIED.search(text) or _FETCH.search(text)) and not was_stopped(text.splitlines())
    return Failure(message, min(max(float(int(changed)), since), until) if is_certain else None)


def failure_message(log: str) -> str:
    """Return the first error in a failed build's log, and the phase that failed; empty when not found."""
    text = _plain(log)
    died = _DIED.search(text)
    error = first_error(text[: died.start() if died else len(text)].splitlines())
    if error is None and (fetch := _FETCH.search(text)):
        error = text[fetch.start() :].partition("\n")[0]
    parts = [error[:ERROR_LENGTH]] if error else []
    if died:
        parts.append(f"{died[1]}: {died[2].strip()}" if died[2] else died[1])
    return " — ".join(parts)[:MESSAGE_LENGTH]


def _plain(log: str) -> str:
    return _ESCAPES.sub("", log.replace("\r\n", "\n"))
