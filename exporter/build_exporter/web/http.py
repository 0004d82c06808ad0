"""HTTP/1.1 of one connection: a parser in C, limits on size and time, and answers that wait for their reader."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any, Final, cast

import httptools

from build_exporter.web.connections import Shared
from build_exporter.web.errors import error
from build_exporter.web.messages import Response, Streamed, Upgraded, nothing
from build_exporter.web.wire import BODYLESS, Pending, Refused, head_of, reason_of, take_head

log = logging.getLogger(__name__)

MAX_URL_BYTES: Final = 32 * 1024
MAX_HEADER_BYTES: Final = 32 * 1024
"""Of all headers: the cookies of a single sign-on in front of the exporter take 8 KiB and more."""
_HEADER_COST: Final = 32  # beside its text, as HTTP/2 counts (RFC 9113, 6.5.2)
_TOO_LARGE: Final = (431, "too-large", f"headers have at most {MAX_HEADER_BYTES} bytes")
MAX_HELD_BYTES: Final = 64 * 1024
"""Of a body that its handler has not taken, and of all requests that wait behind one; more waits unread."""
HEADER_SECONDS: Final = 10.0
"""From a connection's opening, or a request's first byte, to the end of the headers."""
BODY_SECONDS: Final = 60.0
"""From the end of the headers to the end of the body, without the time in which it was not read or asked for."""
KEEP_ALIVE_SECONDS: Final = 75.0
"""For so long a connection may wait for its next request."""
STALL_SECONDS: Final = 30.0
"""For so long a client may take nothing of an answer."""
LINGER_SECONDS: Final = 1.0
"""For so long what a client still sends is read after the last answer, which it would lose otherwise."""
MAX_PIPELINED: Final = 8
"""Requests of one connection in hand; more wait unread."""
_SLICE: Final = 1024
"""Bytes that are parsed at a time between requests."""
_BODY_SLICE: Final = 16 * 1024
"""Bytes that are parsed at a time of a body whose end is not known: many requests may follow it."""


class HttpProtocol(asyncio.Protocol):
    """One connection."""

    def __init__(self, shared: Shared, peer: str) -> None:
        self.peer, self._shared = peer, shared
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        # what follows a request with `connection: close` is for nobody, and no reason to leave that unanswered
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._transport: asyncio.Transport = cast("Any", None)
        self._server = ("", 0)
        self._is_secure = False
        self._unparsed = b""
        self._refusal: bytes | None = None
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._size = self._unended = 0  # of all headers; of what the parser keeps and has reported nothing of
        self._in_headers = False
        self._left = 0
        self._newest: Pending | None = None
        self._waiting: deque[Pending] = deque()
        self._current: Pending | None = None
        self._stream: asyncio.Task[None] | None = None
        self._is_upgrade = self._is_held = self._is_ending = self._is_over = self._is_done = False
        self._due_at = self._stalled_at = inf
        self._held_at = 0.0
        self._writable: asyncio.Event | None = None
        self._untaken = 0
        self.abandon: Callable[[], object] | None = None
        """Callable that ends the connection during a TLS handshake."""

    # what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: the headers of a request are due."""
        self._transport = cast("asyncio.Transport", transport)
        name = transport.get_extra_info("sockname")
        self._server = (str(name[0]), int(name[1])) if isinstance(name, tuple) and len(name) >= 2 else ("", 0)
        self._is_secure = bool(transport.get_extra_info("sslcontext"))
        self._due(HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._due_at = self._stalled_at = inf
        self._shared.limiter.leave(self)
        self._unparsed = b""
        for each in (self._newest, self._current, *self._waiting):
            if each is not None and not each.body.is_whole:
                each.body.end(is_lost=True)
        if self._stream is not None:
            self._stream.cancel()
        self._waiting.clear()
        self.resume_writing()

    def data_received(self, data: bytes) -> None:
        """Parse what came, or leave it for later where too much is in hand."""
        if self._refusal is not None:
            return
        if self._due_at != inf and not (self._in_headers or self._is_in_body()):
            # what begins has its own time
            self._due_at = inf
        self._unparsed = self._unparsed + data if self._unparsed else data
        self._go_on()

    def eof_received(self) -> bool:
        """Answer what has come whole to a client that sends no more; one of a stream is taken to be gone."""
        self._is_over, self._due_at = True, inf
        if self._is_in_body():
            cast("Pending", self._newest).body.end(is_lost=True)
        in_hand = self._current is not None or bool(self._waiting)
        if in_hand and self._stream is None and not self._is_secure:
            return True
        self._close()
        return False

    def pause_writing(self) -> None:
        """Wait for the reader, but not for ever."""
        self._writable = asyncio.Event()
        self._await_reader()

    def resume_writing(self) -> None:
        """Go on with what waited."""
        if not self._transport.is_closing():
            # a connection that closes waits for its reader until the last byte
            self._stalled_at = inf
            self._mark_busy()
        if self._writable is not None:
            self._writable.set()
            self._writable = None
            self._loop.call_soon(self._go_on)

    # what the server calls

    def check(self, now: float) -> None:
        """End what has not come in its time; `now` is the loop's."""
        if now >= self._stalled_at:
            before, self._untaken = self._untaken, self._transport.get_write_buffer_size()
            self._stalled_at = now + STALL_SECONDS
            # a slow line takes a large answer bit by bit
            if self._untaken >= before:
                self.evict()
        elif now >= self._due_at and not self._is_held and not self._transport.is_closing():
            self._due_at = inf
            if self._refusal is None and (self._in_headers or self._is_in_body()):
                self._refuse(408, "too-slow", "the request did not come in time")
                self._go_on()
            else:
                self._close()

    def evict(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()
        elif self.abandon is not None:
            self.abandon()

    def end(self) -> None:
        """Close as soon as the request in hand is answered."""
        self._is_ending = True
        if self._current is None and self._transport is not None:
            self._close()

    # what the parser calls

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._url, self._headers, self._size, self._in_headers = b"", [], 0, True

    def on_url(self, url: bytes) -> None:
        """Take a part of the address."""
        self._unended = 0
        self._url += url
        if len(self._url) > MAX_URL_BYTES:
            raise Refused(414, "too-long", f"an address has at most {MAX_URL_BYTES} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._unended = 0
        self._size += len(name) + len(value) + _HEADER_COST
        if self._size > MAX_HEADER_BYTES:
            raise Refused(*_TOO_LARGE)
        if self._in_headers:
            # what follows a body in chunks is no header: whoever checked those in front has not seen it
            self._headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """Take a request in hand."""
        self._in_headers = False
        newest = take_head(self._parser, self._url, self._headers, self._ask_for_body)
        self._due(inf if newest.body.is_awaited else BODY_SECONDS)
        newest.request.peer, newest.request.server, newest.request.is_secure = self.peer, self._server, self._is_secure
        self._left, self._is_upgrade = newest.length, newest.request.is_upgrade
        newest.head_size, self._unended = len(self._url) + self._size, 0
        self._newest = newest
        self._waiting.append(newest)

    def on_body(self, part: bytes) -> None:
        """Take a part of the body."""
        assert self._newest is not None
        self._unended = 0
        self._left -= len(part)
        self._newest.body.add(part)

    def on_message_complete(self) -> None:
        """Note that the body is there."""
        assert self._newest is not None
        if self._newest.is_passed_over and self._left > 0:
            return
        self._due_at = inf
        self._newest.body.end()
        self._mark_busy()

    # how requests become answers

    def _go_on(self) -> None:
        """Parse what there is room for, and begin with the next request; one at a time, then others have their turn."""
        self._feed()
        self._begin()
        if self._is_closing() or self._current is not None:
            return
        if self._waiting or self._unparsed:
            if self._writable is None:
                self._loop.call_soon(self._go_on)
        elif self._refusal is not None:
            self._send_last(self._refusal)
        elif self._is_over:
            self._close()
        elif self._due_at == inf:
            self._due(HEADER_SECONDS if self._in_headers else KEEP_ALIVE_SECONDS)

    def _feed(self) -> None:
        while self._unparsed and self._refusal is None and not self._transport.is_closing():
            if self._is_full():
                self._hold(is_held=True)
                return
            size = (self._left if self._left > 0 else _BODY_SLICE) if self._is_in_body() else _SLICE
            piece, self._unparsed = self._unparsed[:size], self._unparsed[size:]
            if self._is_in_body() and cast("Pending", self._newest).is_passed_over:
                self.on_body(piece)
                self.on_message_complete()
                continue
            try:
                self._unended += len(piece)
                self._parser.feed_data(piece)
            except httptools.HttpParserUpgrade as upgrade:
                self._unparsed = piece[upgrade.args[0] :] + self._unparsed
            except httptools.HttpParserError as problem:
                log.warning("Invalid HTTP request received")
                self._refuse(*reason_of(problem, piece))
                return
            if self._unended > MAX_HEADER_BYTES:
                self._refuse(*_TOO_LARGE)
        self._hold(is_held=False)

    def _is_full(self) -> bool:
        is_body_full = self._newest is not None and self._newest.body.size > MAX_HELD_BYTES
        are_many = len(self._waiting) >= MAX_PIPELINED or sum(each.size for each in self._waiting) > MAX_HELD_BYTES
        return is_body_full or self._is_upgrade or are_many or self._writable is not None

    def _hold(self, *, is_held: bool) -> None:
        if is_held != self._is_held and not self._transport.is_closing():
            now = self._loop.time()
            if not is_held:
                self._due_at += now - self._held_at
            self._is_held, self._held_at = is_held, now
            (self._transport.pause_reading if is_held else self._transport.resume_reading)()

    def _is_in_body(self) -> bool:
        return not self._in_headers and self._newest is not None and not self._newest.body.is_whole

    def _mark_busy(self) -> None:
        # until its body is there a request waits for its client, as one does that has not begun
        if self._current is not None and self._current.body.is_whole:
            self._shared.limiter.is_busy(self)

    def _ask_for_body(self) -> None:
        """Read on for a handler that waits for its request's body."""
        if self._current is not None and self._current.body.is_awaited and not self._transport.is_closing():
            self._current.body.is_awaited = False
            self._due(BODY_SECONDS)
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._loop.call_soon(self._go_on)

    def _begin(self) -> None:
        """Answer the request that has waited longest, unless another is being answered."""
        if self._current is not None or not self._waiting or self._writable is not None or self._is_closing():
            return
        self._current = self._waiting.popleft()
        try:
            found = self._shared.app(self._current.request)
            if isinstance(found, Response):
                self._answer(found)
            else:
                self._mark_busy()
                self._shared.start(self._finish(found))
        except Exception:
            log.exception("answering a request failed")
            self._fail()

    def _is_closing(self) -> bool:
        return self._is_done or self._transport.is_closing()

    async def _finish(self, coming: Awaitable[Response]) -> None:
        try:
            self._answer(await coming)
        except Exception:
            log.exception("answering a request failed")
            self._fail()
        self._go_on()

    def _fail(self) -> None:
        self._refuse(500, "internal", "the exporter met an error it did not expect; its log has it")
        self._current = None
        self._waiting.clear()

    def _answer(self, found: Response) -> None:
        pending = self._current
        if pending is None or self._is_closing():
            if isinstance(found, Streamed):
                found.ended()
            return
        if isinstance(found, Upgraded):
            self._upgrade(found)
            return
        pending.keep_alive &= not (self._is_ending or pending.is_last or found.headers.get("connection") == "close")
        has_body = pending.request.method != "HEAD" and found.status not in BODYLESS
        if isinstance(found, Streamed):
            self._transport.write(head_of(found, pending, is_streamed=True))
            self._stream = self._shared.start(self._send_parts(found, pending, has_body=has_body))
            self._stream.add_done_callback(lambda _: found.ended())
            return
        self._transport.write(head_of(found, pending) + found.body if has_body else head_of(found, pending))
        self._complete(pending)

    async def _send_parts(self, found: Streamed, pending: Pending, *, has_body: bool) -> None:
        try:
            async for part in found.chunks if has_body else nothing():
                if self._transport.is_closing():
                    return
                self._transport.write(part if pending.is_old else b"%x\r\n%b\r\n" % (len(part), part))
                if self._writable is not None:
                    await self._writable.wait()
        except Exception:
            log.exception("an answer can't go on")
            self._close()
            return
        if has_body and not pending.is_old:
            self._transport.write(b"0\r\n\r\n")
        self._stream = None
        self._complete(pending)
        self._go_on()

    def _complete(self, pending: Pending) -> None:
        self._current = None
        pending.body.discard()
        if pending.keep_alive and not self._is_ending:
            self._shared.limiter.is_idle(self)
        elif pending.body.is_whole:
            self._close()
        else:
            self._refusal = self._unparsed = b""
            self._hold(is_held=False)
            self._send_last(b"")

    def _upgrade(self, found: Upgraded) -> None:
        """Hand the connection over; it is the stream's to count from here on."""
        self._due_at = inf
        self._shared.limiter.leave(self)
        protocol = found.connect(self._transport)
        self._transport.set_protocol(protocol)
        self._hold(is_held=False)
        self._shared.start(found.run())
        if self._unparsed:
            protocol.data_received(self._unparsed)

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Take nothing more; where what came before is answered, answer so and close."""
        answer = error(status, code, message)
        self._refusal = head_of(answer, None) + answer.body
        self._unparsed, self._due_at = b"", inf
        newest = self._newest
        if newest is not None and self._is_in_body():
            newest.body.end(is_lost=True)
            if self._waiting:
                self._waiting.pop()
            elif newest is not self._current:
                # it is answered already
                self._refusal = b""
            elif self._stream is None:
                self._current = None
        self._hold(is_held=False)

    def _send_last(self, data: bytes) -> None:
        self._is_done = True
        self._transport.write(data)
        if self._transport.can_write_eof():
            # the client sees the end at once, unless it has gone
            with contextlib.suppress(OSError):
                self._transport.write_eof()
        self._due(LINGER_SECONDS)

    def _close(self) -> None:
        """Close once the client has taken what was sent, for which it has its time."""
        self._await_reader()
        self._transport.close()

    def _await_reader(self) -> None:
        self._shared.limiter.is_idle(self)
        self._stalled_at, self._untaken = self._loop.time() + STALL_SECONDS, self._transport.get_write_buffer_size()

    def _due(self, seconds: float) -> None:
        """Expect something within so many seconds."""
        self._held_at = self._loop.time()
        self._due_at = self._held_at + seconds
