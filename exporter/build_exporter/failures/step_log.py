"""The card of a failed step with its log read, where that may be; a card is made once until something changes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from build_exporter.failures.card import Card, card
from build_exporter.journal.layout import run_path
from build_exporter.sources.files import may_be_read_to, read_ends
from build_exporter.tracker import Run, Step

MAX_KEPT: Final = 256
"""Cards that are kept."""

TAIL_BYTES: Final = 1024 * 1024
"""Bytes of the end of a log that are read for a card."""


def last_lines(journal: str, run: Run, step: Step) -> list[str]:
    """Return the last lines of a step's log, raw; empty where it has none or it may not be read.

    A log is read only where it is a plain file of the user whose run it is, or where that is root: the writer of an
    event must not get shown what he may not read himself.
    """
    if not step.log:
        return []
    path = Path(step.log)
    try:
        if not may_be_read_to(run_path(journal, run.build, run.run), path):
            return []
        return read_ends(path, 0, TAIL_BYTES, follow_links=False).tail.splitlines()
    except OSError:
        return []


class Cards:
    """Makes cards, and keeps those of failures that nothing new is known of: pages ask for them each second."""

    def __init__(self, journal: str) -> None:
        self._journal = journal
        self._kept: dict[tuple[object, ...], Card] = {}

    def __call__(self, run: Run, step: Step) -> Card:
        """Return the card of a failed step."""
        known = (run.build, run.run, step.key, step.attempts, step.end, step.message, step.error_class)
        key = (*known, len(run.blocked()), len(step.tests), _changed(step))
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            found = self._kept[key] = card(run, step, last_lines(self._journal, run, step))
        return found


def _changed(step: Step) -> tuple[int, int] | None:
    try:
        found = Path(step.log or "").stat(follow_symlinks=False)
    except (OSError, ValueError):
        return None
    return (found.st_size, found.st_mtime_ns)
