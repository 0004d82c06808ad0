"""Each link that `doctor` checks, both sides of each condition, by what servers answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from build_exporter import __version__
from build_exporter.alerting.client import Answer, UnreachableError
from build_exporter.alerting.doctor import Chain, _growth, _notifications, _receivers, _skew
from build_exporter.queries.incidents import ALERTS

NOW = 1_000_000_000.0
"""Sun, 09 Sep 2001 01:46:40 GMT"""
RULES = [{"name": form.name, "health": "ok"} for form in ALERTS.values()]
ILL = {"name": "X", "health": "err", "lastError": "e"}
INBOX = {"url": "http://e/api/v1/alerts"}
SAMPLES = """
alertmanager_notification_requests_total{integration="email",receiver_name="a"} 3
alertmanager_notification_requests_total{integration="email",receiver_name="b"} 4
alertmanager_notification_requests_failed_total{integration="email",receiver_name="a"} 2
alertmanager_notifications_total{integration="email"} 9
"""


class Server:
    """Answers by the path asked for; what is not known is refused to everybody who asks."""

    def __init__(self, url: str, **answers: Any) -> None:
        self.url, self.answers, self.posted = url, answers, list[Any]()

    def _answer(self, path: str) -> Any:
        name = path.partition("?")[0].rpartition("/")[2]
        if name not in self.answers:
            raise UnreachableError(f"{self.url} is away")
        if isinstance(found := self.answers[name], Exception):
            raise found
        return found

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return decoded JSON."""
        if method == "POST":
            self.posted.append(body)
            return None
        return self._answer(path)

    async def send(self, method: str, path: str) -> Answer:
        """Return an answer."""
        found: Answer = self._answer(path)
        return found


def prometheus(**changes: Any) -> Server:
    """Return a Prometheus with everything in place."""
    answers: dict[str, Any] = {
        "buildinfo": {"data": {"version": "3.0"}},
        "targets": targets(("build-exporter", "up")),
        "rules": {"data": {"groups": [{"rules": RULES}]}},
        "query": versions(__version__),
        "config": {"data": {"yaml": "global: {scrape_interval: 15s}"}},
        "alertmanagers": {"data": {"activeAlertmanagers": [{"url": "http://am"}]}},
    }
    return Server("http://p", **(answers | changes))


def targets(*named: tuple[str, str]) -> Any:
    """Return targets by their job and health."""
    found = [{"labels": {"job": job}, "health": health, "scrapeUrl": "http://e"} for job, health in named]
    return {"data": {"activeTargets": found}}


def versions(*each: str) -> Any:
    """Return the versions of rules."""
    return {"data": {"result": [{"metric": {"version": version}} for version in each]}}


def checks(*alertmanagers: Server, ready: Answer | None = None, test: bool = False, **changes: Any) -> dict[str, Any]:
    """Return state and words of each link."""
    exporter = Server("http://e", ready=ready or Answer(200, b""), tests={})
    chain: Any = Chain(exporter, prometheus(**changes), list(alertmanagers), test, clock=lambda: NOW)  # type: ignore[arg-type]

    async def run() -> dict[str, Any]:
        return {check.link: (check.state, check.seen) async for check in chain.run()}

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("link", "changes", "found"),
    [
        ("exporter", {"ready": Answer(401, b"")}, ("warning", "http://e asks for a password")),
        ("exporter", {"ready": Answer(503, b"")}, ("failed", "http://e is not ready (503)")),
        ("scrape", {}, ("ok", "http://e")),
        ("scrape", {"targets": targets(("node", "up"))}, ("failed", "no target of a job build-exporter")),
        ("scrape", {"targets": targets(("build-exporter", "unknown"))}, ("failed", "http://e: not scraped yet")),
        ("scrape", {"targets": targets(("node", "down"), ("build-exporter", "up"))}, ("ok", "http://e")),
        ("rules", {}, ("ok", f"{len(RULES)} loaded")),
        ("rules", {"query": versions()}, ("ok", f"{len(RULES)} loaded")),
        ("rules", {"query": versions("0.0.1")}, ("warning", f"of version 0.0.1, and this is {__version__}")),
        ("rules", {"rules": {"data": {"groups": [{"rules": RULES[1:]}]}}}, ("failed", "not loaded: BuildFailed")),
        ("rules", {"rules": {"data": {"groups": [{"rules": RULES}, {"rules": [ILL]}]}}}, ("failed", "X: e")),
        ("labels", {}, ("ok", "Prometheus adds none to alerts")),
        ("labels", {"config": {"data": {"yaml": "global: {external_labels: {site: a}}"}}},
         ("warning", "external_labels site: an alert of the fast path may come twice")),
        ("labels", {"config": {"data": {"yaml": "alerting: {alert_relabel_configs: [{action: labeldrop}]}"}}},
         ("warning", "alert_relabel_configs: an alert of the fast path may come twice")),
        ("Prometheus", {}, ("ok", "3.0 at http://p")),
        ("Prometheus", {"config": UnreachableError("slow")}, ("failed", "slow")),
        ("Prometheus to Alertmanager", {}, ("ok", "http://am")),
        ("Prometheus to Alertmanager", {"alertmanagers": {}}, ("failed", "Prometheus knows no Alertmanager")),
    ],
)  # fmt: skip
def test_a_link_holds_or_is_named(link: str, changes: dict[str, Any], found: tuple[str, str]) -> None:
    """What is seen of each, in words that name what is wrong."""
    assert checks(**changes)[link] == found


