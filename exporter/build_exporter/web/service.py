"""The parts of the exporter that the web application serves."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakKeyDictionary

from build_exporter.alerting.service import AlertService
from build_exporter.analysis.fit import Fit
from build_exporter.collectors.analysis import fits
from build_exporter.collectors.exporter import WebCounts
from build_exporter.collectors.scrape import Scrape
from build_exporter.config.schema import Config, Thresholds
from build_exporter.config.views import View
from build_exporter.estimate import Accuracy, Estimator
from build_exporter.failures import Card, card
from build_exporter.monitor import Monitor
from build_exporter.probes.state import ProbeState
from build_exporter.queries.context import Context
from build_exporter.tracker import Run, Step
from build_exporter.verdicts import Judgement
from build_exporter.web.messages import App
from build_exporter.web.stream.hub import Hub

FIT_SECONDS: Final = 5.0
"""For so long it holds whether disk and memory suffice: finding out takes a look at every step to come."""


@dataclass(slots=True)
class Service:
    """The parts of the exporter that the web application serves.

    `reload` reads the configuration again and returns what is wrong with it, empty when it was accepted. `hosts` are
    the names, beside the machine's own, under which it may be asked over loopback. `hub` serves the stream.
    `scraped_at` is when Prometheus last took the metrics, in Unix seconds, 0 for never. `alerts` sends and acknowledges
    them. `card` makes the first-error card of a failed step, `verdict` judges a running one.
    `probes` returns what the probes of services have found. `mcp` answers language models, None where that is off.
    """

    monitor: Monitor
    scrape: Scrape
    reload: Callable[[], str]
    telemetry_path: str = "/metrics"
    hosts: tuple[str, ...] = ()
    thresholds: Thresholds = field(default_factory=Thresholds)
    views: tuple[View, ...] = ()
    max_body_bytes: int = 10_000_000
    max_requests_per_second: int | None = None
    counts: WebCounts = field(default_factory=WebCounts)
    card: Callable[[Run, Step], Card] = field(default=card)
    verdict: Callable[[Run, Step], Judgement | None] = field(default=lambda run, step: None)
    probes: Callable[[], Sequence[ProbeState]] = tuple
    scraped_at: float = 0.0
    alerts: AlertService | None = None
    mcp: App | None = None
    estimator: Estimator = field(init=False)
    accuracy: Accuracy = field(init=False)
    hub: Hub = field(init=False)
    _fitted: WeakKeyDictionary[Run, tuple[float, Sequence[Fit]]] = field(default_factory=WeakKeyDictionary)

    def __post_init__(self) -> None:
        self.estimator = Estimator(self.monitor.tracker.builds)
        self.accuracy = Accuracy(self.monitor.tracker.builds)
        self.hub = Hub(self.monitor.follower.root, self.context, self.counts)
        self.monitor.after_poll.append(self.hub.notify)

    def configure(self, config: Config) -> None:
        """Keep to a configuration from now on."""
        self.hosts = config.web.hosts
        self.thresholds = config.thresholds
        self.views = config.views
        self.max_body_bytes = config.web.max_body_bytes
        self.max_requests_per_second = config.web.max_requests_per_second
        self.hub.most = config.web.max_stream_clients

    def context(self) -> Context:
        """Return what queries work from, as of now; what is new in the journal has been read."""
        self.monitor.poll()
        follower = self.monitor.follower
        alerting = self.alerts
        return Context(
            self.monitor.tracker.builds,
            self.monitor.clock(),
            estimate=self.estimator,
            expected=self.estimator.expecting(),
            accuracy=self.accuracy,
            verdict=self.verdict,
            card=self.card,
            thresholds=self.thresholds,
            escalation=alerting.config.escalation if alerting is not None else (),
            host_incidents=alerting.host.standing if alerting is not None else (),
            probes=self.probes(),
            journal=follower.root,
            position=follower.position,
            fits=self._fits,
        )

    def _fits(self, run: Run) -> Sequence[Fit]:
        """Return whether this machine's disk and memory suffice for a run that continues."""
        build = self.monitor.tracker.builds.get(run.build)
        if build is None or run.status is not None:
            return ()
        kept = self._fitted.get(run)
        if kept is None or time.monotonic() >= kept[0]:
            found = fits(run, list(build.history.values()), self.monitor.follower.root, self.monitor.clock())
            kept = self._fitted[run] = (time.monotonic() + FIT_SECONDS, found)
        return kept[1]
