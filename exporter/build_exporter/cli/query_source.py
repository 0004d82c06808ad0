"""Sources of a query's answer: a running exporter, the journal, or Prometheus."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from build_exporter.cli.options import is_default_journal, is_named
from build_exporter.cli.query_http import PROBE_SECONDS, ExporterClient, PrometheusClient, UnreachableError
from build_exporter.config.schema import Config
from build_exporter.estimate import Estimator
from build_exporter.journal.layout import JOURNAL_VARIABLE, builds, default_journal
from build_exporter.model.events import Event
from build_exporter.model.names import nearest_names
from build_exporter.monitor import read_newest
from build_exporter.queries.context import Context
from build_exporter.queries.from_metrics import builds_from
from build_exporter.queries.request import NoSamples, Request, Samples, Window
from build_exporter.queries.run_reader import JournalRuns, RunReader
from build_exporter.tracker import Build, Tracker

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
    return journal if is_named(click.get_current_context()) else None


def served_elsewhere(journal: str, build: str | None = None) -> str | None:
    """Return a sentence on builds of this machine's exporter that the journal read lacks.

    None where the journal was named, no exporter answers, or the journal has all of its builds.
    """
    if not is_default_journal():
        return None
    try:
        served = ExporterClient(DEFAULT_EXPORTER, PROBE_SECONDS).builds()
    except (UnreachableError, ValueError, LookupError, TypeError):
        # another program may listen there
        return None
    others = sorted({str(each) for each in served} - set(builds(journal)))
    if not others:
        return None
    names = build if build in others else nearest_names(build or "", others)
    return (
        f"{journal} was read; the exporter at {DEFAULT_EXPORTER} has another journal, with {names}: "
        f"name it by --journal DIR or {JOURNAL_VARIABLE}"
    )


def free_here(journal: str) -> dict[str, int]:
    """Return the disk space that is free where a journal is, and the memory that is available, in bytes."""
    import psutil  # noqa: PLC0415 - few queries ask

    place = next((each for each in (Path(journal), *Path(journal).parents) if each.exists()), Path("/"))
    return {"free": shutil.disk_usage(place).free, "memory": psutil.virtual_memory().available}


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
        tracker.builds = builds_from(prometheus, at, asked.build)
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
    found = ExporterRuns(client, asked.build)
    return _request(asked, found.tracker, now, f"the exporter at {client.url}", client, **_reading(found))


def _reading(found: RunReader) -> dict[str, Any]:
    return {
        "older": found.older, "read_history": found.read_history, "load": found.load, "events": found.events,
    }  # fmt: skip


def _from_journal(asked: Asked, now: float, *, metrics: bool) -> Request:
    root = asked.journal or default_journal()
    journal = JournalRuns(root, read_newest(root))
    samples: Samples = NoSamples()
    source = f"the journal {journal.root}"
    if metrics:
        client = ExporterClient(DEFAULT_EXPORTER, PROBE_SECONDS)
        try:
            client.values("build_exporter_build_info")
        except UnreachableError:
            source = f"{source} alone, as no exporter answers at {client.url}"
        else:
            samples, source = client, f"{source} and the exporter at {client.url}"
    return _request(asked, journal.tracker, now, source, samples, **_reading(journal))


class ExporterRuns(RunReader):
    """The runs of a running exporter's builds: the newest of each at once, earlier ones when asked for."""

    def __init__(self, client: ExporterClient, build: str | None) -> None:
        super().__init__(Tracker())
        self._client = client
        self._events: dict[str, dict[str, list[Event]]] = {}
        for name in client.builds():
            if build not in (None, name):
                # known by name alone: an error can say which builds there are
                self.tracker.builds[name] = Build(name)
                continue
            found = self._events[name] = client.events(name)
            for run, events in found.items():
                self.tracker.feed(name, run, events)

    def names(self, build: str) -> Sequence[str]:
        """Return the names of a build's runs as the exporter lists them."""
        return sorted(self._client.runs(build))

    def read(self, build: str, name: str) -> list[Event]:
        """Return the events of a run; the first one of an earlier run asks for those of all."""
        if name not in self._events.get(build, {}):
            self._events[build] = self._client.events(build, every_run=True)
        return self._events[build].get(name, [])
