"""Metrics that the configuration makes from fields of events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from build_exporter.catalog import Kind, Metric
from build_exporter.config.schema import ExtraMetric
from build_exporter.exposition import Family
from build_exporter.model.events import Event, event_name
from build_exporter.model.redaction import redact
from build_exporter.model.text import plain_line

MAX_SERIES: Final = 1000
"""Series of one metric; label values beyond them are left out."""
MAX_LABEL: Final = 200


class CustomMetrics:
    """Follows events into the configured metrics: gauges keep the newest value, counters add up.

    `configure` may be called at any time; metrics that stay keep their values.
    """

    name = "custom"

    def __init__(self, metrics: Iterable[ExtraMetric]) -> None:
        self._values: dict[str, dict[tuple[str, ...], float]] = {}
        self._by_event: dict[str, list[ExtraMetric]] = {}
        self._rows: list[Metric] = []
        self.configure(metrics)

    def configure(self, metrics: Iterable[ExtraMetric]) -> None:
        """Take other metrics."""
        wanted = tuple(metrics)
        by_event: defaultdict[str, list[ExtraMetric]] = defaultdict(list)
        for each in wanted:
            by_event[each.event].append(each)
        self._values = {each.name: self._values.get(each.name, {}) for each in wanted}
        self._rows = [Metric(each.name, Kind(each.type), "", ("build", *each.labels), each.help) for each in wanted]
        self._by_event = dict(by_event)

    def on_events(self, build: str, run: str, events: Sequence[Event], live: bool) -> None:
        """Take events, those of the first reading too: a restart begins where the run stands."""
        if not self._by_event:
            return
        for event in events:
            for metric in self._by_event.get(event_name(event), ()):
                self._learn(metric, build, event)

    def _learn(self, metric: ExtraMetric, build: str, event: Event) -> None:
        value = 1.0 if metric.field is None else getattr(event, metric.field, None)
        if not isinstance(value, int | float):
            return
        labels = (build, *(_label(getattr(event, name, None)) for name in metric.labels))
        known = self._values[metric.name]
        if labels in known or len(known) < MAX_SERIES:
            known[labels] = float(value) + (known.get(labels, 0.0) if metric.type == "counter" else 0.0)

    def collect(self) -> Iterable[Family]:
        """Return a family for each metric."""
        for row in self._rows:
            family = Family(row)
            for labels, value in list(self._values.get(row.name, {}).items()):
                family.add(value, *labels)
            yield family


def _label(value: object) -> str:
    return "" if value is None else redact(plain_line(str(value)))[:MAX_LABEL]
