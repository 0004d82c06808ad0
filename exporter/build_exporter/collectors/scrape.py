"""A scrape: every collector's families, with each collector's success and duration."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from build_exporter.collectors.runners import BackgroundRunner, CollectorRunner, SamplingThread
from build_exporter.exposition import Family, Format, render_parts


class Scrape:
    """Runs guarded collectors and renders what they show."""

    def __init__(self, collectors: Sequence[CollectorRunner]) -> None:
        self.collectors = tuple(collectors)
        self._threads: list[SamplingThread] = []

    def start(self) -> None:
        """Start the threads that take samples, and give them a moment for the first ones."""
        sampled: dict[str, list[BackgroundRunner]] = {}
        for collector in self.collectors:
            if isinstance(collector, BackgroundRunner):
                sampled.setdefault(collector.thread, []).append(collector)
        self._threads = [SamplingThread(name, runners) for name, runners in sampled.items()]
        for thread in self._threads:
            thread.start()
        for collector in itertools.chain.from_iterable(sampled.values()):
            collector.wait_first(0.5)

    def stop(self) -> None:
        """End the sampling threads."""
        for thread in self._threads:
            thread.stop()

    def body(self, form: Format) -> bytes:
        """Return the scrape's body."""
        return b"".join(self.parts(form))

    def parts(self, form: Format) -> list[bytes]:
        """Return the scrape's body in parts; what has not changed since the scrape before may be the same objects."""
        families: list[Family] = []
        success = Family("build_exporter_collector_success")
        duration = Family("build_exporter_collector_duration_seconds")
        for collector in self.collectors:
            families.extend(collector.families())
            success.add(int(collector.success), collector.name)
            duration.add(collector.seconds, collector.name)
        families.extend((success, duration))
        series = Family("build_exporter_series")
        families.append(series.add(sum([family.count for family in families]) + 1))
        return render_parts(families, form)
