"""Periodic work of the event loop in step: one wake-up a second serves all of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

log = logging.getLogger(__name__)


def until_tick(seconds: float) -> float:
    """Return the seconds until the next whole multiple of `seconds` on the running loop's clock; never 0."""
    return seconds - asyncio.get_running_loop().time() % seconds


async def tick(seconds: float) -> None:
    """Wait for the next whole multiple of `seconds` on the running loop's clock."""
    await asyncio.sleep(until_tick(seconds))


async def check_every(seconds: float, *checks: Callable[[], object]) -> None:
    """Call the checks now and at each whole multiple of `seconds`, whether they raise or not."""
    while True:
        for check in checks:
            try:
                check()
            except Exception:
                # a check that fails must end neither the others nor the next ones
                log.exception("a check of the running builds failed")
        await tick(seconds)
