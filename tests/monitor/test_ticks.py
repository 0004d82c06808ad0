"""Periodic work of the event loop."""

from __future__ import annotations

import asyncio
import logging

import pytest

from build_exporter.ticks import check_every


def test_a_check_that_fails_ends_neither_the_others_nor_itself(caplog: pytest.LogCaptureFixture) -> None:
    """One fault in a check of running builds costs that one look, and a line in the exporter's log."""
    looks: list[str] = []

    def broken() -> None:
        looks.append("broken")
        raise ValueError

    async def two_rounds() -> None:
        enough = asyncio.Event()

        def whole() -> None:
            looks.append("whole")
            if len(looks) >= 4:
                enough.set()

        checking = asyncio.create_task(check_every(0.01, broken, whole))
        await asyncio.wait_for(enough.wait(), 30)
        checking.cancel()

    with caplog.at_level(logging.ERROR):
        asyncio.run(two_rounds())
    assert looks[:4] == ["broken", "whole", "broken", "whole"]
    assert len(caplog.records) == looks.count("broken")
