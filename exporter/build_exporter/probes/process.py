"""Kind `process`: processes of a name run."""

from __future__ import annotations

import psutil

from build_exporter.config.probes import Probe
from build_exporter.probes.attempt import Attempt, ProbeError
from build_exporter.probes.state import Reason


def probe(settings: Probe, attempt: Attempt) -> None:
    """Count the processes of the target's name that have not ended.

    Raises:
        ProbeError: there are too few.
    """
    found = 0
    for process in psutil.process_iter(["name", "status"]):
        found += process.info["name"] == settings.target and process.info["status"] != psutil.STATUS_ZOMBIE
        attempt.left()
    attempt.figures["processes"] = found
    if found < settings.processes:
        raise ProbeError(Reason.MISSING, f"{found} of {settings.processes} run")
