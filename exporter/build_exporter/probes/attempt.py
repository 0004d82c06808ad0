"""One try of a probe: its deadline, what it measured, and why it failed."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator

from build_exporter.probes.state import Reason


class ProbeError(Exception):
    """A try failed; `detail` is a few words of ours, never text from the service, which may lie or hold a secret."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Attempt:
    """A try while it runs, in a thread of its own.

    Attributes:
        deadline: when it must be over, monotonic seconds.
        phases: how long its parts took, by name, in seconds.
        figures: what else it measured, by name.
    """

    def __init__(self, timeout: float) -> None:
        self.deadline = time.monotonic() + timeout
        self.phases: dict[str, float] = {}
        self.figures: dict[str, float] = {}
        self._stops: list[Callable[[], object]] = []
        self._lock = threading.Lock()
        self._stopped = False

    def left(self) -> float:
        """Return the seconds left.

        Raises:
            TimeoutError: there are none.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    @contextlib.contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Add the time that the body takes to a phase, also when it fails."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.phases[phase] = self.phases.get(phase, 0.0) + time.monotonic() - began

    def on_stop(self, stop: Callable[[], object]) -> None:
        """Have `stop` called at the deadline, from another thread, to wake the try up; at once if that has passed."""
        with self._lock:
            if not self._stopped:
                self._stops.append(stop)
                return
        stop()

    def stop(self) -> None:
        """Wake the try up where it waits."""
        with self._lock:
            self._stopped = True
            stops, self._stops = self._stops, []
        for stop in stops:
            # what is closed already needs no waking up
            with contextlib.suppress(OSError, ValueError):
                stop()


def _reasons() -> Iterator[tuple[type[BaseException], Reason]]:
    """Yield the reason of each exception; the first that fits."""
    yield TimeoutError, Reason.TIMEOUT
    yield socket.gaierror, Reason.UNRESOLVED
    yield ConnectionRefusedError, Reason.REFUSED
    yield ssl.SSLCertVerificationError, Reason.CERTIFICATE
    yield ssl.SSLError, Reason.PROTOCOL
    yield ConnectionError, Reason.PROTOCOL
    yield OSError, Reason.UNREACHABLE
    yield ImportError, Reason.UNSUPPORTED
    yield Exception, Reason.ERROR


def reason_of(error: Exception) -> tuple[Reason, str]:
    """Return the reason, and a few words, of what a try raised."""
    if isinstance(error, ProbeError):
        return error.reason, error.detail
    reason = next(reason for kind, reason in _reasons() if isinstance(error, kind))
    words = {
        Reason.CERTIFICATE: getattr(error, "verify_message", ""),
        Reason.UNREACHABLE: getattr(error, "strerror", "") or "",
        Reason.UNSUPPORTED: f"the Python package {getattr(error, 'name', '')} is not installed",
        Reason.ERROR: type(error).__name__,
    }
    return reason, words.get(reason, "")
