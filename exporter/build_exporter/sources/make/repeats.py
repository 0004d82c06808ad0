"""Distinguish further runs of make on one console from one make that continues after failures."""

from __future__ import annotations

from typing import Final

from build_exporter.diagnostics.diagnosis import Diagnosis
from build_exporter.sources.make import patterns
from build_exporter.sources.make.patterns import Failure

MAX_LATER: Final = 100


class Repeats:
    """The failures of the topmost make, which fails at each target once.

    A make that goes on after a failure waits for its other jobs, or ends with words on what it did not remake (`-k`):
    failures at further targets without either are those of further makes.
    """

    def __init__(self) -> None:
        self._targets: set[str] = set()
        self._later: list[tuple[Failure, Diagnosis | None]] = []
        self._is_waiting = self._is_below = False

    def clear(self) -> None:
        """Forget all: another make has begun."""
        self._targets.clear()
        self._later.clear()
        self._is_waiting = self._is_below = False

    def read(self, text: str) -> None:
        """Take a message of make's that is no failure."""
        if patterns.is_waiting(text):
            self._is_waiting = True
        elif text.startswith(("make: ", "gmake: ")):
            # it says so in another language
            self._later.clear()

    def broke(self) -> None:
        """Note that a part has failed, which the topmost make will hand on."""
        self._is_below = True

    def is_anew(self, failure: Failure) -> bool:
        """Return whether a failure is another run's: the topmost make has failed at this very target before."""
        return not self._is_below and failure.target in self._targets and _is_of_top(failure)

    def is_later(self, failure: Failure) -> bool:
        """Note a failure; return whether it may be another run's."""
        if not _is_of_top(failure):
            if not (failure.level or failure.target):
                # it says what it did not remake
                self._later.clear()
            return False
        is_later = bool(self._targets) and not (self._is_below or self._is_waiting) and len(self._later) < MAX_LATER
        self._targets.add(failure.target)
        self._is_below = False
        return is_later

    def keep(self, failure: Failure, cause: Diagnosis | None) -> None:
        """Keep a failure that may be another run's."""
        self._later.append((failure, cause))

    def take(self) -> list[tuple[Failure, Diagnosis | None]]:
        """Return the failures kept that no make has explained as its own, once."""
        later, self._later = self._later, []
        return later


def _is_of_top(failure: Failure) -> bool:
    return failure.level == 0 and failure.exit_code is not None
