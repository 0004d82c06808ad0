"""What HTTP/1.1 is over the wire: a request's body as it comes, and the head of an answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from http import HTTPStatus
from typing import Final

from build_exporter.web.messages import ClientGoneError, Request, Response

BODYLESS: Final = frozenset({204, 304})
"""Statuses of answers that have no body."""


class Body:
    """A request's body as it comes."""

    def __init__(self, more: Callable[[], None], *, is_awaited: bool) -> None:
        """`more` is called when the handler has taken what there is; `is_awaited`: the client waits to be asked."""
        self._more = more
        self._parts: list[bytes] = []
        self._arrived = asyncio.Event()
        self.is_awaited = is_awaited
        self.size = 0
        self.is_whole = False
        self.is_unwanted = False
        self.is_lost = False

    def add(self, part: bytes) -> None:
        """Take a part."""
        if not self.is_unwanted:
            self._parts.append(part)
            self.size += len(part)
            self._arrived.set()

    def end(self, *, is_lost: bool = False) -> None:
        """Take the end, or know that there will be none."""
        self.is_whole, self.is_lost = not is_lost, is_lost
        self._arrived.set()

    def discard(self) -> None:
        """Take nothing more: the request is answered."""
        self.is_unwanted = True
        self._parts.clear()
        self.size = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the parts.

        Raises:
            ClientGoneError: the connection ended first.
        """
        while True:
            if self._parts:
                part = b"".join(self._parts)
                self._parts.clear()
                self.size = 0
                yield part
            elif self.is_whole:
                return
            elif self.is_lost:
                raise ClientGoneError
            else:
                self._arrived.clear()
                self._more()
                await self._arrived.wait()


@dataclass(slots=True)
class Pending:
    """A request in hand, its body, and whether the connection outlasts it; HTTP/1.0 knows no answers in parts."""

    request: Request
    body: Body
    keep_alive: bool
    is_old: bool


def head_of(answer: Response, pending: Pending | None, *, is_streamed: bool = False) -> bytes:
    """Return the head of an answer; without a request that it answers the connection ends after it.

    Raises:
        ValueError: a header has a line break.
    """
    fields = answer.headers
    lines = [_status_line(answer.status), _date(int(time.time()))]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    if is_streamed:
        lines += [] if pending is not None and pending.is_old else ["transfer-encoding: chunked"]
    elif answer.status not in BODYLESS:
        lines.append(f"content-length: {len(answer.body)}")
    if (pending is None or not pending.keep_alive) and "connection" not in fields:
        lines.append("connection: close")
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
        raise ValueError("a header has a line break")
    return f"{head}\r\n\r\n".encode("latin-1")


@cache
def _status_line(status: int) -> str:
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"


@lru_cache(1)
def _date(now: int) -> str:
    # email.utils has this too, with forty modules behind it
    return time.strftime("date: %a, %d %b %Y %H:%M:%S GMT", time.gmtime(now))
