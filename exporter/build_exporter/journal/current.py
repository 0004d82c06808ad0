"""Choose the run a writer joins: the build's newest, or a new one where that is over and work goes on.

Kept to what `os` and `time` give, because the step wrapper asks before the wrapped command may start.
"""

from __future__ import annotations

import os
import time

from build_exporter.journal.layout import newest_run, run_path

_BLOCK_BYTES = 64 * 1024
_LOCK_SECONDS = 0.5
GOES_ON = ("build_started", "plan", "step_started", "step_finished")
"""Events by which work goes on: they begin a run or continue one, others join the newest even when it is over.

Not `step_progress`: progress from a step's log may be written after the run's end.
"""
_ONGOING = frozenset(name.encode() for name in GOES_ON)


def unfinished_run(journal: str, build: str, *, resume: bool = False) -> str | None:
    """Return the file of the build's newest run unless that is over: has ended, or with `resume` has succeeded.

    Raises:
        OSError: the file can't be read.
    """
    newest = newest_run(journal, build)
    if newest is None:
        return None
    state = last_state(newest)
    over = state == "succeeded" if resume else state not in ("", "running")
    return None if over else newest


def join_run(  # noqa: PLR0913
    journal: str, build: str, now: float, *, resume: bool = False, new: bool = False, goes_on: bool = True
) -> str:
    """Return the file of the unfinished run, else of a new one, empty, begun at `now` (Unix seconds).

    Without `goes_on`, for events that are none of `GOES_ON`, it is the newest run, over or not.

    Two writers that ask at the same time get the same run.

    Raises:
        OSError: the journal can't be read or written.
    """
    os.makedirs(f"{journal}/{build}", exist_ok=True)
    lock = lock_build(f"{journal}/{build}")
    try:
        found = None
        if not new:
            found = unfinished_run(journal, build, resume=resume) if goes_on else newest_run(journal, build)
        return found or make_run(journal, build, now)
    finally:
        if lock >= 0:
            os.close(lock)


def make_run(journal: str, build: str, now: float) -> str:
    """Return the file, made empty, of a run begun at `now` in Unix seconds, or at the next second without a run.

    Raises:
        OSError: it can't be made.
    """
    start = int(now)
    while True:
        path = run_path(journal, build, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(start)))
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOCTTY, 0o644))
        except FileExistsError:
            # a run of the same second is there and over
            start += 1
        else:
            return path


def lock_build(directory: str) -> int:
    """Return a descriptor that holds the build's lock, or -1: no file system or neighbour may hold the build up."""
    import fcntl  # noqa: PLC0415 - not needed inside a run

    descriptor = -1
    deadline = time.monotonic() + _LOCK_SECONDS
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    return descriptor
                time.sleep(0.002)
            else:
                return descriptor
    except OSError:
        if descriptor >= 0:
            os.close(descriptor)
        return -1


def last_state(path: str) -> str:
    """Return a run's state by the end of its file: `running`, the status it finished with, or "" if unknown.

    Raises:
        OSError: the file can't be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        end = os.fstat(descriptor).st_size
        rest = b""
        while end > 0:
            start = max(0, end - _BLOCK_BYTES)
            lines = (os.pread(descriptor, end - start, start) + rest).split(b"\n")
            rest = lines.pop(0) if start else b""
            for line in reversed(lines):
                event = _field(line, b"event")
                if event in _ONGOING:
                    return "running"
                if event == b"build_finished":
                    return _field(line, b"status").decode("ascii", "replace")
            end = start
        return ""
    finally:
        os.close(descriptor)


def _field(line: bytes, name: bytes) -> bytes:
    """Return a text field of a line of JSON, empty where it has none: a key's quotes can't occur inside a text."""
    key = b'"' + name + b'"'
    position = line.find(key)
    while position >= 0:
        rest = line[position + len(key) :].lstrip()
        if rest.startswith(b":"):
            value = rest[1:].lstrip()
            return value[1:].partition(b'"')[0] if value.startswith(b'"') else b""
        position = line.find(key, position + 1)
    return b""
