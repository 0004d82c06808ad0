"""The counts of runs removed by retention, so that counters over runs never decrease.

`JOURNAL/<build>/removed.json` is written before the files go. A run in it counts once its file is gone: so a crash in
between counts nothing twice and nothing never.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from build_exporter.journal.layout import run_path

NAME: Final = "removed.json"
MAX_BYTES: Final = 16 * 1024 * 1024

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


def remember(root: str, build: str, tallies: Mapping[str, Tally]) -> None:
    """Note the counts of runs, by their names, that are removed next.

    Raises:
        OSError: it can't be written.
    """
    noted = _settled(root, build, _read(root, build))
    noted.going.update(tallies)
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
        with open(f"{root}/{build}/{NAME}", "rb") as file:
            return _decoder.decode(file.read(MAX_BYTES))
    except (OSError, msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return _Removed()
