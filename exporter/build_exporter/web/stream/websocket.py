"""Stream clients over WebSocket: frames are made once for all and written straight to each connection."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode

from build_exporter.web.stream.hub import TooSlowError
from build_exporter.web.stream.messages import Filter

EXTENSION: Final = "build_exporter.connection"
MAX_BUFFERED: Final = 256 * 1024
"""Bytes sent and not taken yet, beyond which a client is too slow."""

TOO_SLOW: Final = 4008
GOING_AWAY: Final = 1012
"""Codes with which connections are closed: for what the exporter means by the first, and `service restart`."""

ABORT_SECONDS: Final = 5.0
MAX_RECEIVED: Final = 4096
"""Longest message of a client: there is nothing that one needs to say."""


class Connection(WebSocketsSansIOProtocol):
    """uvicorn's protocol, which lets the application at the connection itself."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.conn.max_message_size = self.conn.max_fragment_size = MAX_RECEIVED

    async def run_asgi(self) -> None:
        """Run the application."""
        extensions: dict[str, Any] = dict(self.scope["extensions"] or {})
        self.scope["extensions"] = extensions | {EXTENSION: self}
        await super().run_asgi()


class WebSocketOutlet:
    """The way to one WebSocket client."""

    def __init__(self, connection: Connection, wanted: Filter) -> None:
        self.filter = wanted
        self._connection = connection

    @staticmethod
    def encode(messages: Sequence[bytes]) -> bytes:
        """Return a text frame for each message."""
        return b"".join(Frame(Opcode.TEXT, message).serialize(mask=False) for message in messages)

    def write(self, data: bytes) -> None:
        """Send frames without waiting.

        Raises:
            TooSlowError: more than `MAX_BUFFERED` bytes wait to be taken.
        """
        transport = self._connection.transport
        if transport.is_closing() or self._connection.close_sent:
            return
        if transport.get_write_buffer_size() > MAX_BUFFERED:
            raise TooSlowError
        transport.write(data)

    async def drained(self) -> bool:
        """Wait until most of what was sent has been taken."""
        # a large write says only in the loop's next turn that it is too much
        await asyncio.sleep(0)
        await self._connection.writable.wait()
        return not self._connection.transport.is_closing()

    def drop(self) -> None:
        """Close with `TOO_SLOW`; what the client does not take soon it never gets."""
        self._close(TOO_SLOW, "too slow: connect again with after=CURSOR")

    def end(self) -> None:
        """Close because the exporter ends."""
        self._close(GOING_AWAY, "the exporter ends")

    def _close(self, code: int, reason: str) -> None:
        connection = self._connection
        if connection.transport.is_closing() or connection.close_sent:
            return
        connection.conn.send_close(code, reason)
        connection.transport.write(b"".join(connection.conn.data_to_send()))
        connection.close_sent = True
        connection.transport.close()
        asyncio.get_running_loop().call_later(ABORT_SECONDS, connection.transport.abort)
