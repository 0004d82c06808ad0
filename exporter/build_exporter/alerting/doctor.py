"""Each link of the way of an alert, tried: exporter, Prometheus, rules, Alertmanager, receivers, a test alert."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal
from urllib.parse import quote

import msgspec
import yaml

from build_exporter import __version__
from build_exporter.alerting.client import Client, RefusedError, UnreachableError
from build_exporter.alerting.sample import sample_alert
from build_exporter.queries.incidents import ALERTS

SKEW_SECONDS: Final = 5.0
DELIVERY_SECONDS: Final = 15.0
JOB: Final = "build-exporter"
MAX_BUILDS: Final = 5
"""Builds with steps outside of their plans that are listed."""
_INTEGRATION: Final = "_configs"

_REQUESTS: Final = (
    "alertmanager_notification_requests_total",
    "alertmanager_notification_requests_failed_total",
)
"""Each try counts, also one that Alertmanager will repeat."""

_REACH: Final = re.compile(rb'^build_exporter_part_up\{part="alertmanager"\} ([01])', re.MULTILINE)

Counts = dict[str, tuple[float, float]]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One link of the chain: `ok`, `warning` or `failed`, what was seen, and what to do where it is not ok."""

    link: str
    state: Literal["ok", "warning", "failed"]
    seen: str
    remedy: str = ""


def ok(link: str, seen: str) -> Check:
    """Return a link that holds."""
    return Check(link=link, state="ok", seen=seen)


def failed(link: str, seen: str, remedy: str) -> Check:
    """Return a link that is broken."""
    return Check(link=link, state="failed", seen=seen, remedy=remedy)


def warning(link: str, seen: str, remedy: str) -> Check:
    """Return a link that holds in part."""
    return Check(link=link, state="warning", seen=seen, remedy=remedy)


