"""Clients that take nothing, or send much ahead: each has its time and its share of memory, and a failure is answered.

Connections are pairs of sockets with small buffers: what the client leaves waits in the exporter.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import tracemalloc
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from build_exporter.web import http
from build_exporter.web.connections import ConnectionLimiter, Shared
from build_exporter.web.messages import App, Request, Response
from build_exporter.web.stream import websocket

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n["
UNREAD = b"x" * 40_000
"""More than the socket takes, less than the transport asks its protocol to pause for."""


@contextlib.asynccontextmanager
async def connected(protocol: asyncio.Protocol) -> AsyncIterator[tuple[socket.socket, asyncio.Transport]]:
    """Connect a client to a protocol; yield its socket and the other side's transport."""
    client, server = socket.socketpair()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    client.setblocking(False)
    transport, _ = await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, server)
    assert isinstance(transport, asyncio.Transport)
    with contextlib.closing(client):
        yield client, transport
    transport.abort()
    await asyncio.sleep(0)


def of_http(app: App) -> tuple[http.HttpProtocol, ConnectionLimiter]:
    """Return a protocol for one connection and the limiter that has let it in."""
    limiter = ConnectionLimiter()
    protocol = http.HttpProtocol(Shared(app, limiter), "127.0.0.1")
    assert limiter.enter(protocol)
    return protocol, limiter


async def until(is_so: Callable[[], object]) -> None:
    """Wait for what comes."""
    async with asyncio.timeout(30):
        while not is_so():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("way", ["asked to close", "sends no more", "idle for long", "the exporter ends"])
def test_the_rest_of_an_answer_that_nobody_takes_is_given_up(way: str) -> None:
    """A closing connection whose client takes nothing ends after `STALL_SECONDS`, and can make room before."""

    async def leave() -> None:
        protocol, limiter = of_http(lambda _: Response(UNREAD))
        loop = asyncio.get_running_loop()
        async with connected(protocol) as (client, transport):
            await loop.sock_sendall(
                client, GET.replace(b"x\r\n", b"x\r\nConnection: close\r\n") if "ask" in way else GET
            )
            await until(transport.get_write_buffer_size)
            now = loop.time()
            if way == "sends no more":
                client.shutdown(socket.SHUT_WR)
            elif way == "idle for long":
                protocol.check(now + http.KEEP_ALIVE_SECONDS + 1)
            elif way == "the exporter ends":
                protocol.end()
            await until(transport.is_closing)
            protocol.check(now + http.STALL_SECONDS - 1)
            await asyncio.sleep(0.01)
            assert len(limiter) == 1
            protocol.check(now + http.STALL_SECONDS + 20)
            await until(lambda: not len(limiter))

    asyncio.run(leave())


def test_a_closing_connection_makes_room() -> None:
    """Connections that wait for clients to take the rest of an answer keep no new one out."""

    async def evict() -> None:
        protocol, limiter = of_http(lambda _: asyncio.sleep(0, Response(UNREAD, headers={"connection": "close"})))
        async with connected(protocol) as (client, transport):
            await asyncio.get_running_loop().sock_sendall(client, GET)
            await until(transport.is_closing)
            assert transport.get_write_buffer_size()
            assert limiter.make_room()

    asyncio.run(evict())


@pytest.mark.parametrize("is_told", [True, False], ids=["by a close frame", "by the end of the connection"])
def test_a_websocket_that_leaves_and_takes_nothing_ends(monkeypatch: pytest.MonkeyPatch, *, is_told: bool) -> None:
    """A client of the stream that says goodbye and does not read what was sent loses its place soon."""
    monkeypatch.setattr(websocket, "ABORT_SECONDS", 0.05)
    headers = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    key = (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==")

    async def leave() -> None:
        request = Request("GET", b"/", headers=[*((k.encode(), v.encode()) for k, v in headers.items()), key])
        connection = websocket.Connection(request)
        assert connection.refusal is None
        async with connected(connection) as (client, transport):
            connection.connect(transport).transport.write(UNREAD)
            if is_told:
                await asyncio.get_running_loop().sock_sendall(client, b"\x88\x82\0\0\0\0\x03\xe8")
            else:
                client.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(30):
                await connection.lost.wait()

    asyncio.run(leave())


def test_requests_that_wait_have_a_limit_in_bytes() -> None:
    """Behind a slow request large ones are left unread beyond 64 KiB, small ones are not; all are answered at last."""

    async def pipeline(size: int) -> int:
        slow = asyncio.Event()

        async def app(request: Request) -> Response:
            await slow.wait()
            return Response(b"%d" % len(request.query))

        protocol, _ = of_http(app)
        async with connected(protocol) as (client, _):
            loop = asyncio.get_running_loop()
            requests = b"GET /?%b HTTP/1.1\r\nHost: x\r\n\r\n" % (b"ab&" * (size // 3)) * 6
            sending = asyncio.create_task(loop.sock_sendall(client, requests))
            for _ in range(20):
                await asyncio.sleep(0.005)
            taken = sum(type(each) is Request for each in gc.get_objects())
            slow.set()
            answers = b""
            while answers.count(b"HTTP/1.1 200 ") < 6 or not answers.endswith(b"\r\n%d" % (size // 3)):
                answers += await loop.sock_recv(client, 65536)
            await sending
        return taken

    gc.collect()
    assert asyncio.run(asyncio.wait_for(pipeline(300), 30)) == 6
    gc.collect()
    # one in hand, and those with which 64 KiB are passed
    assert asyncio.run(asyncio.wait_for(pipeline(30_000), 30)) <= 4


def test_a_long_query_is_taken_apart_when_it_is_asked_for() -> None:
    """A request of 32 KiB takes little more before anybody reads its parameters, whose credential may be wrong."""
    tracemalloc.start()
    try:
        request = Request("GET", b"/", b"ab&" * 10_000)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    assert len(request.query) == 10_000


@pytest.mark.parametrize("sent", [POST, GET + POST], ids=["its own body", "the body of the next"])
@pytest.mark.parametrize("is_late", [True, False])
def test_an_error_before_the_end_of_a_body_is_answered(sent: bytes, *, is_late: bool) -> None:
    """A handler that fails while a client still sends is answered 500; the connection is not just closed."""

    def app(_: Request) -> Any:
        if not is_late:
            raise RuntimeError

        async def fail() -> Response:
            await asyncio.sleep(0.02)
            raise RuntimeError

        return fail()

    async def ask() -> bytes:
        protocol, _ = of_http(app)
        answer = b""
        async with connected(protocol) as (client, _):
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(client, sent)
            while part := await loop.sock_recv(client, 65536):
                answer += part
        return answer

    answer = asyncio.run(asyncio.wait_for(ask(), 30))
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert answer.count(b"HTTP/1.1") == 1
