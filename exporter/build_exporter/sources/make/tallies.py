"""Counts in a console: progress of ninja or CMake, and the results of tests."""

from __future__ import annotations

import re
from typing import Final

from build_exporter.sources.make import patterns
from build_exporter.sources.make.emitter import Emitter
from build_exporter.sources.make.limits import KEPT_CHARACTERS
from build_exporter.sources.make.parts import Part
from build_exporter.sources.step_logs.counters import Status

_COMPILING: Final = re.compile(r"\b(?:Building|Compiling|Linking|CC|CXX|LD)\b|\s-[co]\s|%\]")

Count = tuple[int, int, str]
"""Done, total and unit."""


class CountReader:
    """Reads counts, be they in a form of the user's own (NINJA_STATUS)."""

    def __init__(self) -> None:
        self._status = Status()
        self._was_compiling = False

    def read(self, text: str, *, learns: bool) -> Count | None:
        """Return what a line counts; `learns` where a form not known before may be a build's."""
        count = patterns.counted(text)
        if count is None and learns and (status := self._status.read(text)) is not None:
            count = (*status, "ninja")
        if count is not None:
            self._was_compiling = _COMPILING.search(text) is not None
        return count

    def is_cut(self, counted: tuple[int, int] | None) -> bool:
        """Return whether counting broke off: where what was made is as before, ninja itself ends at `[1/5]`."""
        return counted is not None and counted[0] < counted[1] and self._was_compiling


class SuiteFeed:
    """Gives lines to the suites of a part, be it one that has failed: with `-k` make goes on to other suites."""

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter
        self._failed: dict[str, Part] = {}

    def fail(self, name: str, part: Part) -> None:
        """Keep a part that fails."""
        self._failed[name] = part

    def clear(self) -> None:
        """Forget the parts that failed: another stage begins."""
        self._failed.clear()

    def feed(self, parts: dict[str, Part], name: str, text: str) -> None:
        """Give a line to a part's suites, if it has any."""
        part = parts.get(name) or self._failed.get(name)
        if part is not None and part.suites is not None:
            part.suites.feed(text[:KEPT_CHARACTERS])
            if name not in parts:
                self._emitter.tested(part)
