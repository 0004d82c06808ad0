"""Past runs as OpenMetrics with time stamps, for `promtool tsdb create-blocks-from openmetrics`.

promtool drops without a word what is out of order in a series, a second sample of the same millisecond, and what lies
before 1970. So samples are sorted within their series, one is kept of each millisecond, and all are counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from build_exporter.catalog import Metric, metric
from build_exporter.collectors.builds import BuildCollector
from build_exporter.collectors.steps import StepCollector
from build_exporter.model.events import Event
from build_exporter.monitor import Monitor

MAX_POINTS: Final = 20_000
"""Moments of a run at which its state is written; an interval that needs more is made longer."""
LEAVE_OUT: Final = frozenset({"build_step_failure_info", "build_runs_total", "build_failures_total"})
"""Texts, and counts over runs, which a run by itself does not have."""
_LINE: Final = re.compile(rb"^(\w+)(\{.*\})? (\S+)\n$", re.DOTALL)


@dataclass(slots=True)
class Export:
    """Series with their samples, and what was left out: `dropped` counts by reason."""

    series: dict[tuple[str, str], dict[int, str]] = field(default_factory=dict)
    families: dict[str, Metric] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """Number of samples."""
        return sum(len(points) for points in self.series.values())

    def add(self, build: str, run: str, events: Sequence[Event], interval: float) -> None:
        """Add the metrics of a run at each interval, and at the moments when something happened in it."""
        clock = [0.0]
        monitor = Monitor("/nonexistent", lambda: clock[0])
        collectors: tuple[Callable[[], Iterable[object]], ...] = (
            BuildCollector(monitor, 1).collect,
            StepCollector(monitor, len(events) + 1, 1).collect,
        )
        for moment, batch in _moments(events, interval):
            monitor.tracker.feed(build, run, batch)
            clock[0] = moment
            for collect in collectors:
                self._take(collect(), moment)

    def _take(self, families: Iterable[object], moment: float) -> None:
        stamp = round(moment * 1000)
        for family in families:
            row: Metric = family.metric  # type: ignore[attr-defined]
            lines: list[bytes] = family.lines  # type: ignore[attr-defined]
            if row.name in LEAVE_OUT:
                continue
            if stamp < 0:
                self.dropped["before 1970"] = self.dropped.get("before 1970", 0) + len(lines)
                continue
            self.families[row.name] = row
            for line in b"".join(lines).splitlines(keepends=True):
                found = _LINE.match(line)
                assert found is not None, line
                points = self.series.setdefault((found[1].decode(), (found[2] or b"").decode()), {})
                if stamp in points:
                    self.dropped["same millisecond"] = self.dropped.get("same millisecond", 0) + 1
                points[stamp] = found[3].decode()

    def lines(self) -> Iterator[str]:
        """Yield the exposition: families together, series together, samples of each in the order of time."""
        names: dict[str, list[tuple[str, str]]] = {}
        for key in self.series:
            names.setdefault(key[0], []).append(key)
        for name, keys in sorted(names.items()):
            yield from _head(metric(name))
            for key in sorted(keys):
                for stamp, value in sorted(self.series[key].items()):
                    yield f"{name}{key[1]} {value} {stamp // 1000}.{stamp % 1000:03}\n"
        yield "# EOF\n"


def _head(row: Metric) -> Iterator[str]:
    family = row.name.removesuffix("_total") if row.kind == "counter" else row.name
    yield f"# TYPE {family} {row.kind}\n"
    if row.unit:
        yield f"# UNIT {family} {row.unit}\n"
    yield f"# HELP {family} {row.help}\n"


def _moments(events: Sequence[Event], interval: float) -> Iterator[tuple[float, list[Event]]]:
    """Yield moments in the order of time, each with the events since the one before."""
    ordered = sorted(events, key=lambda event: event.time)
    if not ordered:
        return
    begin, end = ordered[0].time, ordered[-1].time
    step = max(interval, (end - begin) / MAX_POINTS)
    ticks = [begin + step * each for each in range(int((end - begin) / step) + 1)]
    times = sorted({*ticks, *(event.time for event in ordered if type(event).__name__ != "StepProgress"), end})
    at = 0
    for moment, _ in pairwise([*times, end]):
        fresh = at
        while fresh < len(ordered) and ordered[fresh].time <= moment:
            fresh += 1
        yield moment, ordered[at:fresh]
        at = fresh
