"""HTTP of one connection: uvicorn's protocol with limits on size and time, and answers that wait for their reader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from build_exporter.web.connections import ConnectionLimiter

MAX_URL_BYTES: Final = 8 * 1024
MAX_HEADER_BYTES: Final = 8 * 1024
HEADER_SECONDS: Final = 10.0
"""From a connection's opening, or a request's first byte, to the end of the headers."""
BODY_SECONDS: Final = 60.0
"""From the end of the headers to the end of the body."""
STALL_SECONDS: Final = 30.0
"""For so long a client may leave an answer untaken."""
LINGER_SECONDS: Final = 1.0
"""For so long a refused request is read on, so that its client sees the answer before the connection's end."""
MAX_PIPELINED: Final = 8
"""Requests of one connection in hand; more wait unread."""
_SLICE: Final = 1024
"""Bytes that are parsed at a time between requests."""


class _Refused(Exception):  # noqa: N818 - it never leaves the parser
    """A request is beyond a limit."""


class _Flow(FlowControl):
    """Reading that stays paused while it is held."""

    held = False

    def resume_reading(self) -> None:
        """Read on unless held."""
        if not self.held:
            super().resume_reading()

    def hold(self) -> None:
        """Pause until let go."""
        self.held = True
        self.pause_reading()

    def let_go(self) -> None:
        """End the hold."""
        if self.held:
            self.held = False
            self.resume_reading()


class _Joining:
    """A transport that sends the head of an answer with the beginning of its body: one system call for two."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.direct = transport
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.direct, name)

    def write(self, data: bytes) -> None:
        """Send, or keep the head of a final answer until its body comes."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 1"):
            self._head = data
            return
        self.direct.write(data)

    def flush(self) -> None:
        """Send what was kept."""
        if self._head:
            data, self._head = self._head, b""
            self.direct.write(data)

    def close(self) -> None:
        """Close once everything is sent."""
        self.flush()
        self.direct.close()


class HttpProtocol(HttpToolsProtocol):
    """One connection."""

    flow: _Flow
    transport: Any

    def __init__(self, *arguments: Any, limiter: ConnectionLimiter, peer: str, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.peer = peer
        self._limiter = limiter
        self._unparsed = b""
        self._refusal: tuple[int, str, str] | None = None
        self._in_headers = False
        self._size = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self.abandon: Callable[[], object] | None = None
        """Callable that ends the connection during a TLS handshake."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin: the headers of a request are due."""
        super().connection_made(transport)
        self.transport = _Joining(transport)
        self.flow = _Flow(transport)
        self._due(HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._due(None)
        self._cancel_stall()
        self._limiter.leave(self)
        self._unparsed = b""
        super().connection_lost(exc)

    def evict(self) -> None:
        """Close at once."""
        if self.transport is not None:
            self.transport.abort()
        elif self.abandon is not None:
            self.abandon()

    def data_received(self, data: bytes) -> None:
        """Parse what came, or leave it for later where too much is in hand."""
        if self._refusal is not None:
            return
        self._unparsed = self._unparsed + data if self._unparsed else data
        self._feed()

    def _feed(self) -> None:
        while self._unparsed and self._refusal is None and not self.transport.is_closing():
            if len(self.pipeline) >= MAX_PIPELINED or self.flow.write_paused:
                self.flow.hold()
                return
            size = len(self._unparsed) if self._is_in_body() else _SLICE
            piece, self._unparsed = self._unparsed[:size], self._unparsed[size:]
            super().data_received(piece)
            if self.transport.get_protocol() is not self:
                # a WebSocket from here on, and the stream's to count
                self._due(None)
                self._limiter.leave(self)
                return
        self.flow.let_go()
        if self._in_headers and self._deadline is None:
            self._due(HEADER_SECONDS)

    def _is_in_body(self) -> bool:
        return not self._in_headers and self.cycle is not None and self.cycle.more_body

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._in_headers = True
        self._size = 0

    def on_url(self, url: bytes) -> None:
        """Take a part of the address."""
        super().on_url(url)
        if len(self.url) > MAX_URL_BYTES:
            self._refusal = (414, "too-long", f"an address has at most {MAX_URL_BYTES} bytes")
            raise _Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._size += len(name) + len(value) + 4
        if self._size > MAX_HEADER_BYTES:
            self._refusal = (431, "too-large", f"headers have at most {MAX_HEADER_BYTES} bytes")
            raise _Refused
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start answering."""
        self._in_headers = False
        self._due(BODY_SECONDS)
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over as it is."""
        self.transport = self.transport.direct
        super().handle_websocket_upgrade()

    def on_message_complete(self) -> None:
        """Note that the body is there."""
        self._due(None)
        super().on_message_complete()
        self._mark_busy()

    def _mark_busy(self) -> None:
        # until its body is there a request waits for its client, as one does that has not begun
        if self.cycle is not None and not (self.cycle.response_complete or self.cycle.more_body):
            self._limiter.is_busy(self)

    def on_response_complete(self) -> None:
        """Go on with what waited."""
        self.transport.flush()
        super().on_response_complete()
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
            self._limiter.is_idle(self)
        if self._unparsed:
            self.loop.call_soon(self._feed)

    def pause_writing(self) -> None:
        """Wait for the reader, but not for ever."""
        super().pause_writing()
        self._limiter.is_idle(self)
        if self._stall is None:
            self._stall = self.loop.call_later(STALL_SECONDS, self.evict)

    def resume_writing(self) -> None:
        """Go on with what waited."""
        super().resume_writing()
        self._cancel_stall()
        self._mark_busy()
        if self._unparsed:
            self.loop.call_soon(self._feed)

    def send_400_response(self, msg: str) -> None:
        """Answer what can't be answered as it is, and close once the client has had time to read that."""
        status, code, message = self._refusal = self._refusal or (400, "bad-request", "this is no HTTP request")
        body = msgspec.json.encode({"error": {"code": code, "message": message, "details": None}})
        head = (
            b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n"
            b"x-content-type-options: nosniff\r\n\r\n" % len(body)
        )
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.flush()
        if self.transport.can_write_eof():
            # the client sees the end at once; what it still sends is taken, or it would lose the answer
            self.transport.write_eof()
        self._unparsed = b""
        self._due(LINGER_SECONDS)

    def _due(self, seconds: float | None) -> None:
        """Expect something within so many seconds, or nothing any more."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._is_late)

    def _is_late(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self._refusal is not None:
            self.transport.close()
        elif self._in_headers or self._is_in_body():
            self._refusal = (408, "too-slow", "the request did not come in time")
            self.send_400_response("")
        else:
            self.transport.close()

    def _cancel_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
