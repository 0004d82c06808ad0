"""Whole nights with the real servers and the shipped files: who is notified of what, once, and of the end."""

from __future__ import annotations

import json
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def night(serve: Callable[..., Any], servers: Any, tmp_path: Path, poll: Callable[..., None]) -> Any:
    """An exporter whose incidents reach tier 2 after 4 seconds and tier 3 after 8, with both servers."""
    config = tmp_path / "config.yml"
    config.write_text(f"alerting:\n  alertmanager_url: {servers.alertmanager}\n  escalation: [4s, 8s]\n")
    served = serve("--config", str(config))
    servers.also_report_to(served.url)
    servers.start_alertmanager()
    servers.start_prometheus(served.port)
    poll(lambda: bool(servers.query('up{job="build-exporter"} == 1')), 30, "Prometheus scrapes")
    return served


def told(receiver: Any, name: str, status: str = "firing") -> Counter[tuple[str, str]]:
    """Return how often each receiver was notified of each tier of an alert."""
    return Counter((alert["to"], alert["labels"].get("tier", "")) for alert in receiver.alerts(name, status))


def test_a_failure_at_night_is_escalated_acknowledged_by_the_link_and_over_when_the_build_is_resumed(
    night: Any, receiver: Any, live_run: Callable[..., Any], fail: Callable[..., float], poll: Callable[..., None]
) -> None:
    """Tier 1, then tier 2; the link keeps tier 3 asleep; everybody who was notified hears of the end, and each once."""
    run = live_run()
    fail(run)
    poll(lambda: told(receiver, "BuildFailed")[("page", "1")] == 1, 10, "the first tier")
    poll(lambda: told(receiver, "BuildFailed")[("on-call", "2")] == 1, 15, "the second tier")
    link = receiver.alerts("BuildFailed", tier="2")[0]["annotations"]["acknowledge_url"]
    path = link.replace(f"http://localhost:{night.port}", night.url)
    urllib.request.urlopen(urllib.request.Request(path, b"by=ada", method="POST"), timeout=10).close()
    # tier 3 would come 8 seconds after the failure
    time.sleep(7)
    assert night.value("build_failure", build="lfs", kind="failed") == 2
    run.add("step_started", phase="chapter-8", step="813-gcc")
    poll(lambda: told(receiver, "BuildFailed", "resolved")[("page", "1")] >= 1, 40, "the first tier hears of the end")
    poll(lambda: told(receiver, "BuildFailed", "resolved")[("on-call", "2")] >= 1, 40, "the second tier, too")
    run.add("step_finished", phase="chapter-8", step="813-gcc", status="succeeded")
    assert told(receiver, "BuildFailed") == {("page", "1"): 1, ("on-call", "2"): 1}

    def history() -> list[Any]:
        rows = json.loads(night.get("/api/v1/alerts")[2])["alerts"]
        return [row for row in rows if row["alert"] == "BuildFailed" and row["until"] is not None]

    poll(lambda: len(history()) == 1, 20, "the history has its end")
    (row,) = history()
    assert (row["tier"], row["acknowledged"]["by"]) == (2, "ada")
    assert row["notified"] == ["page", "on-call"]


def test_a_build_that_waits_for_a_password_calls_somebody_after_twenty_seconds(
    night: Any, receiver: Any, live_run: Callable[..., Any], poll: Callable[..., None]
) -> None:
    """Whoever types within twenty seconds calls nobody; after that the message says what is asked for."""
    run = live_run()
    run.add("step_started", phase="p", step="s")
    run.add("step_finished", phase="p", step="s", status="succeeded")
    began = time.monotonic()
    run.add("note", message="waiting-for-input: sudo asks for a password")
    poll(lambda: receiver.alerts("BuildWaitingForInput"), 40, "the message")
    first = receiver.alerts("BuildWaitingForInput")[0]
    assert first["at"] - began > 19.5
    assert "sudo asks for a password" in first["annotations"]["description"]
    run.add("step_started", phase="p", step="t")
    poll(lambda: receiver.alerts("BuildWaitingForInput", "resolved"), 40, "the end")
    assert told(receiver, "BuildWaitingForInput")[("page", "1")] == 1


def test_a_build_that_finishes_is_good_news_once(
    night: Any, receiver: Any, live_run: Callable[..., Any], poll: Callable[..., None]
) -> None:
    """One message to the receiver of notices, and nobody else is notified."""
    run = live_run()
    run.add("build_started")
    run.add("step_started", phase="p", step="s")
    run.add("step_finished", phase="p", step="s", status="succeeded")
    run.add("build_finished", status="succeeded")
    poll(lambda: receiver.alerts("BuildFinished"), 30, "the notice")
    time.sleep(2)
    assert told(receiver, "BuildFinished") == {("notices", ""): 1}
    assert {to for _, to, _ in receiver.messages} <= {"notices", "heartbeat"}
