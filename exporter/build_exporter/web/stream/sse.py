"""Stream clients over server-sent events."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec

from build_exporter.web.stream.hub import TooSlowError
from build_exporter.web.stream.messages import Filter

MAX_BUFFERED: Final = 256 * 1024
_CLOSE: Final = b'data: {"type":"error","code":"%s"}\n\n'


class _Cursor(msgspec.Struct):
    cursor: str


_cursor_of: Final = msgspec.json.Decoder(_Cursor).decode


class SseOutlet:
    """The way to one client: what is to be sent waits here until the connection takes it."""

    def __init__(self, wanted: Filter) -> None:
        self.filter = wanted
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._changed = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    @staticmethod
    def encode(messages: Sequence[bytes]) -> bytes:
        """Return an event for each message, with its cursor as the id that a browser resumes from."""
        return b"".join(b"id: %s\ndata: %s\n\n" % (_cursor_of(each).cursor.encode(), each) for each in messages)

    def write(self, data: bytes) -> None:
        """Add encoded messages to those that wait.

        Raises:
            TooSlowError: more than `MAX_BUFFERED` bytes wait.
        """
        if self._size > MAX_BUFFERED:
            raise TooSlowError
        self._waiting.append(data)
        self._size += len(data)
        self._empty.clear()
        self._changed.set()

    async def drained(self) -> bool:
        """Wait until all that was written has been taken."""
        await self._empty.wait()
        return not self._ended

    def drop(self) -> None:
        """End, and say that the client is too slow."""
        self._end(b"too-slow")

    def end(self) -> None:
        """End because the exporter does."""
        self._end(b"going-away")

    def _end(self, code: bytes) -> None:
        self._waiting.clear()
        self._waiting.append(_CLOSE % code)
        self._ended = True
        self._changed.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield what is to be sent until the end."""
        while True:
            self._changed.clear()
            while self._waiting:
                data = self._waiting.popleft()
                self._size -= len(data)
                yield data
            self._empty.set()
            if self._ended:
                return
            await self._changed.wait()