def test_rules_of_two_versions_are_old_rules() -> None:
    """Beside those of this version others were left."""
    assert checks(query=versions(__version__, "0.0.1"))["rules"][0] == "warning"


@pytest.mark.parametrize(
    ("receivers", "state", "seen"),
    [
        ([{"name": "a", "email_configs": [{}]}, {"name": "b", "slack_configs": [{}]}], "ok", "a, b"),
        ([{"name": "a", "email_configs": [{}]}, {"name": "b", "slack_configs": []}], "warning", "reach nobody: b"),
        ([{"name": "a", "webhook_configs": [INBOX]}], "failed", "no receiver reaches a person"),
        ([{"name": "a", "webhook_configs": [INBOX, {"url": "http://x"}]}], "ok", "a"),
        ([], "failed", "no receiver reaches a person"),
    ],
)  # fmt: skip
def test_a_receiver_must_reach_a_person(receivers: list[Any], state: str, seen: str) -> None:
    """The exporter's own inbox is nobody."""
    found = _receivers({"receivers": receivers})
    assert (found.state, found.seen) == (state, seen)


@pytest.mark.parametrize(
    ("date", "words"),
    [("01:46:45", []), ("01:46:35", []), ("01:46:46", ["6 s ahead of this machine's"]),
     ("01:46:34", ["6 s behind of this machine's"]), ("25:00:00", [])],
)  # fmt: skip
def test_a_clock_may_differ_by_five_seconds(date: str, words: list[str]) -> None:
    """In both directions; a date that is none says nothing."""
    assert [each.seen for each in _skew("clock", f"Sun, 09 Sep 2001 {date} GMT", NOW)] == words


def test_a_delivery_counts_where_no_try_of_it_failed() -> None:
    """Requests of all receivers are added up; a way by which one failed since is bad, whatever else it sent."""
    metrics: Any = Server("http://am", metrics=Answer(200, SAMPLES.encode()))
    assert asyncio.run(_notifications(metrics)) == {"email": (7.0, 2.0)}
    before = [{"email": (7.0, 2.0), "sms": (1.0, 0.0)}]
    for email, new, grown in (
        ((8.0, 2.0), {}, ({"email"}, set())), ((8.0, 3.0), {}, (set(), {"email"})), ((7.0, 2.0), {}, (set(), set())),
        ((7.0, 2.0), {"irc": (1.0, 0.0)}, ({"irc"}, set())), ((7.0, 2.0), {"irc": (0.0, 0.0)}, (set(), set())),
    ):  # fmt: skip
        assert _growth(before, [{"email": email, **new}]) == grown


def test_the_test_alert_goes_where_somebody_answers() -> None:
    """An Alertmanager that is away is left out; where all are, no alert is tried."""
    status = {"versionInfo": {"version": "0.27"}, "config": {"original": "receivers: [{name: a, email_configs: [{}]}]"}}
    there, away = Server("http://am", status=status), Server("http://away")
    counts = iter(range(9))
    sent = 'alertmanager_notification_requests_total{{integration="email"}} {}'
    there.send = lambda *_: asyncio.sleep(0, Answer(200, sent.format(next(counts)).encode()))  # type: ignore[method-assign]
    found = checks(away, there, test=True)
    assert found["test alert"] == ("ok", "delivered by email")
    assert [len(each.posted) for each in (away, there)] == [0, 1]
    assert "test alert" not in checks(away, test=True)
    assert "test alert" not in checks(there)
