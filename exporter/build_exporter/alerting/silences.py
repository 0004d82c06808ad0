"""Silences in Alertmanager for what people acknowledged: made, renewed while it stands, and ended with it.

The journal says what is acknowledged; this brings Alertmanager in line with it again and again, so a restart of either
side, an outage, or two people at once need no case of their own. A silence is of one failure, so the next one rings.
It ends as soon as Alertmanager knows that the alert is over: earlier, a reminder could still go out; later, nobody
would be notified of the end. A silence that a person makes in Alertmanager once an alert fires acknowledges it too.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from build_exporter.alerting.client import Client, RefusedError, UnreachableError
from build_exporter.queries.alerts import AlertRow

log = logging.getLogger(__name__)

HOLD_SECONDS: Final = 7200.0
"""Duration of a silence: outages of the exporter or of Alertmanager are mostly shorter."""
RENEW_SECONDS: Final = 3600.0
CHECK_SECONDS: Final = 10.0
OVER_SECONDS: Final = 30.0
"""Seconds to wait for the end of an alert before its silence is ended anyway."""
ABSENT_SECONDS: Final = 180.0
"""An alert that only Prometheus knows is over when Alertmanager has not had it for so long: after a restart it has none
until Prometheus sends them again."""
_STEP_SECONDS: Final = 0.5

Matchers = frozenset[tuple[str, str]]


@dataclass(slots=True)
class Silences:
    """Keeps Alertmanager's silences in line with what is acknowledged.

    `firing` returns the alerts that fire; `acknowledge` records that a person, with their message, has one; `owner`
    marks the silences of this exporter.
    """

    firing: Callable[[], list[AlertRow]]
    acknowledge: Callable[[AlertRow, str, str], None]
    owner: Callable[[], str]
    clients: Sequence[Client] = ()
    builder: str | None = None
    clock: Callable[[], float] = time.time
    until: dict[Matchers, float] = field(default_factory=dict)
    _absent: dict[Matchers, float] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _complained: set[str] = field(default_factory=set)
    _seen: frozenset[tuple[Matchers, bool]] | None = None

    def wanted(self) -> dict[Matchers, AlertRow]:
        """Return the alerts that fire and are acknowledged, by what a silence of each matches."""
        return {matchers_of(row, self.builder): row for row in self.firing() if row.acknowledged is not None}

    def check(self) -> None:
        """Act at once if other alerts fire or are acknowledged than at the last check."""
        now = frozenset((matchers_of(row, self.builder), row.acknowledged is not None) for row in self.firing())
        if now != self._seen:
            self._seen = now
            self._wake.set()

    async def run(self) -> None:
        """Bring Alertmanager in line until cancelled: at each change, and every few seconds while there is reason."""
        while True:
            self._wake.clear()
            for client in self.clients:
                await self._try(client)
            pause = CHECK_SECONDS if self._seen or self.until or self._complained else None
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _try(self, client: Client) -> None:
        try:
            await self._reconcile(client)
        except (UnreachableError, RefusedError) as error:
            if client.url not in self._complained:
                self._complained.add(client.url)
                log.warning("silences cannot be kept, trying again: %s", error)
        except Exception:
            # one answer that makes no sense must not end the keeping of silences
            log.exception("keeping silences failed")
        else:
            self._complained.discard(client.url)

    async def _reconcile(self, client: Client) -> None:
        silences = [each for each in _dicts(await client.ask("GET", "/api/v2/silences")) if _is_in_force(each)]
        mine = self._mine(silences)
        await self._take_others(client, [each for each in silences if each.get("createdBy") != self.owner()])
        wanted = self.wanted()
        for matchers, row in wanted.items():
            if not row.failure and await self._is_over(client, matchers, row):
                continue
            self.until[matchers] = await self._hold(client, row, matchers, mine.pop(matchers, []))
        for matchers, left in mine.items():
            await self._release(client, matchers, left)
            self.until.pop(matchers, None)
        for matchers in self.until.keys() - wanted.keys():
            del self.until[matchers]

    def _mine(self, silences: Iterable[dict[str, Any]]) -> dict[Matchers, list[dict[str, Any]]]:
        found: dict[Matchers, list[dict[str, Any]]] = {}
        for silence in silences:
            if silence.get("createdBy") == self.owner():
                matchers = frozenset((m["name"], m["value"]) for m in silence["matchers"])
                found.setdefault(matchers, []).append(silence)
        return found

    async def _take_others(self, client: Client, others: Iterable[dict[str, Any]]) -> None:
        """Record a silence that a person made in Alertmanager of an alert that fires: they have it."""
        by_id = {str(each.get("id")): each for each in others}
        for row in self.firing() if by_id else ():
            if row.acknowledged is None:
                found = await self._silencing(client, row, by_id)
                if found is not None:
                    self.acknowledge(row, str(found.get("createdBy") or ""), str(found.get("comment") or ""))

    async def _silencing(
        self, client: Client, row: AlertRow, by_id: Mapping[str, dict[str, Any]]
    ) -> dict[str, Any] | None:
        """Return the silence of others that an alert met after it began; one that was there before is no answer."""
        for alert in await self._active(client, matchers_of(row, self.builder)):
            for silence in (by_id.get(str(each)) for each in (alert.get("status") or {}).get("silencedBy") or []):
                if silence is not None and datetime.fromisoformat(silence["startsAt"]).timestamp() >= row.since:
                    return silence
        return None

    async def _hold(self, client: Client, row: AlertRow, matchers: Matchers, held: list[dict[str, Any]]) -> float:
        now = self.clock()
        kept = max(held, key=lambda silence: str(silence["endsAt"]), default=None)
        for other in held:
            # made by two passes of a cluster at once
            if other is not kept:
                await client.ask("DELETE", f"/api/v2/silence/{other['id']}")
        ends = datetime.fromisoformat(kept["endsAt"]).timestamp() if kept is not None else 0.0
        if ends - now > RENEW_SECONDS:
            return ends
        body = {
            "matchers": [
                {"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in sorted(matchers)
            ],
            "startsAt": kept["startsAt"] if kept is not None else _timestamp(now),
            "endsAt": _timestamp(now + HOLD_SECONDS),
            "createdBy": self.owner(),
            "comment": _comment(row),
        }
        await client.ask("POST", "/api/v2/silences", body | ({"id": kept["id"]} if kept is not None else {}))
        if kept is None:
            log.info("silenced", extra={"build": row.build, "alert": row.alert, "server": client.url})
        return now + HOLD_SECONDS

    async def _release(self, client: Client, matchers: Matchers, held: Iterable[dict[str, Any]]) -> None:
        end = time.monotonic() + OVER_SECONDS
        ended: dict[str, dict[str, Any]] = {}
        while time.monotonic() < end and (active := await self._active(client, matchers)):
            ended.update((str(alert.get("fingerprint")), alert) for alert in active)
            await asyncio.sleep(_STEP_SECONDS)
        if matchers in self.wanted():
            return
        for silence in held:
            await client.ask("DELETE", f"/api/v2/silence/{silence['id']}")
        if ended and "failure" in dict(matchers):
            # where Alertmanager saw the end while it was still silenced, nobody was notified of it: it sees it again
            await client.ask("POST", "/api/v2/alerts", [self._end_of(alert) for alert in ended.values()])
        log.info("silence ended", extra={"alert": dict(matchers).get("alertname"), "server": client.url})

    def _end_of(self, alert: dict[str, Any]) -> dict[str, Any]:
        kept = {name: alert[name] for name in ("labels", "annotations", "startsAt", "generatorURL") if alert.get(name)}
        return kept | {"endsAt": _timestamp(self.clock())}

    async def _is_over(self, client: Client, matchers: Matchers, row: AlertRow) -> bool:
        """Return whether an alert without a number, acknowledged once, has ended since, or is another one by now."""
        active = await self._active(client, matchers)
        now = self.clock()
        if active:
            self._absent.pop(matchers, None)
            began = min(datetime.fromisoformat(alert["startsAt"]).timestamp() for alert in active)
            return row.acknowledged is not None and began > row.acknowledged.at
        return now - self._absent.setdefault(matchers, now) > ABSENT_SECONDS

    async def _active(self, client: Client, matchers: Matchers) -> list[dict[str, Any]]:
        filters = [("filter", f'{name}="{_escaped(value)}"') for name, value in sorted(matchers)]
        found = await client.ask("GET", f"/api/v2/alerts?{urlencode(filters)}")
        return [alert for alert in _dicts(found) if self._is_firing(alert)]

    def _is_firing(self, alert: dict[str, Any]) -> bool:
        return datetime.fromisoformat(alert["endsAt"]).timestamp() > self.clock()


def matchers_of(row: AlertRow, builder: str | None) -> Matchers:
    """Return what a silence of an alert matches: this failure in all its tiers, or this alert of this build."""
    matched = {("alertname", row.alert), ("build", row.build), *row.labels.items()}
    matched |= {("failure", row.failure)} if row.failure else set()
    return frozenset(matched | ({("builder", builder)} if builder else set()))


def owner_of(key: bytes) -> str:
    """Return the name under which an exporter makes silences: its own, so that it ends no other's."""
    return f"build-exporter {hashlib.sha256(key).hexdigest()[:8]}"


def _is_in_force(silence: dict[str, Any]) -> bool:
    return (silence.get("status") or {}).get("state") in ("active", "pending")


def _comment(row: AlertRow) -> str:
    taken = row.acknowledged
    if taken is None:
        return "acknowledged"
    return f"acknowledged by {taken.by or 'somebody'}" + (f": {taken.message}" if taken.message else "")


def _dicts(answer: Any) -> list[dict[str, Any]]:
    return [each for each in answer if isinstance(each, dict)] if isinstance(answer, list) else []


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _timestamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
