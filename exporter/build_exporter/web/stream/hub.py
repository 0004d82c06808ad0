"""The hub: reads what is new in the journal once, and hands it to every client that asked for it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Final, Protocol

from build_exporter.collectors.exporter import WebCounts
from build_exporter.journal.layout import run_path, runs
from build_exporter.journal.positions import Cursor, CursorError, Position
from build_exporter.queries.context import Context
from build_exporter.sources.birthtime import birth_time
from build_exporter.web.stream.messages import (
    Filter,
    Item,
    event_message,
    heartbeat_message,
    read_items,
    snapshot_message,
)

log = logging.getLogger(__name__)

JOIN_SECONDS: Final = 0.01
"""Events that come within this are sent together: a write to each client costs as much for many as for one."""

IDLE_SECONDS: Final = 300.0
"""A build that is over and unchanged for so long is left out of cursors over all builds: each event has one."""

CATCH_UP_SECONDS: Final = 30.0
"""A client that resumes and takes none of what it missed for so long is too slow."""


class TooSlowError(Exception):
    """A client takes less than is sent to it."""


class Outlet(Protocol):
    """The way to one client."""

    filter: Filter

    @staticmethod
    def encode(messages: Sequence[bytes]) -> bytes:
        """Return messages as they go over the wire."""
        ...

    def write(self, data: bytes) -> None:
        """Send encoded messages without waiting.

        Raises:
            TooSlowError: too much of what was sent before has not been taken.
        """
        ...

    async def drained(self) -> bool:
        """Wait until most of what was sent has been taken; return whether the client is still there."""
        ...

    def drop(self) -> None:
        """Close the connection, and say that the client is too slow."""
        ...

    def end(self) -> None:
        """Close the connection because the exporter ends."""
        ...


class Hub:
    """Sends events to the clients that have joined. Reads and does nothing while there is none.

    Attributes:
        most: how many clients there may be.
    """

    def __init__(self, journal: str, context: Callable[[], Context], counts: WebCounts) -> None:
        self.most = 1000
        self._journal = journal
        self._context = context
        self._counts = counts
        counts.stream_clients = lambda: self.clients
        self._clients: set[Outlet] = set()
        self._waiting = 0
        self._positions: dict[str, Position] = {}
        self._beats: dict[float, float] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def clients(self) -> int:
        """Number of clients, including those still catching up."""
        return len(self._clients) + self._waiting

    @property
    def is_full(self) -> bool:
        """Whether no more client is let in."""
        return self.clients >= self.most

    def notify(self) -> None:
        """Say that there may be something new in the journal."""
        if self._clients:
            self._wake.set()

    def close(self) -> None:
        """Close every client's connection and stop."""
        for client in list(self._clients):
            client.end()
        self._clients.clear()
        if self._task is not None:
            self._task.cancel()

    def leave(self, client: Outlet) -> None:
        """Forget a client."""
        self._clients.discard(client)

    async def join(self, client: Outlet, after: Cursor | None) -> None:
        """Send a client the snapshot, or what it missed since a cursor, and from then on whatever comes."""
        context = self._context()
        self._advance(context)
        try:
            if after is None:
                client.write(client.encode([self._snapshot(context, client.filter)]))
            else:
                self._waiting += 1
                try:
                    await self._catch_up(client, after)
                finally:
                    self._waiting -= 1
        except (TooSlowError, TimeoutError):
            self._drop(client)
            return
        self._clients.add(client)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="stream")
        self._wake.set()

    async def _catch_up(self, client: Outlet, after: Cursor) -> None:
        """Send what came since a cursor; the snapshot where its place is gone, with a run removed or written anew."""
        positions, since = self._resumed(after, client.filter)
        while True:
            context = self._context()
            self._advance(context)
            build = next((name for name, end in self._ends(client.filter) if _reach(positions, name, end) != end), None)
            if build is None:
                return
            try:
                items, positions[build] = read_items(context, build, positions[build], self._positions[build])
            except (CursorError, OSError):
                client.write(client.encode([self._snapshot(context, client.filter)]))
                return
            if build in since:
                items = [item for item in items if item.time > since[build]]
            messages = self._messages(context, client.filter, items, {**self._positions, **positions})
            if messages:
                client.write(client.encode(messages))
                async with asyncio.timeout(CATCH_UP_SECONDS):
                    if not await client.drained():
                        return

    def _resumed(self, after: Cursor, wanted: Filter) -> tuple[dict[str, Position], dict[str, float]]:
        """Return where each build is gone on from, and for some the time up to which everything was sent."""
        positions: dict[str, Position] = {}
        since: dict[str, float] = {}
        for name, end in self._ends(wanted):
            if name in after.builds:
                positions[name] = Position(*after.builds[name])
                continue
            # it was not there then, or over and unchanged for a while
            if _modified(Path(run_path(self._journal, name, end.run))) <= after.time:
                positions[name] = end
                continue
            run = self._first_missed(name, end.run, after.time)
            positions[name] = Position(run, 0)
            if self._born(name, run) <= after.time:
                since[name] = after.time
        return positions, since

    def _first_missed(self, build: str, newest: str, since: float) -> str:
        """Return the first of the runs that followed an older one after a time, the newest where there are none."""
        earlier = [run for run in runs(self._journal, build) if run <= newest]
        missed = list(takewhile(lambda run: self._born(build, run) > since, reversed(earlier)))
        return missed[-1] if 0 < len(missed) < len(earlier) else newest

    def _born(self, build: str, run: str) -> float:
        return birth_time(Path(run_path(self._journal, build, run))) or 0.0

    def _ends(self, wanted: Filter) -> list[tuple[str, Position]]:
        return [(name, end) for name, end in self._positions.items() if wanted.wants_build(name)]

    def _snapshot(self, context: Context, wanted: Filter) -> bytes:
        return snapshot_message(context, wanted, self._cursor(context, wanted, self._positions))

    def _cursor(self, context: Context, wanted: Filter, positions: dict[str, Position]) -> str:
        names = wanted.builds if wanted.builds is not None else self._active(context)
        return Cursor(context.now, {name: positions[name] for name in names if name in positions}).encode()

    def _active(self, context: Context) -> list[str]:
        found = []
        for name in self._positions:
            build = context.builds.get(name)
            run = build.current if build is not None else None
            if run is None or run.status is None or context.now - (run.last_event or 0.0) < IDLE_SECONDS:
                found.append(name)
        return found

    async def _run(self) -> None:
        while self._clients:
            try:
                async with asyncio.timeout(self._until_tick()):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                context = self._context()
                self._advance(context)
                self._beat(context)
            except Exception:
                log.exception("the stream failed to go on")
            await asyncio.sleep(JOIN_SECONDS)

    def _advance(self, context: Context) -> None:
        """Send what is new to the clients, and be where the journal has been read to."""
        if not self._clients:
            self._positions = {name: context.position(name) for name in list(context.builds)}
            return
        for name in self._positions.keys() - context.builds.keys():
            del self._positions[name]
        for name in list(context.builds):
            end = context.position(name)
            begin = self._positions.get(name, Position(end.run, 0))
            if begin != end:
                self._advance_build(context, name, begin, end)

    def _advance_build(self, context: Context, name: str, begin: Position, end: Position) -> None:
        try:
            while begin != end:
                if begin > end:
                    raise CursorError("the run began anew")
                items, begin = read_items(context, name, begin, end)
                self._send(context, items)
                self._positions[name] = begin
        except (CursorError, OSError):
            self._positions[name] = end
            for client in [client for client in self._clients if client.filter.wants_build(name)]:
                self._write(client, client.encode([self._snapshot(context, client.filter)]))

    def _send(self, context: Context, items: list[Item]) -> None:
        encoded: dict[tuple[type, Filter], bytes] = {}
        for client in list(self._clients):
            key = (type(client), client.filter)
            if key not in encoded:
                messages = self._messages(context, client.filter, items, self._positions)
                encoded[key] = client.encode(messages) if messages else b""
            if encoded[key]:
                self._write(client, encoded[key])

    def _messages(
        self, context: Context, wanted: Filter, items: list[Item], positions: dict[str, Position]
    ) -> list[bytes]:
        found = [
            item
            for item in items
            if wanted.wants_build(item.build) and (wanted.events is None or item.event in wanted.events)
        ]
        if not found:
            return []
        names = wanted.builds if wanted.builds is not None else self._active(context)
        reached = {name: positions[name] for name in names if name in positions}
        messages = []
        for item in found:
            reached[item.build] = item.after
            messages.append(event_message(Cursor(context.now, dict(reached)).encode(), item))
        return messages

    def _beat(self, context: Context) -> None:
        """Send heartbeats that are due."""
        now = time.monotonic()
        due = {every for every, beat in self._beats.items() if beat <= now}
        for client in list(self._clients):
            every = client.filter.heartbeat
            if every in due:
                cursor = self._cursor(context, client.filter, self._positions)
                self._write(client, client.encode([heartbeat_message(cursor, context.now)]))
        wanted = {client.filter.heartbeat for client in self._clients}
        self._beats = {every: now + every if every in due else self._beats.get(every, now + every) for every in wanted}

    def _until_tick(self) -> float:
        beats = [self._beats.get(client.filter.heartbeat, 0.0) for client in self._clients]
        return max(0.0, min(beats, default=0.0) - time.monotonic())

    def _write(self, client: Outlet, data: bytes) -> None:
        try:
            client.write(data)
        except TooSlowError:
            self._drop(client)

    def _drop(self, client: Outlet) -> None:
        self._clients.discard(client)
        self._counts.stream_dropped += 1
        client.drop()


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _reach(positions: dict[str, Position], name: str, end: Position) -> Position:
    """Return where a client is in a build; one that has come up meanwhile it gets from its beginning."""
    return positions.setdefault(name, Position(end.run, 0))
