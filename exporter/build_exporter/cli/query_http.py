"""Answers over HTTP for the query commands: a running exporter's API and metrics, and Prometheus."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import click
import msgspec

from build_exporter.journal.positions import decode_cursor
from build_exporter.model.events import AnyEvent, Event
from build_exporter.queries.request import Sample, Window

TIMEOUT_SECONDS: Final = 10.0
PROBE_SECONDS: Final = 1.0
"""Longest wait for an exporter that nobody named."""
MAX_BYTES: Final = 64 * 1024 * 1024
PAGE: Final = 1000
NOT_FOUND: Final = 404
_OVER: Final = {
    "avg": "avg_over_time({series}[{window}s])",
    "max": "max_over_time({series}[{window}s])",
    "p50": "quantile_over_time(0.5, {series}[{window}s])",
    "p95": "quantile_over_time(0.95, {series}[{window}s])",
    "rate": "rate({series}[{window}s])",
}


class UnreachableError(Exception):
    """A server does not answer, or not as it should; the text says which and why."""


def get(url: str, timeout: float = TIMEOUT_SECONDS) -> bytes:
    """Return the body of an address.

    Raises:
        UnreachableError: nothing, or an error, answers there.
        click.UsageError: the address is none of HTTP.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise click.UsageError(f"{url} is no http:// or https:// address")
    shown = urlsplit(url)._replace(query="", netloc=urlsplit(url).netloc.rpartition("@")[2]).geturl()
    try:
        with urlopen(HttpRequest(url), timeout=timeout) as answer:  # noqa: S310 - the scheme is checked
            body: bytes = answer.read(MAX_BYTES)
    except HTTPError as error:
        error.close()
        other = ": another program listens there" if error.code == NOT_FOUND else ""
        raise UnreachableError(f"{shown} answers {error.code} {error.reason}{other}") from None
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise UnreachableError(f"{shown} does not answer: {getattr(reason, 'strerror', None) or reason}") from None
    return body


class ExporterClient:
    """A running exporter: its API's builds and events, and its metrics, read once."""

    def __init__(self, url: str, timeout: float = TIMEOUT_SECONDS) -> None:
        self.url = url.rstrip("/")
        self._timeout = timeout
        self._samples: dict[str, list[Sample]] | None = None

    def builds(self) -> list[str]:
        """Return the names of the exporter's builds.

        Raises:
            UnreachableError: it does not answer.
        """
        answer = json.loads(get(f"{self.url}/api/v1/builds", self._timeout))
        return [row["build"] for row in answer["builds"]]

    def runs(self, build: str) -> list[str]:
        """Return the names of a build's runs.

        Raises:
            UnreachableError: it does not answer.
        """
        answer = json.loads(get(f"{self.url}/api/v1/builds/{quote(build)}/runs", self._timeout))
        return [row["run"] for row in answer["runs"]]

    def events(self, build: str, *, every_run: bool = False) -> dict[str, list[Event]]:
        """Return the events of a build's newest run, or of every run, by its name.

        Raises:
            UnreachableError: it does not answer.
        """
        found: dict[str, list[Event]] = {}
        asked = {"limit": str(PAGE), "runs": "all" if every_run else "newest"}
        while True:
            page = json.loads(get(f"{self.url}/api/v1/builds/{quote(build)}/events?{urlencode(asked)}"))
            for row in page["events"]:
                run = decode_cursor(row["cursor"]).builds[build][0]
                # an event of a newer exporter is passed over
                with contextlib.suppress(msgspec.ValidationError):
                    found.setdefault(run, []).append(msgspec.convert(row["event"], AnyEvent))
            asked["after"] = page["next"]
            if page["eof"]:
                return found

    def values(self, name: str, over: str = "last") -> Sequence[Sample]:
        """Return the series of a metric as of now."""
        if self._samples is None:
            self._samples = parse(get(f"{self.url}/metrics", self._timeout).decode("utf-8", "replace"))
        return self._samples.get(name, [])


def parse(text: str) -> dict[str, list[Sample]]:
    """Return the samples of an exposition by their names."""
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415

    found: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(Sample(sample.labels, sample.value))
    return found


class PrometheusClient:
    """Prometheus: instant values at the end of the window, or figures over it; each metric is asked for once."""

    def __init__(self, url: str, now: float, build: str | None, window: Window | None) -> None:
        self.url = url.rstrip("/")
        self._at = window.until if window is not None else now
        self._build = build
        self._window = round(window.until - window.since) if window is not None else None
        self._known: dict[tuple[str, str], list[Sample]] = {}

    def values(self, name: str, over: str = "last") -> Sequence[Sample]:
        """Return the series of a metric.

        Raises:
            UnreachableError: Prometheus does not answer, or refuses.
        """
        key = (name, over)
        if key not in self._known:
            series = name
            if self._build is not None and name.startswith("build_") and not name.startswith(_OF_ALL):
                series += f'{{build="{self._build}"}}'
            expression = _OVER[over].format(series=series, window=self._window or 300) if over in _OVER else series
            self._known[key] = self._ask(expression)
        return self._known[key]

    def _ask(self, expression: str) -> list[Sample]:
        body = get(f"{self.url}/api/v1/query?{urlencode({'query': expression, 'time': f'{self._at:.3f}'})}")
        try:
            answer: dict[str, Any] = json.loads(body)
            found = answer["data"]["result"]
            return [Sample(each["metric"], float(each["value"][1])) for each in found]
        except (ValueError, KeyError, TypeError, IndexError):
            raise UnreachableError(f"{self.url} does not answer as Prometheus does") from None


_OF_ALL: Final = ("build_info", "build_host_", "build_exporter_", "build_probe_", "build_threshold", "build_platform_")
"""Beginnings of names without the label `build`, and the one that names the builds there are."""
