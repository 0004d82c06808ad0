"""What the application serves: the parts of the exporter that answers are made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from build_exporter.alerting.desk import AlertDesk
from build_exporter.collectors.scrape import Scrape
from build_exporter.config.schema import Thresholds
from build_exporter.monitor import Monitor
from build_exporter.queries.context import Context


@dataclass(slots=True)
class Service:
    """What the application serves.

    `reload` reads the configuration again and returns what is wrong with it, empty when it was accepted. `hosts` are
    the names, beside the machine's own, under which it may be asked over loopback. `ingested` counts posted events.
    `scraped_at` is when Prometheus last took the metrics, in Unix seconds, 0 for never. `alerts` sends and acknowledges
    them.
    """

    monitor: Monitor
    scrape: Scrape
    reload: Callable[[], str]
    telemetry_path: str = "/metrics"
    hosts: tuple[str, ...] = ()
    thresholds: Thresholds = field(default_factory=Thresholds)
    max_body_bytes: int = 10_000_000
    ingested: Counter[str] = field(default_factory=Counter)
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    scraped_at: float = 0.0
    alerts: AlertDesk | None = None

    def context(self) -> Context:
        """Return what queries work from, as of now; what is new in the journal has been read."""
        self.monitor.poll()
        follower = self.monitor.follower
        escalation = self.alerts.config.escalation if self.alerts is not None else ()
        return Context(
            self.monitor.tracker.builds,
            self.monitor.clock(),
            thresholds=self.thresholds,
            escalation=escalation,
            journal=follower.root,
            position=follower.position,
        )
