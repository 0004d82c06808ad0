"""Reads the logs of steps that ended before the exporter saw them: each once, when its end is first recorded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from build_exporter.model.events import Event
from build_exporter.sources.files import open_regular
from build_exporter.sources.step_logs.attempt_logs import AttemptLogs
from build_exporter.sources.step_logs.expected_failures import ExpectedFailurePatterns, ExpectedFailures
from build_exporter.sources.step_logs.reader import StepContext
from build_exporter.sources.step_logs.watcher import OVERLAP_SECONDS, new_readers
from build_exporter.tracker import Run, Step

BACKFILL_SECONDS: Final = OVERLAP_SECONDS / 2
"""A step that ended so long ago is not looked at by who follows the running ones any more."""


def backfill(run: Run, step: Step, known: Callable[[Step], ExpectedFailurePatterns] | None = None) -> Iterator[Event]:
    """Yield the events in the logs of an ended step, at the time of its end; none without a log of its own.

    Args:
        run: the run.
        step: one of its steps.
        known: tests known to fail; by default the shipped lists.
    """
    if not step.log or step.end is None or step.shares_log:
        return
    logs = AttemptLogs(new_readers, Path(step.log), step.step, None)
    try:
        logs.read(_is_plain, over=True)
    except OSError:
        return
    failures = (known or ExpectedFailures().of)(step)
    context = StepContext(
        time=step.end,
        run=run,
        step=step,
        read_bytes=logs.read_bytes,
        over=True,
        known_failures=failures,
        runs_tests=logs.runs_tests,
    )
    for reader in logs.readers:
        yield from reader.emit(context)


def _is_plain(path: Path) -> bool:
    """Return whether a path is a regular file: a log that a record names is read by whoever reads the record."""
    os.close(open_regular(path, follow_links=False))
    return True
