"""Sources of the tools for language models: a journal, or a running exporter's builds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from build_exporter.alerting.acknowledgements import acknowledge
from build_exporter.cli.query_source import Asked, request_of
from build_exporter.config.schema import Config
from build_exporter.estimate import Estimator
from build_exporter.failures.step_log import Cards
from build_exporter.mcp.tools import Tools
from build_exporter.monitor import Monitor
from build_exporter.queries.alerts import alerts
from build_exporter.queries.context import Context
from build_exporter.queries.request import Request

if TYPE_CHECKING:
    from build_exporter.mcp.server import Changes

ANNOUNCE_SECONDS = 0.5
"""Between announcements of what changed: a burst of events is one of them."""


def journal_tools(journal: str, *, allow_acknowledge: bool) -> tuple[Monitor, Tools]:
    """Return a monitor of a journal, to be started, and the tools that answer from it."""
    monitor = Monitor(journal)
    cards, estimator = Cards(journal), Estimator(monitor.tracker.builds)

    def context() -> Context:
        monitor.poll()
        follower = monitor.follower
        builds, now = monitor.tracker.builds, monitor.clock()
        return Context(
            builds, now, estimate=estimator, expected=estimator.expected_seconds, card=cards,
            journal=follower.root, position=follower.position,
        )  # fmt: skip

    return monitor, tools_of(context, journal, allow_acknowledge=allow_acknowledge)


def tools_of(context: Callable[[], Context], journal: str, *, allow_acknowledge: bool) -> Tools:
    """Return the tools over builds that `context` gives and the runs of their journal."""

    def request(build: str) -> Request:
        return request_of(Asked(journal, None, None, build, None, None, {}, Config()), metrics=False)

    def answer(build: str, name: str) -> str:
        found = context()
        rows = [row for row in alerts(found, history=False).alerts if row.build == build]
        done = acknowledge(found, rows, name, "by way of a language model")
        return f"{len(done)} alerts of {build} acknowledged: {', '.join(each.alert for each in done) or 'none fires'}"

    return Tools(context, request, answer if allow_acknowledge else None)


@asynccontextmanager
async def announcing(monitor: Monitor, changes: Changes) -> AsyncIterator[None]:
    """Publish which builds have changed for as long as the context lasts."""
    task = asyncio.create_task(_announce(monitor, changes), name="mcp changes")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _announce(monitor: Monitor, changes: Changes) -> None:
    seen: dict[str, float | None] = {}
    while True:
        now = {run.build: run.last_event for run in monitor.newest_runs()}
        await changes.publish(set(now), {name for name, last in now.items() if seen.get(name) != last})
        seen = now
        await asyncio.sleep(ANNOUNCE_SECONDS)