@dataclass(slots=True)
class Chain:
    """Settings of the checks.

    `test`: send a test alert; `wants_prometheus`: one is named, so that its absence is a fault; `clock`: returns Unix
    seconds.
    """

    exporter: Client
    prometheus: Client
    alertmanagers: list[Client]
    test: bool = True
    wants_prometheus: bool = True
    clock: Callable[[], float] = time.time
    broken: set[str] = field(default_factory=set)
    ways: dict[str, set[str]] = field(default_factory=dict)
    """Integrations of each receiver."""

    async def run(self) -> AsyncIterator[Check]:
        """Yield the checks in the order of the way; what cannot be asked because a server is away is left out."""
        for check in await self._exporter():
            yield check
        prometheus = await self._prometheus()
        for check in (*prometheus, *await self._sends(is_alone=prometheus[0].state != "ok")):
            yield check
        for client in self.alertmanagers:
            for check in await self._alertmanager(client):
                yield check
        if self.test and len(self.broken & {client.url for client in self.alertmanagers}) < len(self.alertmanagers):
            yield await self._test_alert()

    async def _exporter(self) -> list[Check]:
        link, client = "exporter", self.exporter
        try:
            answer = await client.send("GET", "/-/ready")
        except UnreachableError as problem:
            return [failed(link, str(problem), "start it: build-exporter serve; or give its address: --exporter.url")]
        if answer.status == 401:
            return [warning(link, f"{client.url} asks for a password", "nothing more of it can be checked from here")]
        if answer.status != 200:
            return [failed(link, f"{client.url} is not ready ({answer.status})", "see its log")]
        skew = _skew("clock of the exporter", answer.date, self.clock())
        return [ok(link, f"{client.url} is ready"), *skew, *await self._unplanned()]

    async def _unplanned(self) -> list[Check]:
        """Return the builds with steps that their plans lack: a misspelt name, mostly."""
        try:
            found = await self.exporter.ask("GET", "/api/v1/builds")
        except (UnreachableError, RefusedError):
            return []
        rows = [(row.get("build"), each) for row in _at(found, "builds") or [] for each in row.get("attention") or []]
        remedy = "name the step in the script as the plan does, or add it to the plan"
        seen = [f"{build}: {each['message']}" for build, each in rows if each.get("kind") == "unplanned"]
        return [warning("plan", text, remedy) for text in seen[:MAX_BUILDS]]

    async def _prometheus(self) -> list[Check]:
        client = self.prometheus
        try:
            built = await client.ask("GET", "/api/v1/status/buildinfo")
        except (UnreachableError, RefusedError) as problem:
            if not self.wants_prometheus and isinstance(problem, UnreachableError):
                remedy = "for alerts on stalls, delays and completion start one, or give its address: --prometheus.url"
                return [warning("Prometheus", f"none at {client.url}", remedy)]
            return [failed("Prometheus", str(problem), "start it, or give its address: --prometheus.url")]
        version = _at(built, "data", "version") or "of unknown version"
        checks = [ok("Prometheus", f"{version} at {client.url}")]
        for check in (self._scraped, self._rules, self._labels, self._knows_alertmanager):
            try:
                checks.append(await check())
            except (UnreachableError, RefusedError) as problem:
                checks.append(failed("Prometheus", str(problem), "see its log"))
        return checks

    async def _sends(self, *, is_alone: bool) -> list[Check]:
        """Return whether the exporter reaches an Alertmanager of its own; `is_alone`: no Prometheus sends alerts."""
        link = "exporter to Alertmanager"
        try:
            answer = await self.exporter.send("GET", "/metrics")
        except UnreachableError:
            return []
        found = _REACH.search(answer.body)
        if answer.status != 200 or (found is None and not is_alone):
            return []
        if found is None:
            remedy = "start it with --alertmanager.url, or a Prometheus with the shipped rules"
            return [
                failed(link, "the exporter sends to no Alertmanager, and no Prometheus does: no alert is sent", remedy)
            ]
        if found[1] == b"0":
            return [failed(link, "an Alertmanager of the exporter does not answer", "see --alertmanager.url of serve")]
        return [ok(link, "it answers the exporter")]

    async def _scraped(self) -> Check:
        targets = _at(await self.prometheus.ask("GET", "/api/v1/targets?state=active"), "data", "activeTargets") or []
        mine = [each for each in targets if (each.get("labels") or {}).get("job") == JOB]
        if not mine:
            remedy = f"add a scrape job named {JOB} (prometheus/prometheus.yml)"
            return failed("scrape", f"no target of a job {JOB}", remedy)
        down = [each for each in mine if each.get("health") != "up"]
        if down:
            seen = f"{down[0].get('scrapeUrl')}: {down[0].get('lastError') or 'not scraped yet'}"
            return failed("scrape", seen, "the address, password and TLS of the scrape job must be the exporter's")
        return ok("scrape", ", ".join(str(each.get("scrapeUrl")) for each in mine))

    async def _rules(self) -> Check:
        groups = _at(await self.prometheus.ask("GET", "/api/v1/rules"), "data", "groups") or []
        rules = [rule for group in groups for rule in group.get("rules") or []]
        missing = {form.name for form in ALERTS.values()} - {rule.get("name") for rule in rules}
        if missing:
            remedy = "copy prometheus/rules/*.yml, name them in rule_files, reload Prometheus"
            return failed("rules", f"not loaded: {', '.join(sorted(missing))}", remedy)
        ill = [rule for rule in rules if rule.get("health") == "err"]
        if ill:
            return failed("rules", f"{ill[0].get('name')}: {ill[0].get('lastError')}", "take the shipped rules again")
        found = await self.prometheus.ask("GET", f"/api/v1/query?query={quote('build:rules:info')}")
        versions = {(each.get("metric") or {}).get("version") for each in _at(found, "data", "result") or []}
        if versions and versions != {__version__}:
            seen = f"of version {', '.join(map(str, versions))}, and this is {__version__}"
            return warning("rules", seen, "copy prometheus/rules/*.yml of this version, reload Prometheus")
        return ok("rules", f"{len(rules)} loaded")

    async def _labels(self) -> Check:
        text = _at(await self.prometheus.ask("GET", "/api/v1/status/config"), "data", "yaml") or ""
        config = _yaml(text)
        added = list((config.get("global") or {}).get("external_labels") or {})
        relabels = (config.get("alerting") or {}).get("alert_relabel_configs")
        if added or relabels:
            what = f"external_labels {', '.join(added)}" if added else "alert_relabel_configs"
            remedy = "drop them with alert_relabel_configs action labeldrop, or switch alerting.fast_path off"
            return warning("labels", f"{what}: an alert of the fast path may come twice", remedy)
        return ok("labels", "Prometheus adds none to alerts")

    async def _knows_alertmanager(self) -> Check:
        active = _at(await self.prometheus.ask("GET", "/api/v1/alertmanagers"), "data", "activeAlertmanagers")
        if not active:
            remedy = "name it under alerting.alertmanagers of prometheus.yml, reload Prometheus"
            return failed("Prometheus to Alertmanager", "Prometheus knows no Alertmanager", remedy)
        return ok("Prometheus to Alertmanager", ", ".join(str(each.get("url")) for each in active))

    async def _alertmanager(self, client: Client) -> list[Check]:
        try:
            status = await client.ask("GET", "/api/v2/status")
        except (UnreachableError, RefusedError) as problem:
            self.broken.add(client.url)
            return [failed("Alertmanager", str(problem), "start it, or give its address: --alertmanager.url")]
        version = _at(status, "versionInfo", "version") or "of unknown version"
        config = _yaml(_at(status, "config", "original") or "")
        for receiver in config.get("receivers") or []:
            self.ways.setdefault(f"{receiver.get('name')}", set()).update(_ways(receiver))
        return [ok("Alertmanager", f"{version} at {client.url}"), _receivers(config)]

    async def _test_alert(self) -> Check:
        name = f"{self.clock():.3f}"
        alert = sample_alert(name, self.clock())
        clients = [client for client in self.alertmanagers if client.url not in self.broken]
        before = [await _notifications(client) for client in clients]
        try:
            for client in clients:
                await client.ask("POST", "/api/v2/alerts", [alert])
        except (UnreachableError, RefusedError) as problem:
            return failed("test alert", str(problem), "see Alertmanager's log")
        end = time.monotonic() + DELIVERY_SECONDS
        late = ""
        while time.monotonic() < end:
            after = [await _notifications(client) for client in clients]
            sent, bad = _growth(before, after)
            if bad:
                seen = f"Alertmanager could not deliver it by {', '.join(sorted(bad))}"
                return failed("test alert", seen, "Alertmanager's log says why; see the receivers in alertmanager.yml")
            if sent:
                back = await self._received(name)
                came = f"; it came back to the exporter by {', '.join(back)}" if back else ""
                awaited = {way for receiver in back for way in self.ways.get(receiver, ())} - sent
                if not awaited:
                    return ok("test alert", f"delivered by {', '.join(sorted(sent))}{came}")
                late = f"delivered by {', '.join(sorted(sent))}, but not by {', '.join(sorted(awaited))}"
            await asyncio.sleep(0.2)
        if late:
            remedy = "see Alertmanager's log, and the receivers in alertmanager.yml"
            return failed("test alert", f"{late} within {DELIVERY_SECONDS:.0f} s", remedy)
        remedy = (
            "give the receiver of severity critical an integration, and the route a group_wait below that and group_by "
            "failure; take out silences that match everything"
        )
        return failed("test alert", f"accepted, and sent to nobody within {DELIVERY_SECONDS:.0f} s", remedy)

    async def _received(self, name: str) -> list[str]:
        try:
            found = await self.exporter.ask("GET", "/api/v1/alerts/tests")
        except (UnreachableError, RefusedError):
            return []
        receivers = found.get(name) if isinstance(found, dict) else None
        return [str(each) for each in receivers or []]


