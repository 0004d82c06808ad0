"""Request of a query command: builds and runs, window of time, filters, and source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple, Protocol

import msgspec

from build_exporter.model.events import Event
from build_exporter.model.names import listed_names, nearest_names
from build_exporter.queries.context import Context, NotFoundError, shown
from build_exporter.tracker import Run, RunSummary


class Sample(NamedTuple):
    """One series' value."""

    labels: Mapping[str, str]
    value: float


class Samples(Protocol):
    """Metrics as the running exporter or Prometheus has them."""

    def values(self, name: str, over: str = "last") -> Sequence[Sample]:
        """Return the series of a metric.

        Args:
            name: the metric's name as it is exposed.
            over: `last`, or with a window of time `avg`, `p50`, `p95`, `max` or `rate` (counters, per second).
        """


class NoSamples:
    """No metrics: the journal has none."""

    def values(self, name: str, over: str = "last") -> Sequence[Sample]:
        """Return nothing."""
        return ()


@dataclass(frozen=True, slots=True)
class Window:
    """A time from `since` to `until`, Unix seconds."""

    since: float
    until: float

    def holds(self, time: float | None) -> bool:
        """Return whether a time lies in the window."""
        return time is not None and self.since <= time <= self.until


@dataclass(frozen=True, slots=True)
class Request:
    """A question.

    Attributes:
        context: the builds with their newest runs, and the moment of asking.
        source: where the answer comes from, in words.
        build: only this build; None: all.
        run: only this run; None: the newest, or with a window those that lie in it.
        window: only what happened in it; None: everything.
        filters: values of the query's own options by name; those not given are None.
        samples: metrics.
        older: names of a build's earlier runs, oldest first.
        read_history: reads a build's earlier runs into `context.builds`, once.
        load: returns an earlier run by build and name, or raises NotFoundError.
        events: yields the events of a run.
    """

    context: Context
    source: str
    build: str | None = None
    run: str | None = None
    window: Window | None = None
    filters: Mapping[str, Any] = field(default_factory=dict)
    samples: Samples = field(default_factory=NoSamples)
    older: Callable[[str], Sequence[str]] = lambda build: ()
    read_history: Callable[[str], None] = lambda build: None
    load: Callable[[str, str], Run] | None = None
    events: Callable[[Run], Iterable[Event]] = lambda run: ()

    @property
    def now(self) -> float:
        """The moment of asking, Unix seconds."""
        return self.context.now

    def filter(self, name: str) -> Any:
        """Return the value of an option, None where it was not given."""
        return self.filters.get(name)

    def newest(self) -> list[Run]:
        """Return the newest run of the build asked about, or of every build, the most recently active first.

        Raises:
            NotFoundError: there is no such build.
        """
        if self.build is not None:
            names = list(self.context.builds)
            if self.build not in names:
                nearest = nearest_names(self.build, names)
                raise NotFoundError(f"no build {self.build} in {self.source}; there are: {nearest}")
            return [self.context.build(self.build)[1]]
        return [run for _, run in self.context.newest()]

    def runs(self) -> list[Run]:
        """Return the runs asked about: one by name, those in the window, or the newest of each build.

        Raises:
            NotFoundError: there is no such build or run.
        """
        newest = self.newest()
        if self.run is not None:
            return self._of_that_name(self.run, newest)
        if self.window is None:
            return newest
        return [run for each in newest for run in [each, *self._earlier(each)] if self._overlaps(run)]

    def latest(self, newest: Run, most: int) -> list[Run]:
        """Return a build's runs that lie in the window, if one is asked for, the newest first; at most so many."""
        earlier = (run for run in self._earlier(newest) if self.window is None or self._overlaps(run))
        return [newest, *islice(earlier, most - 1)]

    def named(self, build: str, name: str) -> Run:
        """Return a run of a build by its name; `newest` and `previous` name the last two.

        Raises:
            NotFoundError: there is none.
        """
        newest = self.context.build(build)[1]
        older = list(self.older(build))
        if name in ("newest", newest.run):
            return newest
        if name == "previous" and older:
            name = older[-1]
        if name not in older or self.load is None:
            known = listed_names([newest.run, *reversed(older)])
            raise NotFoundError(f"no run {shown(name)} of {build}; the newest: {known}")
        return self.load(build, name)

    def history(self, build: str) -> list[RunSummary]:
        """Return what is kept of a build's earlier runs, oldest first."""
        self.read_history(build)
        return sorted(self.context.builds[build].history.values(), key=lambda summary: summary.run)

    def _of_that_name(self, name: str, newest: Sequence[Run]) -> list[Run]:
        """Return the run of a name of each build that has one."""
        found: list[Run] = []
        for each in newest:
            try:
                found.append(self.named(each.build, name))
            except NotFoundError:
                if len(newest) == 1:
                    raise
        if newest and not found:
            known = listed_names([f"{run.run} of {run.build}" for run in newest])
            raise NotFoundError(f"no build has a run {shown(name)}; the newest: {known}")
        return found

    def in_window(self, time: float | None) -> bool:
        """Return whether something that happened at a time is asked for."""
        return self.window is None or self.window.holds(time)

    def _earlier(self, newest: Run) -> Iterator[Run]:
        for name in reversed(self.older(newest.build)):
            if self.load is not None:
                yield self.load(newest.build, name)

    def _overlaps(self, run: Run) -> bool:
        assert self.window is not None
        begin, end = run.start, run.end or run.last_event
        return begin is not None and end is not None and begin <= self.window.until and end >= self.window.since


class Reply(NamedTuple):
    """An answer: the rows of its table, whether something is not fine, and what a person reads before the table.

    `answer` is the JSON form where that is more than the rows.
    """

    rows: Sequence[msgspec.Struct]
    bad: bool = False
    lines: Sequence[str] = ()
    answer: msgspec.Struct | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A query command: everything that the command line, the API and the reference page need to know of it.

    Attributes:
        run: answers.
        row: type of the rows; its fields are the columns.
        about: what is answered, in a sentence; more lines after an empty one.
        filters: names of the options it takes beside the common ones.
        arguments: names of its positional arguments, each optional.
        example: arguments of a call that works.
        not_fine: what makes it exit with 1, empty where nothing does.
        metrics: whether it needs metrics, from a running exporter or Prometheus.
    """

    run: Callable[[Request], Reply]
    row: type[msgspec.Struct]
    about: str
    filters: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    example: str = ""
    not_fine: str = ""
    metrics: bool = False
