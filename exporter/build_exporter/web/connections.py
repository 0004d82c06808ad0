"""Limits connections, picks the idle one that makes room for a new one, and keeps what all have in common."""

from __future__ import annotations

import asyncio
import os
import resource
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from build_exporter.web.messages import App

MOST_CONNECTIONS: Final = 1000
"""Connections at a time, those of the stream apart."""

MOST_OF_A_PEER: Final = 600
RESERVED_DESCRIPTORS: Final = 64
"""Left for journal, logs and collectors, whatever clients there are."""

LEAST_CONNECTIONS: Final = 8


class Connection(Protocol):
    """A connection as the limiter knows it."""

    peer: str

    def evict(self) -> None:
        """Close at once."""
        ...

    def end(self) -> None:
        """Close as soon as the request in hand is answered."""
        ...

    def check(self, now: float) -> None:
        """End what has not come in its time."""
        ...


class ConnectionLimiter:
    """Lets connections in. Full, it closes the one that has been idle longest, so that nobody can sit in the way.

    Attributes:
        most: connections there may be at present.
        refused: connections refused or closed to make room, since the start.
    """

    def __init__(self) -> None:
        self.most = MOST_CONNECTIONS
        self.refused = 0
        self._open: set[Connection] = set()
        self._peers: Counter[str] = Counter()
        self._idle: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._open)

    def enter(self, connection: Connection) -> bool:
        """Let a connection in, unless it is one too many and no idle one can make room."""
        peer = connection.peer
        if self._peers[peer] >= MOST_OF_A_PEER and not self._make_room(peer):
            return False
        if len(self._open) >= self.most and not self._make_room(None):
            return False
        self._open.add(connection)
        self._peers[peer] += 1
        self._idle[connection] = None
        return True

    def leave(self, connection: Connection) -> None:
        """Forget a connection; one not known is none."""
        self._idle.pop(connection, None)
        if connection in self._open:
            self._open.discard(connection)
            self._peers[connection.peer] -= 1
            if not self._peers[connection.peer]:
                del self._peers[connection.peer]

    def is_busy(self, connection: Connection) -> None:
        """Note that a connection has a request in hand: it is not closed to make room."""
        self._idle.pop(connection, None)

    def is_idle(self, connection: Connection) -> None:
        """Note that a connection waits for its client."""
        if connection in self._open:
            self._idle.pop(connection, None)
            self._idle[connection] = None

    def make_room(self) -> bool:
        """Close the connection idle longest; False where none is idle."""
        return self._make_room(None)

    def _make_room(self, peer: str | None) -> bool:
        self.refused += 1
        found = next((each for each in self._idle if peer in (None, each.peer)), None)
        if found is None:
            return False
        self.leave(found)
        found.evict()
        return True

    def measure(self) -> None:
        """Let in no more than there are descriptors for beside what else is open."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            others = len(os.listdir("/proc/self/fd")) - len(self._open)  # noqa: PTH208 - it is counted, not looked at
        except OSError:
            others = 0
        self.most = max(LEAST_CONNECTIONS, min(MOST_CONNECTIONS, soft - others - RESERVED_DESCRIPTORS))


@dataclass(slots=True)
class Shared:
    """What all connections of a server have in common: the application, their limiter, and the requests in hand."""

    app: App
    limiter: ConnectionLimiter
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, work: Any) -> asyncio.Task[None]:
        """Run a coroutine as one of the tasks that the server's end waits for."""
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task
