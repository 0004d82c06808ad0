"""Run collectors so that none can break or delay a scrape: errors are caught, slow ones sampled in the background."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from typing import Protocol

from build_exporter.exposition import Family

log = logging.getLogger(__name__)


class Collector(Protocol):
    """A collector: a name, and families made when asked."""

    name: str

    def collect(self) -> Iterable[Family]:
        """Return the families as they are now; raise where they can't be had."""
        ...


class CollectorRunner(Protocol):
    """A collector that never raises, with the success and duration of its newest run."""

    name: str
    seconds: float

    @property
    def success(self) -> bool:
        """Whether the newest run succeeded."""
        ...

    def families(self) -> list[Family]:
        """Return the newest families; empty after a failure."""
        ...


class DirectRunner:
    """Runs a collector that only reads memory, within the scrape."""

    def __init__(self, collector: Collector) -> None:
        self.name = collector.name
        self.success = True
        self.seconds = 0.0
        self._collector = collector
        self._logged = False

    def families(self) -> list[Family]:
        """Return the collector's families, all or, when it raises, none."""
        began = time.perf_counter()
        try:
            # the whole list before any of it is shown: a collector that dies half-way shows nothing
            found = list(self._collector.collect())
            self.success = True
            self._logged = False
        except Exception:
            found = []
            self.success = False
            if not self._logged:
                log.exception("collector failed", extra={"collector": self.name})
                self._logged = True
        self.seconds = time.perf_counter() - began
        return found


class BackgroundRunner:
    """Runs a collector that asks the system, in a thread of its own every `interval` seconds.

    A scrape takes the newest sample and never waits. A collector that hangs for `patience` seconds counts as failed
    and its old sample is no longer shown.
    """

    def __init__(self, collector: Collector, interval: float = 1.0, timeout: float = 10.0) -> None:
        self.name = collector.name
        self.seconds = 0.0
        self._direct = DirectRunner(collector)
        self._interval = interval
        self._timeout = timeout
        self._sample: list[Family] = []
        self._taken = time.monotonic()
        self._stop = threading.Event()
        self._first = threading.Event()
        # a daemon: one that hangs in the kernel must not keep the exporter from ending
        self._thread = threading.Thread(target=self._run, name=f"collector-{self.name}", daemon=True)

    def start(self) -> None:
        """Start sampling."""
        self._taken = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """End sampling soon; does not wait for a collector that hangs."""
        self._stop.set()

    def wait_first(self, seconds: float) -> bool:
        """Wait until there is a first sample; False when there was none within `seconds`."""
        return self._first.wait(seconds)

    @property
    def success(self) -> bool:
        """Whether the newest sample succeeded and is not older than the patience allows."""
        return self._direct.success and self._is_fresh()

    def families(self) -> list[Family]:
        """Return the newest sample, empty when it failed or is too old."""
        return self._sample if self._is_fresh() else []

    def _is_fresh(self) -> bool:
        return time.monotonic() - self._taken < self._interval + self._timeout

    def _run(self) -> None:
        while not self._stop.is_set():
            self._sample = self._direct.families()
            self.seconds = self._direct.seconds
            self._taken = time.monotonic()
            self._first.set()
            self._stop.wait(self._interval)
