"""Since when the machine is seen to hold up a build, kept in a file: a restart must not make a new incident of it."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from build_exporter.journal.in_time import in_time
from build_exporter.queries.incidents import Incident, Kind, failure_number

log = logging.getLogger(__name__)

FILE: Final = ".host-incidents.json"
HOLD_SECONDS: Final = {Kind.DISK_FULL: 3.0, Kind.OUT_OF_MEMORY: 0.0, Kind.WAITING_FOR_INPUT: 60.0}
"""How long each lasts before it is an incident. A step that ends at once for want of space is reported as failed alone;
a person who sits before a program such as `make menuconfig` types now and then."""


class Sighting(NamedTuple):
    """What is seen of which build, and where: a directory or a step."""

    build: str
    kind: Kind
    where: str = ""


class Sightings:
    """Remembers since when each sighting lasts; `journal` is the directory that keeps the file.

    Attributes:
        since: when each began to be seen, Unix seconds.
        words: what an incident of each says.
    """

    def __init__(self, journal: str) -> None:
        self._path = Path(journal) / FILE
        rows: list[tuple[str, Kind, str, float, str]] = []
        in_time(lambda: rows.extend(_read(self._path)))  # or none: the exporter starts on a dead mount, too
        self.since = {Sighting(build, kind, where): began for build, kind, where, began, _ in rows}
        self.words = {Sighting(build, kind, where): words for build, kind, where, _, words in rows}
        self._is_written = True
        self._complained = False

    def keep(self, seen: Mapping[Sighting, str], now: float) -> None:
        """Take what is seen now with its words, and forget what is no longer seen."""
        if seen == self.words and self._is_written:
            return
        self.since = {sighting: self.since.get(sighting, now) for sighting in seen}
        self.words = dict(seen)
        self._write()

    def incidents(self, now: float) -> list[Incident]:
        """Return the incidents: of each build and kind the sighting that began first, once it has lasted."""
        first: dict[tuple[str, Kind], Sighting] = {}
        for sighting, _ in sorted(self.since.items(), key=lambda item: item[1]):
            first.setdefault((sighting.build, sighting.kind), sighting)
        return [
            Incident(
                build=sighting.build,
                kind=sighting.kind,
                failure=failure_number(self.since[sighting]),
                since=self.since[sighting] + HOLD_SECONDS[sighting.kind],
                description=self.words[sighting],
            )
            for sighting in first.values()
            if now - self.since[sighting] >= HOLD_SECONDS[sighting.kind]
        ]

    def _write(self) -> None:
        rows = [(*sighting, began, self.words[sighting]) for sighting, began in self.since.items()]
        fresh = self._path.with_suffix(".new")
        try:
            fresh.write_bytes(msgspec.json.encode(rows))
            os.replace(fresh, self._path)  # noqa: PTH105 - beside the write
            self._is_written = True
        except OSError as problem:
            self._is_written = False
            if not self._complained:
                self._complained = True
                log.warning("after a restart, what the machine does to builds is reported anew: %s", problem)


def _read(path: Path) -> list[tuple[str, Kind, str, float, str]]:
    with contextlib.suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return msgspec.json.decode(path.read_bytes(), type=list[tuple[str, Kind, str, float, str]])
    return []
