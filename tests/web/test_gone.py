"""Clients that go at the worst moment: nothing of them is left, and nobody else notices."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import cast

import pytest

from build_exporter.web import http
from build_exporter.web.connections import Connection, ConnectionLimiter, Shared
from build_exporter.web.messages import Response
from build_exporter.web.server import Server, no_tls

HALF = b"GET / HTTP/1.1\r\nHo"
NOT_SENT = b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"


@pytest.mark.parametrize("request_", [HALF, NOT_SENT], ids=["too slow", "answered before its body"])
def test_a_client_that_goes_as_it_is_answered_is_no_error(request_: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """The last answer to a client that has just gone, which its system answers by a reset, is no exception."""

    async def answer() -> bool:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            client = socket.create_connection(listening.getsockname())
            server = listening.accept()[0]
        protocol = http.HttpProtocol(Shared(lambda _: Response(b"x"), ConnectionLimiter()), "127.0.0.1")
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, server)
        cast("asyncio.ReadTransport", transport).pause_reading()
        client.close()
        protocol.data_received(request_)
        protocol.check(loop.time() + 60)
        protocol.check(loop.time() + 120)
        is_closing = transport.is_closing()
        await asyncio.sleep(0.01)
        return is_closing

    assert asyncio.run(answer())
    assert not [each for each in caplog.records if each.exc_info]


def test_trouble_with_one_connection_leaves_the_others_their_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong as one connection is checked, a silent one behind it is closed in its time."""
    monkeypatch.setattr(http, "HEADER_SECONDS", 0.1)

    class Broken:
        peer, looks = "", 0

        def check(self, now: float) -> None:
            self.looks += 1
            raise OSError

    def broken_first(limiter: ConnectionLimiter) -> Iterator[Connection]:
        return iter(sorted(limiter._open, key=lambda each: not isinstance(each, Broken)))

    monkeypatch.setattr(ConnectionLimiter, "__iter__", broken_first)

    async def looks() -> int:
        broken, server = Broken(), Server(lambda _: Response(), no_tls)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            address = listening.getsockname()
            serving = asyncio.create_task(server.serve([listening]))
            await asyncio.sleep(0)
            server.limiter.enter(cast("Connection", broken))
            with socket.create_connection(address):
                while len(server.limiter) < 2:
                    await asyncio.sleep(0.05)
                while len(server.limiter) > 1:
                    await asyncio.sleep(0.05)
            server.limiter.leave(cast("Connection", broken))
            server.end()
            await serving
        return broken.looks

    assert asyncio.run(asyncio.wait_for(looks(), 30)) >= 1
