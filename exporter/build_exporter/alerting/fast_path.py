"""The fast path: incidents sent to Alertmanager as they begin, with the very labels that Prometheus' rules give them.

Alertmanager merges alerts by their labels alone, so the alert sent here and the rule's are one, and one message. An
alert is sent once, with an end 5 minutes ahead; Prometheus carries it from then on. 15 seconds after the end of an
incident its alert is ended once, for the case that Prometheus never saw it: earlier, Prometheus might still revive it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from build_exporter.alerting.client import Client, RefusedError, UnreachableError
from build_exporter.queries.incidents import Incident, Kind

log = logging.getLogger(__name__)

SETTLE_SECONDS: Final = 0.02
"""A builder that goes on after a failed step starts the next one within this: then nothing stands still."""
REASON_SECONDS: Final = 1.5
"""A failure waits so long for the reason that its log is being read for: a message is sent once."""
FRESH_SECONDS: Final = 60.0
"""An incident that began earlier was read, not seen: a replay, an import, a restart."""
HOLD_SECONDS: Final = 300.0
"""Seconds until an alert sent from here expires."""
END_SECONDS: Final = 15.0
"""From the end of an incident to the end sent for it: longer than a scrape and an evaluation."""
UNSEEN_SECONDS: Final = 30.0
"""Without a scrape for so long nobody carries the alert on, and it is sent again."""
AGAIN_SECONDS: Final = 60.0
DELAYS: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
BURST: Final = 50
"""Alerts sent within 10 seconds; beyond it Prometheus' way is soon enough."""

Identity = tuple[str, Kind, str, int]


@dataclass(slots=True)
class _Sent:
    """An alert that this process sent."""

    incident: Incident
    labels: dict[str, str]
    starts: float
    again: float
    over: bool = False

    def stands(self) -> bool:
        """Return whether it is still to be sent."""
        return not self.over


@dataclass(slots=True)
class FastPath:
    """Sends incidents as they begin.

    `find` returns those that stand at a time; `annotate` the annotations of one; `scraped` when Prometheus last came,
    in Unix seconds. `posts` counts by outcome: `sent`, `failed`, `refused`, `held_back`.
    """

    find: Callable[[float], list[Incident]]
    annotate: Callable[[Incident], dict[str, str]]
    scraped: Callable[[], float]
    clients: Sequence[Client] = ()
    builder: str | None = None
    enabled: bool = True
    clock: Callable[[], float] = time.time
    posts: Counter[str] = field(default_factory=Counter)
    _known: set[Identity] = field(default_factory=set)
    _sent: dict[Identity, _Sent] = field(default_factory=dict)
    _recent: list[float] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _complained: set[str] = field(default_factory=set)

    def check(self) -> None:
        """Send what began since the last check, and end what is over."""
        now = self.clock()
        standing = {(*found.key, tier): found for found in self.find(now) for tier in range(1, found.tier + 1)}
        for identity in self._known - standing.keys():
            self._known.discard(identity)
            self._end(identity, now)
        for identity, incident in standing.items():
            sent = self._sent.get(identity)
            if identity not in self._known:
                self._known.add(identity)
                if self._may_send(incident, identity[3], now):
                    self._spawn(self._announce(identity, incident))
            elif sent is not None and now >= sent.again and now - self.scraped() > UNSEEN_SECONDS:
                sent.again = now + AGAIN_SECONDS
                self._spawn(self._post(sent, sent.stands))

    def _may_send(self, incident: Incident, tier: int, now: float) -> bool:
        if not (self.enabled and self.clients):
            return False
        if now - incident.tiers[tier - 1] > FRESH_SECONDS:
            return False
        self._recent = [sent for sent in self._recent if now - sent < 10.0]
        if len(self._recent) >= BURST:
            self.posts["held_back"] += 1
            self._complain("burst", f"more than {BURST} alerts within 10 s: Prometheus brings the others")
            return False
        self._recent.append(now)
        return True

    async def _announce(self, identity: Identity, incident: Incident) -> None:
        if incident.kind is Kind.FAILED and identity[3] == 1:
            await asyncio.sleep(SETTLE_SECONDS)
        until = time.monotonic() + REASON_SECONDS
        while identity in self._known:
            now = self.clock()
            # the message holds what is known now: the reason of a failure may have come with the next line
            latest = next((found for found in self.find(now) if found.key == incident.key), incident)
            if not latest.is_reason_due or time.monotonic() >= until:
                break
            await asyncio.sleep(SETTLE_SECONDS)
        else:
            return
        starts = incident.tiers[identity[3] - 1]
        labels = alert_labels(latest, identity[3], self.builder)
        sent = self._sent[identity] = _Sent(latest, labels, starts, now + AGAIN_SECONDS)
        await self._post(sent, sent.stands)

    def _end(self, identity: Identity, now: float) -> None:
        sent = self._sent.pop(identity, None)
        if sent is not None:
            sent.over = True
            self._spawn(self._post_end(identity, sent, now))

    async def _post_end(self, identity: Identity, sent: _Sent, ended: float) -> None:
        await asyncio.sleep(END_SECONDS)
        if identity not in self._known:
            # after that its own end has come
            until = ended + HOLD_SECONDS
            ends = max(ended, sent.starts + 0.001)
            await self._post(sent, lambda: identity not in self._known and self.clock() < until, ends)

    async def _post(self, sent: _Sent, stands: Callable[[], bool], ends: float | None = None) -> None:
        await asyncio.gather(*(self._post_to(client, sent, stands, ends) for client in self.clients))

    async def _post_to(self, client: Client, sent: _Sent, stands: Callable[[], bool], ends: float | None) -> None:
        tries = 0
        while stands():
            until = ends if ends is not None else self.clock() + HOLD_SECONDS
            alert = {
                "labels": sent.labels,
                "annotations": self.annotate(sent.incident),
                "startsAt": _timestamp(sent.starts),
                "endsAt": _timestamp(until),
            }
            try:
                await client.ask("POST", "/api/v2/alerts", [alert])
            except RefusedError as error:
                self.posts["refused"] += 1
                self._complain(client.url, f"Alertmanager refuses an alert: {error}")
                return
            except UnreachableError as error:
                self.posts["failed"] += 1
                self._complain(client.url, f"an alert could not be sent, trying again: {error}")
                await asyncio.sleep(DELAYS[min(tries, len(DELAYS) - 1)])
                tries += 1
            else:
                self.posts["sent"] += 1
                self._complained.discard(client.url)
                return

    def _complain(self, about: str, text: str) -> None:
        if about not in self._complained:
            self._complained.add(about)
            log.warning("%s", text)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("sending an alert failed", exc_info=task.exception())

    async def stop(self) -> None:
        """End every post under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def alert_labels(incident: Incident, tier: int, builder: str | None) -> dict[str, str]:
    """Return the labels of an incident's alert: those of its rule, no more and no fewer."""
    labels = {
        "alertname": incident.alert,
        "severity": incident.severity,
        "build": incident.build,
        "failure": incident.failure,
    }
    labels |= {"tier": str(tier)} if incident.severity == "critical" else {}
    return labels | ({"builder": builder} if builder else {})


def _timestamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
