"""Kind `tcp`: something accepts a connection."""

from __future__ import annotations

from build_exporter.config.probes import Probe
from build_exporter.probes.attempt import Attempt
from build_exporter.probes.network import connected, split_address


def probe(settings: Probe, attempt: Attempt) -> None:
    """Connect, and close again.

    Raises:
        OSError: nothing accepts.
    """
    with connected(*split_address(settings.target), attempt):
        pass
