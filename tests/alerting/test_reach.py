"""Whether Alertmanager and Prometheus can be reached, as `build_exporter_part_up` and `health` show it."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from behaving import answering, listening
from ports import free_port

from build_exporter.alerting.client import Client
from build_exporter.alerting.reachability import Reachability, parts_up
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
