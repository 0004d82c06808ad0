"""Families about the exporter itself: events read and rejected, requests, its own process."""

from __future__ import annotations

import os
import platform
import resource
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import psutil

from build_exporter import __version__
from build_exporter.catalog import CATALOG
from build_exporter.collectors.host.files import read
from build_exporter.exposition import Family
from build_exporter.journal.command_uses import command_uses
from build_exporter.journal.decode import Reason
from build_exporter.journal.follow import journal_bytes
from build_exporter.monitor import Monitor

ALERT_POSTS = ("sent", "failed", "refused", "held_back")
ALERTS_RECEIVED = ("recorded", "repeated", "unknown", "unwritable", "rejected")


_BOUNDS: Final = CATALOG["build_exporter_http_request_duration_seconds"].buckets


@dataclass(slots=True)
class Times:
    """Times of answers: how many within each bound, and their sum in seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(_BOUNDS) + 1))
    sum: float = 0.0


@dataclass(slots=True)
class WebCounts:
    """Counts of the HTTP server since the start; `stream_clients` returns the current number."""

    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    times: dict[str, Times] = field(default_factory=dict)
    page_loads: Counter[str] = field(default_factory=Counter)
    ingested: Counter[str] = field(default_factory=Counter)
    stream_clients: Callable[[], int] = int
    stream_dropped: int = 0
    auth_failures: int = 0
    web_config_is_good: bool = True

    def answered(self, handler: str, status: int, seconds: float) -> None:
        """Count an answer that began so many seconds after its request."""
        self.requests[handler, str(status)] += 1
        times = self.times.get(handler)
        if times is None:
            times = self.times[handler] = Times()
        times.counts[bisect_left(_BOUNDS, seconds)] += 1
        times.sum += seconds


class ExporterCollector:
    """Shows the exporter's own counters."""

    name = "exporter"

    def __init__(
        self,
        monitor: Monitor,
        web: WebCounts,
        sources_up: Callable[[], Mapping[str, bool]],
    ) -> None:
        self.config_is_good = True
        self.alert_posts: Counter[str] = Counter()
        self.alerts_received: Counter[str] = Counter()
        self.parts_up: Callable[[], Mapping[str, bool]] = dict
        self._monitor = monitor
        self._web = web
        self._sources_up = sources_up

    def collect(self) -> Iterable[Family]:
        """Return the families."""
        monitor = self._monitor
        yield Family("build_exporter_build_info").add(1, __version__, platform.python_version())
        events = Family("build_exporter_events_total")
        for name, count in sorted(monitor.events_by_name().items()):
            events.add(count, name)
        yield events
        yield Family("build_exporter_events_lost_total").add(monitor.events_lost)
        rejected = Family("build_exporter_lines_rejected_total")
        for reason in Reason:
            rejected.add(monitor.decoder.rejected[reason], reason.value)
        yield rejected
        yield Family("build_exporter_event_lag_seconds").add_histogram(monitor.lag_counts, monitor.lag_sum)
        sources = Family("build_exporter_source_up").add(int(not monitor.follower.errors), "journal")
        for name, up in self._sources_up().items():
            sources.add(int(up), name)
        yield sources
        parts = Family("build_exporter_part_up")
        for name, up in self.parts_up().items():
            parts.add(int(up), name)
        yield parts
        yield from self._web_families()
        yield Family("build_exporter_config_last_reload_successful").add(
            int(self.config_is_good and self._web.web_config_is_good)
        )

    def _web_families(self) -> Iterable[Family]:
        web = self._web
        requests = Family("build_exporter_http_requests_total")
        for (handler, code), count in sorted(web.requests.items()):
            requests.add(count, handler, code)
        yield requests
        times = Family("build_exporter_http_request_duration_seconds")
        for handler, taken in sorted(web.times.items()):
            times.add_histogram(taken.counts, taken.sum, handler)
        yield times
        loads = Family("build_exporter_page_loads_total")
        for page, count in sorted(web.page_loads.items()):
            loads.add(count, page)
        yield loads
        yield _by_outcome("build_exporter_alert_posts_total", self.alert_posts, ALERT_POSTS)
        yield _by_outcome("build_exporter_alerts_received_total", self.alerts_received, ALERTS_RECEIVED)
        ingested = Family("build_exporter_ingested_events_total")
        for result in ("accepted", "rejected"):
            ingested.add(web.ingested[result], result)
        yield ingested
        yield Family("build_exporter_stream_clients").add(web.stream_clients())
        yield Family("build_exporter_stream_clients_dropped_total").add(web.stream_dropped)
        yield Family("build_exporter_auth_failures_total").add(web.auth_failures)


def _by_outcome(name: str, counts: Mapping[str, int], outcomes: Iterable[str]) -> Family:
    family = Family(name)
    for outcome in outcomes:
        family.add(counts.get(outcome, 0), outcome)
    return family


class JournalSizeCollector:
    """Shows the size of the journal and how often commands were used; it lists directories, so it is sampled."""

    name = "journal"

    def __init__(self, root: str) -> None:
        self._root = root

    def collect(self) -> Iterable[Family]:
        """Return both families."""
        uses = Family("build_exporter_command_uses_total")
        for command, count in command_uses(self._root):
            uses.add(count, command)
        return [Family("build_exporter_journal_bytes").add(journal_bytes(self._root)), uses]


class ProcessCollector:
    """Shows the `process_*` and `python_info` families every Prometheus client has, as its specification names them.

    The client library has them too, and costs 1.5 MB of memory.
    """

    name = "process"

    def __init__(self) -> None:
        self._page = resource.getpagesize()
        version = (platform.python_implementation(), *platform.python_version_tuple(), platform.python_version())
        started = psutil.Process().create_time()
        self._fixed = [Family("process_start_time_seconds").add(started), Family("python_info").add(1, *version)]

    def collect(self) -> Iterable[Family]:
        """Return the families."""
        # psutil would read and parse `/proc/self/stat` for two of its fields
        size, resident = map(int, read("/proc/self/statm").split()[:2])
        yield Family("process_cpu_seconds_total").add(time.process_time())
        yield Family("process_resident_memory_bytes").add(resident * self._page)
        yield Family("process_virtual_memory_bytes").add(size * self._page)
        # one of them is what they are listed by
        yield Family("process_open_fds").add(len(os.listdir("/proc/self/fd")) - 1)  # noqa: PTH208 - only the number
        yield Family("process_max_fds").add(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        yield from self._fixed
