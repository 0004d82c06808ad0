"""Whether Alertmanager and Prometheus can be reached, as `build_exporter_part_up` and `health` show it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from behaving import answering, listening
from ports import free_port

from build_exporter.alerting.client import Client
from build_exporter.alerting.reachability import Reachability, parts_up, unheard
from build_exporter.config.alerting import Alertmanager


@pytest.mark.parametrize(
    ("scraped", "expected"), [(0.0, {}), (880.1, {"prometheus": True}), (880.0, {"prometheus": False})]
)
def test_prometheus_is_there_for_two_minutes_after_its_last_scrape(scraped: float, expected: dict[str, bool]) -> None:
    """One that never came is not missed; one that stopped coming is."""
    assert parts_up({}, scraped, 1000.0) == expected


def test_every_alertmanager_must_answer() -> None:
    """Of two, the one that does not answer well is what counts: an alert might be sent to that one alone."""
    assert parts_up({"a": True, "b": True}, 0.0, 1000.0) == {"alertmanager": True}
    assert parts_up({"a": True, "b": False}, 0.0, 1000.0) == {"alertmanager": False}


def test_alertmanagers_are_asked_for_their_health() -> None:
    """One that answers is up; one that reports trouble, and a closed port, are not."""
    with contextlib.ExitStack() as stack:
        good = listening(stack, answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
        bad = listening(stack, answering(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"))
        ports = (good, bad, free_port())
        reach = Reachability([Client(Alertmanager(url=f"http://127.0.0.1:{port}")) for port in ports])

        async def ask() -> None:
            asking = asyncio.create_task(reach.run())
            while not reach.answers:
                await asyncio.sleep(0.01)
            asking.cancel()

        asyncio.run(asyncio.wait_for(ask(), 30))
    assert list(reach.answers.values()) == [True, False, False]


def test_a_tier_is_promised_to_nobody_where_no_alertmanager_is_there(
    live_run: Callable[..., Any],
    fail: Callable[..., float],
    command: Callable[..., Any],
    serve: Callable[..., Any],
    poll: Callable[..., None],
    journal: Path,
    tmp_path: Path,
) -> None:
    """List, page and escalation say who is notified: nobody without an Alertmanager that answers."""
    fail(live_run())
    config = tmp_path / "config.yml"
    config.write_text("alerting: {}\n")
    options = ("--journal", str(journal), "--config", str(config))
    nobody = "no Alertmanager is configured: nobody is notified, unless Prometheus does it"
    assert f"unless acknowledged; {nobody}" in command("alerts", "list", *options).stdout
    routed = command("alerts", "list", *options[:2]).stdout
    assert "unless acknowledged; notified as routed by Alertmanager, where there is one" in routed
    config.write_text(f"alerting: {{alertmanager_url: 'http://127.0.0.1:{free_port()}'}}\n")
    away = nobody.replace("no Alertmanager is configured", "Alertmanager cannot be reached")
    assert away in command("alerts", "list", *options).stdout
    served = serve()
    poll(lambda: f"unless acknowledged; {nobody}" in served.get("/alerts")[2].decode(), 30, "the page says so")
    escalated = command("alerts", "escalate", "lfs", *options).stdout
    assert escalated == f"lfs: BuildFailed tier 2 recorded; {away}\n"


@pytest.mark.parametrize(("answers", "words"), [([], ""), ([False, True], ""), ([False], "cannot be reached")])
def test_one_alertmanager_that_answers_is_enough(answers: list[bool], words: str) -> None:
    """Before the first answer, and while one of a cluster answers, nothing is said to arrive nowhere."""
    assert words in (found := unheard([Client(Alertmanager(url="http://a"))], dict(zip("ab", answers, strict=False))))
    assert bool(found) == bool(words)
