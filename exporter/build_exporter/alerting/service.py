"""Alerting of a running exporter, assembled as configured."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from build_exporter.alerting.acknowledgements import acknowledge
from build_exporter.alerting.client import Client
from build_exporter.alerting.fast_path import FastPath
from build_exporter.alerting.host_watch import HostWatch
from build_exporter.alerting.links import Links, kept_key
from build_exporter.alerting.reachability import Reachability
from build_exporter.alerting.silences import Silences, owner_of
from build_exporter.alerting.webhook import Inbox
from build_exporter.config.alerting import Alerting
from build_exporter.monitor import Monitor
from build_exporter.queries.alerts import AlertRow, alerts
from build_exporter.queries.context import Context, NotFoundError
from build_exporter.queries.incidents import ALERTS, Incident, Kind, context_words, incidents
from build_exporter.ticks import tick
from build_exporter.tracker import Build, Run, Step
from build_exporter.verdicts import Judgement

log = logging.getLogger(__name__)

CHECK_SECONDS = 1.0
SILENCE_CHECK_SECONDS = 0.2
"""Pause between looks at who has acknowledged: events may come by the thousand."""


class AlertService:
    """Finds incidents and hands them to Alertmanager.

    `scraped` returns when Prometheus last took the metrics, in Unix seconds; `verdict` judges a running step.
    """

    def __init__(
        self,
        monitor: Monitor,
        config: Alerting,
        scraped: Callable[[], float],
        verdict: Callable[[Run, Step], Judgement | None] = lambda run, step: None,
    ) -> None:
        self._monitor = monitor
        self.links = Links("http://localhost:10110")
        self._is_key_kept = False
        self.silences = Silences(self.firing, self.acknowledge, lambda: owner_of(self.links.key), clock=monitor.clock)
        self.fast_path = FastPath(self.incidents, self.annotations, scraped, clock=monitor.clock)
        self.inbox = Inbox()
        self.reach = Reachability()
        self.host = HostWatch(monitor, monitor.clock, verdict=verdict)
        self._standing: list[Incident] = []
        self._complained = False
        self._checked = 0.0
        self._words: dict[tuple[str, Kind, str, str], dict[str, str]] = {}
        self._keep_key()
        self.configure(config)
        monitor.after_poll.append(self.check)

    def _keep_key(self) -> None:
        key = kept_key(self._monitor.follower.root, self.links.key)
        if key is not None:
            self._is_key_kept, self.links.key = True, key

    def configure(self, config: Alerting) -> None:
        """Take a configuration."""
        self.config = config
        clients = [Client(server) for server in config.servers()]
        self.fast_path.clients = self.silences.clients = self.reach.clients = clients
        self.silences.builder = config.builder
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
        builds, host = self._monitor.tracker.builds.values(), self.host.standing
        self._standing = incidents(builds, self.config.escalation, now, host)
        return self._standing

    def details(self, incident: Incident) -> dict[str, str]:
        """Return the links of an incident, and what its messages say beside its description, by annotation."""
        # the reason of a failure may be found after it: other words then
        key = (*incident.key, incident.description)
        if key not in self._words:
            standing = {(*found.key, found.description) for found in self._standing}
            self._words = {known: words for known, words in self._words.items() if known in standing}
            build = self._monitor.tracker.builds.get(incident.build)
            run = build.current if build is not None else None
            self._words[key] = context_words(run, incident) if run is not None else {}
        return self.links.of(incident) | self._words[key]

    def annotations(self, incident: Incident) -> dict[str, str]:
        """Return every annotation of an incident's alert, as its rule has them."""
        return {
            "summary": ALERTS[incident.kind].summary,
            "description": incident.description,
            "failed_step": incident.step,
            "failure_class": incident.failure_class,
            "excerpt": incident.excerpt,
            **self.details(incident),
        }

    def times(self) -> dict[str, tuple[list[float], list[float]]]:
        """Return by build the seconds until its alerts were acknowledged, and until they were resolved."""
        builds = list(self._monitor.tracker.builds.values())
        found: dict[str, tuple[list[float], list[float]]] = {}
        for row in alerts(self._context()).alerts if any(map(_has_alerts, builds)) else ():
            taken, solved = found.setdefault(row.build, ([], []))
            if row.acknowledged is not None:
                taken.append(max(0.0, row.acknowledged.at - row.since))
            if row.until is not None:
                solved.append(max(0.0, row.until - row.since))
        return found

    def firing(self) -> list[AlertRow]:
        """Return the alerts that fire."""
        if not self._standing and not any(map(_may_fire, list(self._monitor.tracker.builds.values()))):
            return []
        return alerts(self._context(), history=False).alerts

    def acknowledge(self, row: AlertRow, by: str, message: str) -> None:
        """Record that a person has an alert; where the journal cannot be written, log so once."""
        try:
            acknowledge(self._context(), [row], by, message)
        except (OSError, NotFoundError) as problem:
            if not self._complained:
                self._complained = True
                log.warning("an acknowledgement by a silence is not kept: %s", problem)
        else:
            log.info("acknowledged by a silence", extra={"build": row.build, "alert": row.alert})
            self._monitor.poll()

    def _context(self) -> Context:
        return Context(
            self._monitor.tracker.builds,
            self._monitor.clock(),
            escalation=self.config.escalation,
            host_incidents=self.host.standing,
            journal=self._monitor.follower.root,
        )

    def address(self) -> tuple[str, str]:
        """Return where links lead: the exporter's page, and the dashboards or nothing."""
        return self.links.page, self.links.dashboards

    def check(self) -> None:
        """Act on what stands and what is over."""
        if self._monitor.ready:
            if not self._is_key_kept and self._monitor.tracker.builds:
                # the first build has made the journal
                self._keep_key()
            self.fast_path.check()
            if time.monotonic() - self._checked >= SILENCE_CHECK_SECONDS:
                self._checked = time.monotonic()
                self.silences.check()

    async def run(self) -> None:
        """Check again and again, because time alone escalates, and keep silences in line."""
        self.host.start()
        chores = [asyncio.create_task(work.run()) for work in (self.silences, self.reach)]
        try:
            await self._watch()
        finally:
            self.host.stop()
            for chore in chores:
                chore.cancel()
            await asyncio.gather(*chores, return_exceptions=True)
            await self.fast_path.stop()

    async def _watch(self) -> None:
        while True:
            try:
                self.check()
            except Exception:
                # a check that fails must not end all checks
                log.exception("checking for incidents failed")
            await tick(CHECK_SECONDS)


def _may_fire(build: Build) -> bool:
    run = build.current
    return run is not None and any(alert.end is None for alert in run.alerts.alerts.values())


def _has_alerts(build: Build) -> bool:
    if not build.history:
        # most builds of a long list
        return build.current is not None and bool(build.current.alerts.alerts or build.current.alerts.answers)
    logs = [summary.alerts for summary in list(build.history.values())]
    logs += [build.current.alerts] if build.current is not None else []
    return any(log.alerts or log.answers for log in logs)
