"""A file with the state of all builds, for status bars and scripts: always whole, never half written."""

from __future__ import annotations

import logging
import os

import msgspec

from build_exporter.cli.status import as_object, by_urgency
from build_exporter.estimate import Estimator
from build_exporter.monitor import Monitor

log = logging.getLogger(__name__)


class StatusFile:
    """Writes what `status --output json` says; a failure is logged once and tried again."""

    def __init__(self, monitor: Monitor, estimator: Estimator | None = None) -> None:
        self._monitor = monitor
        self._estimator = estimator or Estimator(monitor.tracker.builds)
        self._failed = False

    def write(self, path: str | None) -> bool:
        """Replace the file as a whole; return whether it was written, False without a path."""
        if path is None or not self._monitor.ready:
            return False
        now = self._monitor.clock()
        runs = by_urgency(self._monitor.newest_runs(), now)
        text = msgspec.json.encode([as_object(run, now, self._estimator) for run in runs])
        fresh = f"{path}.new"
        try:
            with open(fresh, "wb") as file:  # noqa: PTH123 - beside the other, for the rename
                file.write(text + b"\n")
            os.replace(fresh, path)  # noqa: PTH105
        except OSError as error:
            if not self._failed:
                log.warning("status file cannot be written", extra={"path": path, "error": error.strerror})
            self._failed = True
            return False
        self._failed = False
        return True
