"""The parts of alerting in a running exporter, put together, with what the configuration says of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from build_exporter.alerting.client import Client
from build_exporter.alerting.fast_path import FastPath
from build_exporter.alerting.links import Links, link_key
from build_exporter.config.alerting import Alerting
from build_exporter.monitor import Monitor
from build_exporter.queries.incidents import Incident, incidents

log = logging.getLogger(__name__)

CHECK_SECONDS = 1.0


class AlertDesk:
    """Finds incidents and hands them to Alertmanager.

    `scraped` returns when Prometheus last took the metrics, in Unix seconds.
    """

    def __init__(self, monitor: Monitor, config: Alerting, scraped: Callable[[], float]) -> None:
        self._monitor = monitor
        self.links = Links("http://localhost:10110", key=link_key(monitor.follower.root))
        self.fast_path = FastPath(self.incidents, self.links.annotations, scraped, clock=monitor.clock)
        self.configure(config)
        monitor.after_poll.append(self.check)

    def configure(self, config: Alerting) -> None:
        """Take a configuration."""
        self.config = config
        self.fast_path.clients = [Client(server) for server in config.servers()]
        self.fast_path.enabled, self.fast_path.builder = config.fast_path, config.builder
        self.links.dashboards = config.dashboards_url or ""
        if config.external_url is not None:
            self.links.page = config.external_url

    def listens(self, address: str) -> None:
        """Take where the exporter listens as the address of its page, unless another is configured."""
        if self.config.external_url is None:
            self.links.page = address

    def incidents(self, now: float) -> list[Incident]:
        """Return the incidents that stand."""
        return incidents(self._monitor.tracker.builds.values(), self.config.escalation, now)

    def address(self) -> tuple[str, str]:
        """Return where links lead: the exporter's page, and the dashboards or nothing."""
        return self.links.page, self.links.dashboards

    def check(self) -> None:
        """Act on what stands and what is over."""
        if self._monitor.ready:
            self.fast_path.check()

    async def run(self) -> None:
        """Check again and again: time alone escalates."""
        while True:
            try:
                self.check()
            except Exception:
                # a check that fails must not end all checks
                log.exception("checking for incidents failed")
            await asyncio.sleep(CHECK_SECONDS)
