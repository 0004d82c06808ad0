"""Who is notified when, by a real Alertmanager: tiers, acknowledgement, inhibition, quiet hours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

Json = dict[str, Any]

FIRST: Final = {"build": "lfs-12.4", "severity": "critical", "tier": "1"}
SECOND: Final = {**FIRST, "tier": "2"}


@pytest.fixture
def notified(configuration: Callable[[str], Json], recorder: Callable[..., Any]) -> tuple[Json, Any]:
    """The shipped routes with a webhook for each receiver, whose path is the receiver's name, and the server of it."""
    server = recorder()
    config = configuration("alertmanager")
    for receiver in config["receivers"]:
        receiver["webhook_configs"] = [{"url": f"{server.url}/{receiver['name']}", "send_resolved": True}]
    return config, server


def test_the_shipped_configuration_keeps_alerts_and_fails_no_delivery(
    alertmanager: Callable[..., Any], configuration: Callable[[str], Json]
) -> None:
    """Without an edit alerts are there to be seen, and nothing is reported as not delivered."""
    running = alertmanager(configuration("alertmanager"))
    running.post("BuildFailed", **FIRST)
    running.post("BuildDeadMansSwitch", severity="info")
    running.wait(lambda: running.states().get(("BuildFailed", "1")) == "active", "the alert")
    for integration in ("webhook", "email"):
        assert running.counted("alertmanager_notifications_failed_total", integration) == 0


def test_who_does_not_acknowledge_is_followed_by_the_second_tier(
    alertmanager: Callable[..., Any], notified: tuple[Json, Any]
) -> None:
    """The first tier is notified, then the second in its place; both are notified of the end."""
    config, server = notified
    running = alertmanager(config)
    running.post("BuildFailed", **FIRST)
    running.wait(lambda: ("BuildFailed", "1") in server.notified("/page"), "the first tier")
    assert server.messages("/on-call") == []
    running.post("BuildFailed", **SECOND)
    running.wait(lambda: ("BuildFailed", "2") in server.notified("/on-call"), "the second tier")
    running.wait(lambda: running.states()["BuildFailed", "1"] == "suppressed", "the first tier is inhibited")
    for labels in (FIRST, SECOND):
        running.post("BuildFailed", over=True, **labels)
    running.wait(lambda: server.notified("/page", "resolved"), "the first tier hears that it is over")
    running.wait(lambda: server.notified("/on-call", "resolved"), "the second tier hears that it is over")


def test_an_acknowledged_build_wakes_nobody(alertmanager: Callable[..., Any], notified: tuple[Json, Any]) -> None:
    """A silence of the build, as the link in a message makes it, stops both tiers, and no other build's."""
    config, server = notified
    running = alertmanager(config)
    running.post("BuildFailed", **FIRST)
    running.wait(lambda: server.notified("/page"), "the first tier")
    running.silence(build="lfs-12.4")
    running.post("BuildFailed", **SECOND)
    running.wait(lambda: running.states().get(("BuildFailed", "2")) == "suppressed", "the second tier is silenced")
    running.post("BuildFailed", **{**SECOND, "build": "another"})
    running.wait(lambda: server.messages("/on-call"), "the other build's second tier")
    assert {m["groupLabels"]["build"] for m in server.messages("/on-call")} == {"another"}


def test_a_failed_build_speaks_for_its_steps(alertmanager: Callable[..., Any], notified: tuple[Json, Any]) -> None:
    """Consequences of a failure are not sent beside it; alerts of another build are."""
    config, server = notified
    running = alertmanager(config)
    running.post("BuildFailed", **FIRST)
    running.wait(lambda: server.notified("/page"), "the failure")
    step = {"phase": "p", "step": "s", "severity": "warning"}
    running.post("BuildStepOverdue", build="lfs-12.4", **step)
    running.post("BuildStalled", build="another", severity="warning", tier="1")
    running.wait(
        lambda: running.states().get(("BuildStepOverdue", "")) == "suppressed", "the overdue step is inhibited"
    )
    running.wait(lambda: server.notified("/team"), "the other build's warning")
    assert server.notified("/team") == {("BuildStalled", "1")}


def test_a_critical_alert_speaks_for_the_warning_of_the_same(
    alertmanager: Callable[..., Any], notified: tuple[Json, Any]
) -> None:
    """A file system that is critically full is reported once; another one's warning is reported too."""
    config, server = notified
    running = alertmanager(config)
    full = {"instance": "a", "mountpoint": "/mnt/lfs", "tier": "1"}
    running.post("BuildHostDiskLow", severity="critical", **full)
    running.wait(lambda: server.notified("/page"), "the critical one")
    running.post("BuildHostDiskLow", severity="warning", **full)
    running.post("BuildHostDiskLow", severity="warning", **{**full, "mountpoint": "/home"})
    running.wait(lambda: server.messages("/team"), "the other file system's warning")
    warned = {a["labels"]["mountpoint"] for message in server.messages("/team") for a in message["alerts"]}
    assert warned == {"/home"}


def test_notices_of_the_night_are_told_in_the_morning(
    alertmanager: Callable[..., Any], notified: tuple[Json, Any]
) -> None:
    """In quiet hours failures are sent and notices are not; the notices follow afterwards."""
    config, server = notified
    (notices,) = [route for route in config["route"]["routes"] if route["receiver"] == "notices"]
    notices["mute_time_intervals"] = ["quiet-hours"]
    (hours,) = config["time_intervals"]
    night = hours["time_intervals"]
    hours["time_intervals"] = [{"times": [{"start_time": "00:00", "end_time": "24:00"}]}]
    running = alertmanager(config)
    running.post("BuildFinished", build="lfs-12.4", severity="info", outcome="success")
    running.post("BuildFailed", **{**FIRST, "build": "another"})
    running.wait(lambda: server.notified("/page"), "the failure")
    running.wait(lambda: running.states().get(("BuildFinished", "")) == "active", "the notice is there")
    assert server.messages("/notices") == []
    hours["time_intervals"] = night
    del notices["mute_time_intervals"]
    running.reload(config)
    running.wait(lambda: server.notified("/notices") == {("BuildFinished", "")}, "the notice")
