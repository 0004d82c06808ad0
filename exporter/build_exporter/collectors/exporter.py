"""Families of the exporter itself: what it read, refused, answered, and its own process."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import PlatformCollector, ProcessCollector

from build_exporter import __version__
from build_exporter.exposition import Family
from build_exporter.journal.decode import Reason
from build_exporter.journal.follow import journal_bytes
from build_exporter.monitor import Monitor

ALERT_POSTS = ("sent", "failed", "refused", "held_back")


class ExporterCollector:
    """Shows the exporter's own counters."""

    name = "exporter"

    def __init__(
        self,
        monitor: Monitor,
        requests: Counter[tuple[str, str]],
        ingested: Counter[str],
        sources_up: Callable[[], Mapping[str, bool]],
    ) -> None:
        self.auth_failures = 0
        self.config_is_good = True
        self.alert_posts: Counter[str] = Counter()
        self._monitor = monitor
        self._requests = requests
        self._ingested = ingested
        self._sources_up = sources_up

    def count_refusal(self) -> None:
        """Count a request refused for its credential."""
        self.auth_failures += 1

    def collect(self) -> Iterable[Family]:
        """Return the families."""
        monitor = self._monitor
        yield Family("build_exporter_build_info").add(1, __version__, platform.python_version())
        events = Family("build_exporter_events_total")
        for name, count in sorted(monitor.events_by_name().items()):
            events.add(count, name)
        yield events
        rejected = Family("build_exporter_lines_rejected_total")
        for reason in Reason:
            rejected.add(monitor.decoder.rejected[reason], reason.value)
        yield rejected
        yield Family("build_exporter_event_lag_seconds").add_histogram(monitor.lag_counts, monitor.lag_sum)
        sources = Family("build_exporter_source_up").add(int(not monitor.follower.errors), "journal")
        for name, up in self._sources_up().items():
            sources.add(int(up), name)
        yield sources
        requests = Family("build_exporter_http_requests_total")
        for (handler, code), count in sorted(self._requests.items()):
            requests.add(count, handler, code)
        yield requests
        posts = Family("build_exporter_alert_posts_total")
        for outcome in ALERT_POSTS:
            posts.add(self.alert_posts[outcome], outcome)
        yield posts
        ingested = Family("build_exporter_ingested_events_total")
        for result in ("accepted", "rejected"):
            ingested.add(self._ingested[result], result)
        yield ingested
        yield Family("build_exporter_auth_failures_total").add(self.auth_failures)
        yield Family("build_exporter_config_last_reload_successful").add(int(self.config_is_good))


class JournalSizeCollector:
    """Shows how much disk the journal takes; it lists directories, so it is sampled."""

    name = "journal"

    def __init__(self, root: str) -> None:
        self._root = root

    def collect(self) -> Iterable[Family]:
        """Return the one family."""
        return [Family("build_exporter_journal_bytes").add(journal_bytes(self._root))]


class ProcessCollectors:
    """Shows the `process_*` and `python_*` families every Prometheus client has."""

    name = "process"

    def __init__(self) -> None:
        self._sources = (ProcessCollector(registry=None), PlatformCollector(registry=None))

    def collect(self) -> Iterable[Family]:
        """Return the client library's families in our form."""
        for source in self._sources:
            for found in source.collect():
                suffix = "_total" if found.type == "counter" else ""
                family = Family(found.name + suffix)
                for sample in found.samples:
                    family.add(sample.value, *(sample.labels[name] for name in family.metric.labels))
                yield family
