"""A scrape: every collector's families, with each collector's success and duration."""

from __future__ import annotations

from collections.abc import Sequence

from build_exporter.collectors.runners import BackgroundRunner, CollectorRunner
from build_exporter.exposition import Family, Format, render


class Scrape:
    """Runs guarded collectors and renders what they show."""

    def __init__(self, collectors: Sequence[CollectorRunner]) -> None:
        self.collectors = tuple(collectors)

    def start(self) -> None:
        """Start the collectors that sample in threads of their own, and give them a moment for a first sample."""
        sampled = [c for c in self.collectors if isinstance(c, BackgroundRunner)]
        for collector in sampled:
            collector.start()
        for collector in sampled:
            collector.wait_first(0.5)

    def stop(self) -> None:
        """End the sampling threads."""
        for collector in self.collectors:
            if isinstance(collector, BackgroundRunner):
                collector.stop()

    def body(self, form: Format) -> bytes:
        """Return the scrape's body."""
        families: list[Family] = []
        success = Family("build_exporter_collector_success")
        duration = Family("build_exporter_collector_duration_seconds")
        for collector in self.collectors:
            families.extend(collector.families())
            success.add(int(collector.success), collector.name)
            duration.add(collector.seconds, collector.name)
        families.extend((success, duration))
        series = Family("build_exporter_series")
        families.append(series.add(sum(family.count for family in families) + 1))
        return render(families, form)
