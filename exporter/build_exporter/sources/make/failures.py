"""Attribute failures: the reason, and which of several running makes failed."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from build_exporter.diagnostics.diagnosis import Diagnosis, diagnose, ended_in_error
from build_exporter.sources.make.directories import Open
from build_exporter.sources.make.limits import KEPT_CHARACTERS, KEPT_LINES
from build_exporter.sources.make.patterns import Failure

MAX_UNPLACED: Final = 100

WAIT_LINES: Final = 12
"""A tool that gives up may go on to say why for so many lines."""


@dataclass(slots=True)
class UnplacedFailure:
    """A failure at a level where several makes ran: the caller's message or their end decides which.

    `cause` is what failed, as far as the lines before it show.
    """

    failure: Failure
    cause: Diagnosis | None
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
        """Note a directory left; return whether any that waits may belong to it."""
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


class Reasons:
    """The last lines of a console, in which the reason of a failure is looked for.

    `has_failed_edge`: a command of ninja's has failed, so that its word of an interruption is about that command.
    """

    def __init__(self) -> None:
        self.has_failed_edge = False
        self._recent: deque[str] = deque(maxlen=KEPT_LINES)
        self._left = 0

    def keep(self, text: str) -> None:
        """Keep a line in mind."""
        self._recent.append(text[:KEPT_CHARACTERS])
        self.has_failed_edge = self.has_failed_edge or text.startswith("FAILED: ")

    def forget(self) -> None:
        """Forget all lines: what comes next fails for reasons of its own."""
        self._recent.clear()
        self.has_failed_edge = False

    def wait(self) -> None:
        """Begin to wait for the rest of what a tool says that has given up."""
        self._left = self._left or WAIT_LINES

    def is_due(self, *, now: bool = False) -> bool:
        """Return whether a tool that gave up has printed all, at each line or when nothing more comes `now`."""
        if not self._left:
            return False
        self._left = 0 if now else self._left - 1
        return not self._left

    def cause(self, failure: Failure | None, *, is_known: bool) -> Diagnosis | None:
        """Return what failed; None where the lines only hand on what `is_known` already."""
        found = diagnose(self._recent, exit_code=failure.exit_code if failure is not None else None)
        return None if is_known and found.is_handed_on else found

    def last_cause(self) -> Diagnosis | None:
        """Return what failed where the console ends in an error that make does not speak of."""
        return ended_in_error(self._recent)
