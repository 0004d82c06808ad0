"""Families of incidents: what stands in a build's way, who has it, and how long that took."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Final

from build_exporter.exposition import Family
from build_exporter.queries.incidents import Incident, Kind

OVER_SECONDS: Final = 600.0
"""Seconds for which 0 is shown after an incident: rules look back 5 minutes and would keep a vanished series' 1."""


class IncidentCollector:
    """Shows the incidents that stand, and for ten minutes those that are over.

    `find` returns the incidents at a time, `details` further words and the links of one by name; `address` are the
    addresses of the exporter's page and of the dashboards, empty where there are none; `times` returns by build the
    seconds until its alerts were acknowledged and until they were resolved.
    """

    name = "alerts"

    def __init__(
        self,
        find: Callable[[float], list[Incident]],
        details: Callable[[Incident], dict[str, str]],
        address: Callable[[], tuple[str, str]],
        times: Callable[[], dict[str, tuple[list[float], list[float]]]],
        clock: Callable[[], float],
    ) -> None:
        self._find = find
        self._details = details
        self._address = address
        self._times = times
        self._clock = clock
        self._seen: dict[tuple[str, Kind, str], float] = {}

    def collect(self) -> Iterable[Family]:
        """Return the families."""
        now = self._clock()
        names = ("build_failure", "build_failure_info", "build_failure_timestamp_seconds", "build_alert_acknowledged")
        value, info, since, taken = families = [Family(name) for name in names]
        for found in self._find(now):
            self._seen[found.key] = now
            value.add(found.tier, *found.key)
            words = (found.step, found.failure_class, found.excerpt, found.description)
            details = self._details(found)
            info.add(1, *found.key, *words, *(details.get(name, "") for name in info.metric.labels[7:]))
            since.add(found.since, *found.key)
            taken.add(int(found.acknowledged is not None), *found.key)
        for key, seen in list(self._seen.items()):
            if now - seen > OVER_SECONDS:
                del self._seen[key]
            elif seen < now:
                value.add(0, *key)
        return [*families, *self._histograms(), Family("build_exporter_link_info").add(1, *self._address())]

    def _histograms(self) -> Iterable[Family]:
        taken, solved = Family("build_alert_acknowledge_seconds"), Family("build_alert_resolve_seconds")
        for build, times in self._times().items():
            for family, values in zip((taken, solved), times, strict=True):
                bounds = family.metric.buckets
                counts = [0] * (len(bounds) + 1)
                for value in values:
                    counts[bisect_left(bounds, value)] += 1
                family.add_histogram(counts, sum(values), build)
        return [taken, solved]
