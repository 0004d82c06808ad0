"""Attribute failures: the reason, and which of several running makes failed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from build_exporter.sources.first_error import MAX_MESSAGE, first_error
from build_exporter.sources.make.directories import Open
from build_exporter.sources.make.patterns import Failure

MAX_UNPLACED: Final = 100


@dataclass(slots=True)
class UnplacedFailure:
    """A failure at a level where several makes ran: the caller's message or their end decides which.

    `reason` is what failed, according to the lines before it.
    """

    failure: Failure
    reason: str | None
    candidates: list[Open]
    left: list[Open] = field(default_factory=list)

    def place(self, target: str, broken: Collection[str]) -> Open:
        """Return the directory that it is of: one that the caller's target names, else the one left last.

        Make calls a target failed as soon as the make it called for it has left its directory. Directories known to
        have failed, whose paths are `broken`, are left out where others are not.
        """
        options = self.left or self.candidates
        options = [each for each in options if each.path not in broken] or options
        words = re.split(r"[^\w.+]+", target)
        named = (each for each in reversed(options) if each.path.rpartition("/")[2] in words)
        return next(named, options[-1])


class UnplacedFailures:
    """The failures of each level that wait for their caller's words."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[UnplacedFailure]] = {}

    def __contains__(self, level: int) -> bool:
        """Return whether any of a level waits."""
        return level in self._waiting

    def add(self, level: int, unplaced: UnplacedFailure) -> None:
        """Let one wait."""
        waiting = self._waiting.setdefault(level, [])
        if len(waiting) < MAX_UNPLACED:
            waiting.append(unplaced)

    def leave(self, level: int, left: Open) -> bool:
        """Note a directory left; tell whether any that waits may be of it."""
        suspected = [each for each in self._waiting.get(level, ()) if any(one is left for one in each.candidates)]
        for each in suspected:
            each.left.append(left)
        return bool(suspected)

    def take(self, level: int) -> UnplacedFailure | None:
        """Return the first that waits at a level, which waits no more."""
        waiting = self._waiting.get(level)
        if not waiting:
            return None
        found = waiting.pop(0)
        if not waiting:
            del self._waiting[level]
        return found

    def take_all(self) -> list[UnplacedFailure]:
        """Return all that wait, the deepest first; none waits any more."""
        found = [each for level in sorted(self._waiting, reverse=True) for each in self._waiting[level]]
        self._waiting.clear()
        return found


def reason_of(lines: Iterable[str]) -> str | None:
    """Return the line that tells best what failed; with CMake the words come on the lines after."""
    kept = list(lines)
    found = first_error(kept)
    if found is None or not (found.startswith("CMake Error") and found.endswith(":")):
        return found
    at = next((index for index, line in enumerate(kept) if line.strip() == found), len(kept))
    words = next((line.strip() for line in kept[at + 1 : at + 4] if line.strip()), "")
    return f"{found} {words}".rstrip()[:MAX_MESSAGE]
