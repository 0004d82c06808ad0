"""The counts of runs removed by retention, so that counters over runs never decrease.

`JOURNAL/<build>/removed.json` is written before the files go. A run in it counts once its file is gone: so a crash in
between counts nothing twice and nothing never.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections import Counter
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from build_exporter.journal.layout import run_path
from build_exporter.journal.lines import open_regular

NAME: Final = "removed.json"
MAX_BYTES: Final = 16 * 1024 * 1024
LOCK_SECONDS: Final = 5.0

Number = Annotated[int, Meta(ge=0, le=10**15)]


class Tally(msgspec.Struct):
    """Counts of one or many runs: ends by result, failed attempts by phase and class."""

    results: dict[str, Number] = {}
    failures: dict[str, dict[str, Number]] = {}

    def add(self, other: Tally) -> None:
        """Add another's counts."""
        self.results = dict(Counter(self.results) + Counter(other.results))
        for phase, classes in other.failures.items():
            self.failures[phase] = dict(Counter(self.failures.get(phase, {})) + Counter(classes))


class _Removed(msgspec.Struct):
    gone: Tally = msgspec.field(default_factory=Tally)
    going: dict[str, Tally] = {}


_decoder: Final = msgspec.json.Decoder(_Removed)


def removed_runs(root: str, build: str) -> Tally:
    """Return the counts of a build's removed runs; none where nothing was removed or the file is damaged."""
    found = _read(root, build)
    return _settled(root, build, found).gone


def remove_run(root: str, build: str, run: str, tally: Tally) -> bool:
    """Remove a run's file once its counts are noted; return False where another exporter has removed it already.

    Exporters of one journal take turns, so that none writes over what another has noted.

    Raises:
        OSError: the counts can't be written, the file can't be removed, or the journal stays locked by another.
    """
    path = run_path(root, build, run)
    lock = _lock(f"{root}/{build}")
    try:
        if not os.path.lexists(path):
            return False
        note(root, build, run, tally)
        os.unlink(path)
        return True
    finally:
        os.close(lock)


def _lock(directory: str) -> int:
    """Return a descriptor that holds a lock of the directory's own notes; writers of events do not wait for it."""
    descriptor = os.open(f"{directory}/{NAME}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                os.close(descriptor)
                raise
            time.sleep(0.005)
        except OSError:
            os.close(descriptor)
            raise
        else:
            return descriptor


def note(root: str, build: str, run: str, tally: Tally) -> None:
    """Note the counts of a run that is removed next; the caller holds the lock.

    Raises:
        OSError: they can't be written.
    """
    noted = _settled(root, build, _read(root, build))
    noted.going[run] = tally
    path = f"{root}/{build}/{NAME}"
    descriptor = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with open(descriptor, "wb") as file:
        file.write(msgspec.json.encode(noted))
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.new", path)


def _settled(root: str, build: str, noted: _Removed) -> _Removed:
    """Return the same with the runs whose files are gone added up."""
    settled = _Removed(noted.gone)
    for run, tally in noted.going.items():
        if os.path.lexists(run_path(root, build, run)):
            settled.going[run] = tally
        else:
            settled.gone.add(tally)
    return settled


def _read(root: str, build: str) -> _Removed:
    try:
        with open(open_regular(f"{root}/{build}/{NAME}"), "rb") as file:
            return _decoder.decode(file.read(MAX_BYTES))
    except (OSError, msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return _Removed()
