"""Periodic work of the event loop in step: one wake-up a second serves all of it."""

from __future__ import annotations

import asyncio


def until_tick(seconds: float) -> float:
    """Return the seconds until the next whole multiple of `seconds` on the running loop's clock; never 0."""
    return seconds - asyncio.get_running_loop().time() % seconds


async def tick(seconds: float) -> None:
    """Wait for the next whole multiple of `seconds` on the running loop's clock."""
    await asyncio.sleep(until_tick(seconds))
