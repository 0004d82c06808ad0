"""Results of a probe: the newest, since when it is so, and those before."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from build_exporter.config.probes import Probe

KEPT: Final = 120
"""Results kept of each probe: an hour of them at the default interval."""
UP: Final = "up"
"""The outcome of a try that succeeded; that of another is its reason."""


class Reason(StrEnum):
    """Why a try failed."""

    TIMEOUT = "timeout"
    UNRESOLVED = "unresolved"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    CERTIFICATE = "certificate"
    DENIED = "denied"
    STATUS = "status"
    CONTENT = "content"
    REDIRECTS = "redirects"
    PROTOCOL = "protocol"
    MISSING = "missing"
    EXIT_CODE = "exit-code"
    UNSUPPORTED = "unsupported"
    ERROR = "error"


class Result(msgspec.Struct, frozen=True):
    """One try: when it began (Unix seconds), how long it took, why it failed (None: it did not), what it measured."""

    at: float
    seconds: float
    reason: Reason | None
    detail: str
    phases: Mapping[str, float]
    figures: Mapping[str, float]


class ProbeState:
    """A probe's results; changed by the prober's threads, read by any.

    Attributes:
        probe: its settings.
        since: when it began to answer, or to fail, as it does now; None before its first try.
        results: the newest results, oldest first.
        outcomes: tries since the start by outcome.
    """

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self.since: float | None = None
        self.results: deque[Result] = deque(maxlen=KEPT)
        self.outcomes: Counter[str] = Counter()

    @property
    def newest(self) -> Result | None:
        """The newest result."""
        return self.results[-1] if self.results else None

    def add(self, result: Result) -> None:
        """Take a result."""
        newest = self.newest
        if newest is None or (newest.reason is None) != (result.reason is None):
            self.since = result.at
        self.outcomes[result.reason or UP] += 1
        self.results.append(result)
