"""Whether each Alertmanager can be reached, asked also while there is nothing to send."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from build_exporter.alerting.client import Client, UnreachableError

EVERY_SECONDS: Final = 30.0


class Reach:
    """Asks Alertmanagers for their health; `answers` says of each address whether it answered last."""

    def __init__(self, clients: Sequence[Client] = ()) -> None:
        self.clients = clients
        self.answers: dict[str, bool] = {}

    async def run(self) -> None:
        """Ask again and again until cancelled."""
        while True:
            clients = self.clients
            found = await asyncio.gather(*map(_is_healthy, clients))
            self.answers = dict(zip((client.url for client in clients), found, strict=True))
            await asyncio.sleep(EVERY_SECONDS)


async def _is_healthy(client: Client) -> bool:
    try:
        return (await client.send("GET", "/-/healthy")).status == 200
    except UnreachableError:
        return False
