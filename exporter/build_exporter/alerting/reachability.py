"""Check whether Alertmanager and Prometheus can be reached, Alertmanager also while there is nothing to send."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from build_exporter.alerting.client import Client, UnreachableError

EVERY_SECONDS: Final = 30.0
SCRAPED_SECONDS: Final = 120.0
"""Prometheus counts as gone when it has not scraped for so long: eight scrapes at the longest usual interval."""

NOBODY: Final = "nobody is notified, unless Prometheus does it"
"""Prometheus has its own list of Alertmanagers, which the exporter does not know."""


class Reachability:
    """Asks Alertmanagers for their health; `answers` says of each address whether it answered last."""

    def __init__(self, clients: Sequence[Client] = ()) -> None:
        self.clients = clients
        self.answers: dict[str, bool] = {}

    async def run(self) -> None:
        """Ask again and again until cancelled."""
        while True:
            self.answers = await health(self.clients)
            await asyncio.sleep(EVERY_SECONDS)

    def unheard(self) -> str:
        """Return why the exporter's alerts arrive nowhere, empty where an Alertmanager answers or was not asked."""
        return unheard(self.clients, self.answers)


async def health(clients: Sequence[Client]) -> dict[str, bool]:
    """Return whether each Alertmanager is healthy, by address."""
    found = await asyncio.gather(*map(_is_healthy, clients))
    return dict(zip((client.url for client in clients), found, strict=True))


def unheard(clients: Sequence[Client], answers: Mapping[str, bool]) -> str:
    """Return why alerts sent to these Alertmanagers arrive nowhere, empty where one answers or none was asked."""
    if not clients:
        return f"no Alertmanager is configured: {NOBODY}"
    return f"Alertmanager cannot be reached: {NOBODY}" if answers and not any(answers.values()) else ""


async def _is_healthy(client: Client) -> bool:
    try:
        return (await client.send("GET", "/-/healthy")).status == 200
    except UnreachableError:
        return False


def parts_up(answers: Mapping[str, bool], scraped: float, now: float) -> dict[str, bool]:
    """Return whether each part can be reached; one that is not configured, or never came, is left out.

    Args:
        answers: whether each Alertmanager answered.
        scraped: when Prometheus last scraped, Unix seconds; 0 for never.
        now: Unix seconds.
    """
    found = {"alertmanager": all(answers.values())} if answers else {}
    return found | ({"prometheus": now - scraped < SCRAPED_SECONDS} if scraped else {})
