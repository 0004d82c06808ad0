"""The end of a failed step's log, read where its reader may."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from build_exporter.journal.layout import run_path
from build_exporter.sources.files import open_regular, read_ends
from build_exporter.tracker import Run, Step

TAIL_BYTES: Final = 1024 * 1024
"""How much of the end of a log is read for a card."""


def last_lines(journal: str, run: Run, step: Step) -> list[str]:
    """Return the last lines of a step's log, raw; empty where it has none or it may not be read.

    A log is read only where it is a plain file of the user whose run it is, or where that is root: the writer of an
    event must not get shown what he may not read himself.
    """
    if not step.log:
        return []
    path = Path(step.log)
    try:
        if not _may_read(journal, run, path):
            return []
        return read_ends(path, 0, TAIL_BYTES, follow_links=False).tail.splitlines()
    except OSError:
        return []


def _may_read(journal: str, run: Run, path: Path) -> bool:
    writer = Path(run_path(journal, run.build, run.run)).stat().st_uid
    if writer == 0:
        return True
    descriptor = open_regular(path, follow_links=False)
    try:
        return os.fstat(descriptor).st_uid == writer
    finally:
        os.close(descriptor)
