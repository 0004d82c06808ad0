"""Idle time of a record, robust against clock changes and suspended machines."""

from __future__ import annotations

from typing import Final

LONGEST_STEP_SECONDS: Final = 120.0
"""The most that the time between two polls counts: polls are seconds apart, unless the machine slept or its
clock was set, and neither says anything of the build."""


class IdleTimer:
    """Adds up the time in which a record was watched and did not change."""

    def __init__(self) -> None:
        self._changed: float | None = None
        self._polled = 0.0
        self._seconds = 0.0

    def seconds(self, now: float, changed: float) -> float:
        """Return for how many seconds nothing has come.

        Args:
            now: Unix seconds.
            changed: when the record was last written to, in Unix seconds by whatever clock; at the first poll that is
                all there is to go by, later only that it is another.
        """
        if self._changed is None:
            self._seconds = max(0.0, now - changed)
        elif changed != self._changed:
            self._seconds = 0.0
        else:
            self._seconds += min(max(0.0, now - self._polled), LONGEST_STEP_SECONDS)
        self._changed, self._polled = changed, now
        return self._seconds