def _ways(receiver: Mapping[str, Any]) -> list[str]:
    return [key.removesuffix(_INTEGRATION) for key in receiver if key.endswith(_INTEGRATION) and receiver[key]]


def _receivers(config: Mapping[str, Any]) -> Check:
    receivers = config.get("receivers") or []
    empty: list[str] = []
    named: list[str] = []
    for receiver in receivers:
        is_reached = any(way != "webhook" for way in _ways(receiver)) or any(
            not str(hook.get("url", "")).endswith("/api/v1/alerts") for hook in receiver.get("webhook_configs") or []
        )
        (named if is_reached else empty).append(f"{receiver.get('name')}")
    if not named:
        remedy = "take one of alertmanager/examples, or give a receiver an email_configs or the like"
        return failed("receivers", "no receiver reaches a person", remedy)
    if empty:
        return warning(
            "receivers", f"reach nobody: {', '.join(empty)}", "give them an integration where that is not meant"
        )
    return ok("receivers", ", ".join(named))


def _skew(link: str, date: str, now: float) -> list[Check]:
    try:
        skew = parsedate_to_datetime(date).timestamp() - now
    except (TypeError, ValueError):
        return []
    if abs(skew) <= SKEW_SECONDS:
        return []
    return [
        warning(link, f"{abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'} of this machine's", "run an NTP client")
    ]


async def _notifications(client: Client) -> Counts:
    """Return by integration how many requests were made and failed, as Alertmanager's own metrics have it."""
    found: Counts = {}
    try:
        text = (await client.send("GET", "/metrics")).body.decode("utf-8", "replace")
    except UnreachableError:
        return found
    for line in text.splitlines():
        name, _, rest = line.partition("{")
        if name in _REQUESTS:
            way = rest.partition('integration="')[2].partition('"')[0]
            value = float(rest.rpartition(" ")[2])
            asked, bad = found.get(way, (0.0, 0.0))
            found[way] = (asked, bad + value) if "failed" in name else (asked + value, bad)
    return found


def _growth(before: Iterable[Counts], after: Iterable[Counts]) -> tuple[set[str], set[str]]:
    """Return by which integrations notifications went out since, and by which they failed."""
    sent: set[str] = set()
    bad: set[str] = set()
    for old, new in zip(before, after, strict=True):
        for way, (asked, refused) in new.items():
            asked_before, refused_before = old.get(way, (0.0, 0.0))
            if refused > refused_before:
                bad.add(way)
            elif asked > asked_before:
                sent.add(way)
    return sent, bad


def _at(answer: Any, *path: str) -> Any:
    for name in path:
        answer = answer.get(name) if isinstance(answer, dict) else None
    return answer


def _yaml(text: Any) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text) if isinstance(text, str) else None
    except (yaml.YAMLError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}
