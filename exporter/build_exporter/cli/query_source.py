"""Sources of a query's answer: a running exporter, the journal, or Prometheus."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import click

from build_exporter.cli.query_http import PROBE_SECONDS, ExporterClient, PrometheusClient, UnreachableError
from build_exporter.config.schema import Config
from build_exporter.estimate import Estimator
from build_exporter.journal.decode import Decoder
from build_exporter.journal.follow import Follower
from build_exporter.journal.layout import JOURNAL_VARIABLE, default_journal, run_path, runs
from build_exporter.journal.lines import LineFile
from build_exporter.model.events import Event
from build_exporter.queries.context import Context, NotFoundError
from build_exporter.queries.from_metrics import builds_from
from build_exporter.queries.request import NoSamples, Request, Samples, Window
from build_exporter.tracker import Build, Run, Tracker, apply_all

DEFAULT_EXPORTER: Final = "http://127.0.0.1:10110"


@dataclass(frozen=True, slots=True)
class Asked:
    """Values of the common options."""

    journal: str | None
    exporter: str | None
    prometheus: str | None
    build: str | None
    run: str | None
    window: Window | None
    filters: dict[str, Any]
    config: Config


def named_journal(journal: str) -> str | None:
    """Return the journal of a command's `--journal`, None where it is only the default."""
    source = click.get_current_context().get_parameter_source("journal")
    return journal if source is click.core.ParameterSource.COMMANDLINE else None


def request_of(asked: Asked, *, metrics: bool) -> Request:
    """Return the request with everything that answers need.

    Without an address or a journal named, a running exporter on this machine is asked first, then the journal.

    Raises:
        UnreachableError: a server that was named does not answer.
    """
    now = time.time()
    if asked.prometheus is not None:
        prometheus = PrometheusClient(asked.prometheus, now, asked.build, asked.window)
        at = asked.window.until if asked.window is not None else now
        tracker = Tracker()
        tracker.builds = builds_from(prometheus, at)
        return _request(asked, tracker, at, f"Prometheus {prometheus.url}", prometheus)
    if asked.exporter is not None:
        return _from_exporter(asked, ExporterClient(asked.exporter), now)
    if asked.journal is None and JOURNAL_VARIABLE not in os.environ and asked.run is None and asked.window is None:
        try:
            return _from_exporter(asked, ExporterClient(DEFAULT_EXPORTER, PROBE_SECONDS), now)
        except UnreachableError:
            pass
    return _from_journal(asked, now, metrics=metrics)


def _request(
    asked: Asked, tracker: Tracker, now: float, source: str, samples: Samples, **more: Any
) -> Request:  # fmt: skip
    context = Context(tracker.builds, now, estimate=Estimator(tracker.builds), thresholds=asked.config.thresholds)
    filters = asked.filters | {"schedule": asked.config.schedule, "queries": asked.config.queries}
    return Request(context, source, asked.build, asked.run, asked.window, filters, samples, **more)


def _from_exporter(asked: Asked, client: ExporterClient, now: float) -> Request:
    tracker = Tracker()
    known: dict[str, list[Event]] = {}
    for name in client.builds():
        if asked.build not in (None, name):
            # known by name alone: an error can say which builds there are
            tracker.builds[name] = Build(name)
            continue
        known[name] = list(client.events(name))
        started = next((e for e in known[name] if getattr(e, "run", None)), None)
        tracker.feed(name, getattr(started, "run", None) or "newest", known[name])
    source = f"the exporter at {client.url}"
    return _request(asked, tracker, now, source, client, events=lambda run: known.get(run.build, []))


def _from_journal(asked: Asked, now: float, *, metrics: bool) -> Request:
    journal = Journal(asked.journal or default_journal())
    samples: Samples = NoSamples()
    source = f"the journal {journal.root}"
    if metrics:
        client = ExporterClient(DEFAULT_EXPORTER, PROBE_SECONDS)
        try:
            client.values("build_exporter_build_info")
        except UnreachableError:
            pass
        else:
            samples, source = client, f"{source} and the exporter at {client.url}"
    return _request(
        asked, journal.tracker, now, source, samples, older=journal.older, read_history=journal.read_history,
        load=journal.load, events=journal.events,
    )  # fmt: skip


class Journal:
    """A journal read once: the newest run of each build at once, earlier ones when asked for."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.tracker = Tracker()
        self._follower = Follower(root)
        self._loaded: dict[tuple[str, str], Run] = {}
        for batch in self._follower.poll():
            self.tracker.feed(batch.build, batch.run, batch.events, from_start=batch.from_start)

    def older(self, build: str) -> Sequence[str]:
        """Return the names of a build's earlier runs, oldest first."""
        known = self.tracker.builds.get(build)
        newest = known.current.run if known is not None and known.current is not None else ""
        return [name for name in runs(self.root, build) if name < newest]

    def read_history(self, build: str) -> None:
        """Read the earlier runs of a build that have not been."""
        known = self.tracker.builds[build]
        for name in self.older(build):
            if name not in known.history:
                self.tracker.remember(build, self.load(build, name))
        known.history_complete = True

    def load(self, build: str, name: str) -> Run:
        """Return an earlier run.

        Raises:
            NotFoundError: there is none of that name.
        """
        if name not in self.older(build):
            raise NotFoundError(f"no run {name} of {build}")
        if (build, name) not in self._loaded:
            run = Run(build, name)
            apply_all(run, self._events(build, name))
            self._loaded[build, name] = run
        return self._loaded[build, name]

    def events(self, run: Run) -> Iterator[Event]:
        """Yield the events of a run."""
        return self._events(run.build, run.run)

    def _events(self, build: str, name: str) -> Iterator[Event]:
        file, decoder = LineFile(run_path(self.root, build, name)), Decoder()
        try:
            while (chunk := file.read()) is not None:
                yield from decoder.decode(chunk.data, build) if chunk.data else []
        except OSError:
            return
        finally:
            file.close()
