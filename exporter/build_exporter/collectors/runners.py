"""Run collectors so that none can break or delay a scrape: errors are caught, slow ones sampled in the background."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from build_exporter.exposition import Family

log = logging.getLogger(__name__)

REST_AFTER_SECONDS: Final = 20.0
"""After so long without a scrape nobody asks."""
REST_SECONDS: Final = 15.0
"""Interval of samples then that nothing but a scrape shows."""
COST_RATIO: Final = 1000.0
"""Least interval of samples, as a multiple of the CPU time of one, up to `COSTLY_SECONDS`."""
COSTLY_SECONDS: Final = 5.0


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
    """Keeps the newest sample of a collector that asks the system, taken every `interval` seconds.

    A scrape takes the newest sample and never waits. A collector that hangs for `timeout` seconds counts as failed
    and its old sample is no longer shown. Those with the same `thread` are sampled by one thread, one after another.
    One with a `rest` is sampled every so many seconds while nobody asks for it, a costly one up to every five.
    """

    def __init__(
        self,
        collector: Collector,
        interval: float = 1.0,
        timeout: float = 10.0,
        *,
        thread: str = "",
        rest: float = 0.0,
    ) -> None:
        self.name = collector.name
        self.seconds = 0.0
        self.thread = thread or collector.name
        self.due = 0.0
        self.wake = threading.Event()
        self._direct = DirectRunner(collector)
        self._interval = interval
        self._timeout = timeout
        self._rest = rest
        self._sample: list[Family] = []
        self._asked = time.monotonic()
        self._fresh_until = self._asked + interval + timeout
        self._first = threading.Event()

    def wait_first(self, seconds: float) -> bool:
        """Wait until there is a first sample; False when there was none within `seconds`."""
        return self._first.wait(seconds)

    @property
    def success(self) -> bool:
        """Whether the newest sample succeeded and is not older than the patience allows."""
        return self._direct.success and self._is_fresh()

    def families(self) -> list[Family]:
        """Return the newest sample, empty when it failed or is too old."""
        now = time.monotonic()
        if self._rest and now - self._asked > REST_AFTER_SECONDS:
            self.due = 0.0
            self.wake.set()
        self._asked = now
        return self._sample if self._is_fresh() else []

    def sample(self) -> None:
        """Take a sample and set when the next one is due."""
        began = time.thread_time()
        self._sample = self._direct.families()
        cost = min(COSTLY_SECONDS, (time.thread_time() - began) * COST_RATIO)
        self.seconds = self._direct.seconds
        now = time.monotonic()
        unasked = now - self._asked > REST_AFTER_SECONDS
        pause = max(self._interval, cost, self._rest if unasked else 0.0)
        # in step with the others of its thread, so that it wakes up once for all
        self.due = max(self.due + pause, now)
        self._fresh_until = self.due + self._timeout
        self._first.set()

    def _is_fresh(self) -> bool:
        return time.monotonic() < self._fresh_until


class SamplingThread:
    """A thread that takes the samples of some collectors as they become due."""

    def __init__(self, name: str, runners: Sequence[BackgroundRunner]) -> None:
        self._runners = runners
        self._wake = threading.Event()
        self._ended = False
        for runner in runners:
            runner.wake = self._wake
        # a daemon: one that hangs in the kernel must not keep the exporter from ending
        self._thread = threading.Thread(target=self._run, name=f"collector-{name}", daemon=True)

    def start(self) -> None:
        """Start sampling."""
        now = time.monotonic()
        for runner in self._runners:
            runner.due = now
        self._thread.start()

    def stop(self) -> None:
        """End sampling soon; does not wait for a collector that hangs."""
        self._ended = True
        self._wake.set()

    def _run(self) -> None:
        while not self._ended:
            now = time.monotonic()
            for runner in self._runners:
                if runner.due <= now:
                    runner.due = runner.due or now
                    runner.sample()
            self._wake.wait(max(0.0, min(runner.due for runner in self._runners) - time.monotonic()))
            self._wake.clear()
