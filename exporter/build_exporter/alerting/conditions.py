"""Conditions of the machine that hold up a build, with their start, kept in a file for a restart."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from build_exporter.journal.timeouts import call_with_timeout
from build_exporter.queries.incidents import Incident, Kind, failure_number

log = logging.getLogger(__name__)

FILE: Final = ".host-incidents.json"
HOLD_SECONDS: Final = {Kind.DISK_FULL: 3.0, Kind.OUT_OF_MEMORY: 0.0, Kind.WAITING_FOR_INPUT: 60.0}
"""How long each lasts before it is an incident. A step that ends at once for want of space is reported as failed alone;
a person who sits before a program such as `make menuconfig` types now and then."""


class HostCondition(NamedTuple):
    """What is seen of which build, and where: a directory or a step."""

    build: str
    kind: Kind
    where: str = ""


class HostConditions:
    """Remembers since when each condition lasts; `journal` is the directory that keeps the file.

    Attributes:
        since: when each began to be seen, Unix seconds.
        words: what an incident of each says.
    """

    def __init__(self, journal: str) -> None:
        self._path = Path(journal) / FILE
        rows: list[tuple[str, Kind, str, float, str]] = []
        call_with_timeout(lambda: rows.extend(_read(self._path)))  # or none: the exporter starts on a dead mount, too
        self.since = {HostCondition(build, kind, where): began for build, kind, where, began, _ in rows}
        self.words = {HostCondition(build, kind, where): words for build, kind, where, _, words in rows}
        self._is_written = True
        self._complained = False

    def keep(self, seen: Mapping[HostCondition, str], now: float) -> None:
        """Take what is seen now with its words, and forget what is no longer seen."""
        if seen == self.words and self._is_written:
            return
        self.since = {condition: self.since.get(condition, now) for condition in seen}
        self.words = dict(seen)
        self._write()

    def incidents(self, now: float) -> list[Incident]:
        """Return the incidents: of each build and kind the condition that began first, once it has lasted."""
        first: dict[tuple[str, Kind], HostCondition] = {}
        for condition, _ in sorted(self.since.items(), key=lambda item: item[1]):
            first.setdefault((condition.build, condition.kind), condition)
        return [
            Incident(
                build=condition.build,
                kind=condition.kind,
                failure=failure_number(self.since[condition]),
                since=self.since[condition] + HOLD_SECONDS[condition.kind],
                description=self.words[condition],
            )
            for condition in first.values()
            if now - self.since[condition] >= HOLD_SECONDS[condition.kind]
        ]

    def _write(self) -> None:
        rows = [(*condition, began, self.words[condition]) for condition, began in self.since.items()]
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
