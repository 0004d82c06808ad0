"""Lines of a record that are left out because no build can have been at their time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from build_exporter.model.events import Note
from build_exporter.model.names import MAX_TIME

EARLIEST: Final = 946684800.0
"""Start of the year 2000: an earlier time is damage, or of a machine whose clock was never set."""


class ImplausibleLines:
    """Reports the first such line of each direction; the note is the same whenever the record is read again."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._waiting: list[str] = []

    def add(self, time: float) -> None:
        """Count a line of a time in Unix seconds that is before 2000, or later than the record can be."""
        which = "before the year 2000" if time < EARLIEST else "later than the record's last change"
        if which not in self._seen:
            self._seen.add(which)
            first = datetime.fromtimestamp(min(time, MAX_TIME), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
            why = "the clock was wrong, or they are damaged"
            self._waiting.append(f"lines of a time {which} are left out, the first of {first}: {why}")

    def report(self, message: str) -> None:
        """Report what is left out for another reason."""
        self._waiting.append(message)

    @property
    def words(self) -> str:
        """Text not reported yet; empty if nothing was left out."""
        return "; ".join(self._waiting)

    def notes(self, build: str, time: float) -> Iterator[Note]:
        """Yield what has not been reported yet, as notes of a run at a time in Unix seconds."""
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            yield Note(time=time, build=build, message=message, level="warning")
