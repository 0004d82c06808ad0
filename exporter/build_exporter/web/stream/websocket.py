"""Stream clients over WebSocket: frames are made once for all and written straight to each connection."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, cast

from websockets.frames import Frame, Opcode
from websockets.http11 import Request as Handshake
from websockets.protocol import SEND_EOF, State
from websockets.server import ServerProtocol

from build_exporter.web.errors import error
from build_exporter.web.messages import Request, Response
from build_exporter.web.stream.hub import TooSlowError
from build_exporter.web.stream.messages import Filter

MAX_BUFFERED: Final = 256 * 1024
"""Bytes sent and not taken yet, beyond which a client is too slow."""

TOO_SLOW: Final = 4008
GOING_AWAY: Final = 1012
UNANSWERED: Final = 1011
"""Codes with which connections are closed: for what the exporter means by the first, `service restart`, no pong."""

ABORT_SECONDS: Final = 5.0
PING_SECONDS: Final = 20.0
"""A client is asked so often for a sign of life, and has as long to answer."""
MAX_RECEIVED: Final = 4096
"""Longest message of a client: there is nothing that one needs to say."""


class Connection(asyncio.Protocol):
    """A WebSocket; what its client says is checked and ignored.

    Attributes:
        refusal: the answer to a handshake that is none, else None.
        writable: set while the transport takes more.
        lost: set once the connection has ended.
    """

    def __init__(self, request: Request) -> None:
        self.transport: asyncio.Transport = cast("Any", None)
        self.writable, self.lost = asyncio.Event(), asyncio.Event()
        self.writable.set()
        self._ping: asyncio.TimerHandle | None = None
        self._is_alive = True
        self._protocol = ServerProtocol(max_size=MAX_RECEIVED)
        # cookies and the like may be longer than it reads a line
        own = (each for each in request.headers if each[0].startswith((b"sec-websocket", b"connection", b"upgrade")))
        fields = b"".join(b"%b: %b\r\n" % each for each in own)
        self._protocol.receive_data(b"GET %b HTTP/1.1\r\n%b\r\n" % (request.raw_path, fields))
        handshake = next(iter(self._protocol.events_received()), None)
        if not isinstance(handshake, Handshake):
            self.refusal: Response | None = _refusal(400)
            return
        accepted = self._protocol.accept(handshake)
        self._protocol.send_response(accepted)
        self.refusal = None
        if accepted.status_code != 101:
            self.refusal = _refusal(accepted.status_code)

    @property
    def is_closing(self) -> bool:
        """Whether nothing more is to be sent."""
        return self.transport.is_closing() or self._protocol.state is not State.OPEN

    def connect(self, transport: asyncio.Transport) -> Connection:
        """Take the transport of the connection that asked, and accept."""
        self.transport = transport
        self._send()
        self._later()
        return self

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self._ping is not None:
            self._ping.cancel()
        self.writable.set()
        self.lost.set()

    def data_received(self, data: bytes) -> None:
        """Answer pings and the close, and ignore messages."""
        self._is_alive = True
        self._protocol.receive_data(data)
        self._protocol.events_received()
        self._send()
        if self.transport.get_write_buffer_size() > MAX_BUFFERED:
            # it has pings answered and does not take the answers
            self.transport.pause_reading()

    def eof_received(self) -> None:
        """Close: the client sends no more."""
        self._end()

    def pause_writing(self) -> None:
        """Note that the client is slow."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """Note that it has caught up, and listen to it again."""
        if not self.transport.is_closing():
            self.transport.resume_reading()
        self.writable.set()

    def close(self, code: int, reason: str) -> None:
        """Close; what the client does not take soon it never gets."""
        if self.is_closing:
            return
        self._protocol.send_close(code, reason)
        self._send()
        self._end()

    def _end(self) -> None:
        self.transport.close()
        asyncio.get_running_loop().call_later(ABORT_SECONDS, self.transport.abort)

    def _send(self) -> None:
        parts = self._protocol.data_to_send()
        if not self.transport.is_closing():
            self.transport.write(b"".join(parts))
            if SEND_EOF in parts:
                self._end()

    def _later(self) -> None:
        self._ping = asyncio.get_running_loop().call_later(PING_SECONDS, self._check)

    def _check(self) -> None:
        """Ask for a sign of life, or close where none came since this was asked last."""
        if not self._is_alive and self.transport.is_reading():
            self.close(UNANSWERED, "keepalive ping timeout")
        elif not self.is_closing:
            self._is_alive = False
            self._protocol.send_ping(b"")
            self._send()
            self._later()


def _refusal(status: int) -> Response:
    # a client of another version learns by the header which one is spoken: RFC 6455, 4.4
    headers = {"sec-websocket-version": "13"}
    return error(status, "bad-request", "this is no WebSocket handshake", headers=headers)


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
        if self._connection.is_closing:
            return
        if self._connection.transport.get_write_buffer_size() > MAX_BUFFERED:
            raise TooSlowError
        self._connection.transport.write(data)

    async def drained(self) -> bool:
        """Wait until most of what was sent has been taken."""
        # a large write says only in the loop's next turn that it is too much
        await asyncio.sleep(0)
        await self._connection.writable.wait()
        return not self._connection.transport.is_closing()

    def drop(self) -> None:
        """Close with `TOO_SLOW`; what the client does not take soon it never gets."""
        self._connection.close(TOO_SLOW, "too slow: connect again with after=CURSOR")

    def end(self) -> None:
        """Close because the exporter ends."""
        self._connection.close(GOING_AWAY, "the exporter ends")
