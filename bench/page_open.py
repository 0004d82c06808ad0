"""The exporter while people look on: the page in Chromium and clients of the stream, one build that goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from bench import workload
from bench.figure import Figure
from bench.harness import Process, exporter, workplace
from bench.stream import _Client

STEPS = 150
CLIENTS = 10
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def figures(*, quick: bool = False) -> list[Figure]:
    """Return the share of a core and the resident memory; none, with a reason on stderr, without a browser."""
    try:
        from playwright.async_api import async_playwright  # noqa: PLC0415 - for development alone
    except ImportError:
        return _skipped("Playwright is not installed")
    if CHROMIUM is None:
        return _skipped("there is no Chromium")
    with workplace() as place:
        path = workload.journal_file(place)
        path.write_bytes(workload.partly_done(STEPS))
        with exporter(place) as process:
            share = asyncio.run(_measured(async_playwright, process, path, 2.0 if quick else 30.0))
            resident = process.memory()["rss"]
    what = f"the page open, {CLIENTS} stream clients, {STEPS} steps, an event a second"
    return [
        Figure("page_open", f"share of a core: {what}", "ratio", share, goal=0.01),
        Figure("page_open_memory", f"resident memory: {what}", "bytes", resident, goal=50e6),
    ]


def _skipped(reason: str) -> list[Figure]:
    print(f"page_open is skipped: {reason}", file=sys.stderr)
    return []


async def _measured(playwright: Any, process: Process, path: Path, seconds: float) -> float:
    loop = asyncio.get_running_loop()
    async with _page(playwright, process.port):
        made = [await loop.create_connection(lambda: _Client([]), "127.0.0.1", process.port) for _ in range(CLIENTS)]
        await asyncio.sleep(3.0)
        phase, step = workload.running_step(STEPS)
        began, before = time.monotonic(), process.cpu_seconds()
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        for second in range(int(seconds)):
            os.write(descriptor, workload.progress(phase, step, time.time(), second + 2, 1000))
            await asyncio.sleep(max(0.0, began + second + 1 - time.monotonic()))
        os.close(descriptor)
        share = (process.cpu_seconds() - before) / (time.monotonic() - began)
        for transport, _ in made:
            transport.abort()
    return share


@contextlib.asynccontextmanager
async def _page(playwright: Any, port: int) -> AsyncIterator[None]:
    """Keep the build's page open in Chromium."""
    async with playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        page = await browser.new_page()
        await page.goto(f"http://127.0.0.1:{port}/builds/{workload.BUILD}")
        await page.get_by_text(workload.BUILD).first.wait_for()
        yield
        await browser.close()
