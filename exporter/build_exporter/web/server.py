"""Running the application: uvicorn on sockets opened here, ended by the caller."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp


class AddressError(ValueError):
    """An address to listen on that can't be: its text says which and why."""


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`, `[IPV6]:PORT` or `:PORT`, which is every address.

    Raises:
        AddressError: it is none of these.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise AddressError(f"{text!r} is no address to listen on: HOST:PORT is, such as 127.0.0.1:10110")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise AddressError(f"{text!r} is no address to listen on: an IPv6 address goes in brackets, [::1]:{port}")
    return host.strip("[]"), int(port)


def open_sockets(addresses: Sequence[str]) -> list[socket.socket]:
    """Return listening sockets, one an address.

    Raises:
        AddressError: an address is malformed, unknown, or taken.
    """
    opened: list[socket.socket] = []
    try:
        opened.extend(_open(text, *parse_address(text)) for text in addresses)
    except BaseException:
        for each in opened:
            each.close()
        raise
    return opened


def _open(text: str, host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        both = not host and socket.has_dualstack_ipv6()
        opened = socket.create_server(
            (host, port), family=socket.AF_INET6 if both else family, backlog=128, dualstack_ipv6=both
        )
        # connections inherit it; asyncio sets it only on sockets made with the protocol named, which these are not,
        # and an answer's body would wait 40 ms for its head's acknowledgement
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened
    except (OSError, UnicodeError) as error:
        # a name that can't be one is a UnicodeError
        raise AddressError(f"cannot listen on {text}: {getattr(error, 'strerror', None) or error}") from error


def format_address(opened: socket.socket) -> str:
    """Return the address a socket listens on as `HOST:PORT` or `[IPV6]:PORT`."""
    host, port, *_ = opened.getsockname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def page_address(opened: socket.socket, *, secure: bool) -> str:
    """Return the address of the page on a listening socket as people may type it."""
    host, port, *_ = opened.getsockname()
    if host in ("127.0.0.1", "::1"):
        host = "localhost"
    elif host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not listened on
        host = socket.gethostname()
    host = f"[{host}]" if ":" in host else host
    return f"{'https' if secure else 'http'}://{host}:{port}"


class Server(uvicorn.Server):
    """uvicorn without its own signal handling: the command that started it decides when it ends."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ended = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def main_loop(self) -> None:
        """Look after the server once a second; uvicorn's ten times are a third of what an idle exporter does."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._ended.wait()

    def end(self) -> None:
        """Finish what is being answered and return from `serve`."""
        self.should_exit = True
        self._ended.set()


def make_server(app: ASGIApp, tls: ssl.SSLContext | None = None) -> Server:
    """Return a server for the application, one that speaks TLS where a context is given."""
    config = uvicorn.Config(
        app,
        http="httptools",
        loop="asyncio",
        ws="none",
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=3,
        limit_concurrency=1000,
    )
    config.load()
    config.ws_protocol_class = cast("Any", _connection)
    config.ssl = tls
    return Server(config)


def _connection(**named: Any) -> asyncio.Protocol:
    """Return the protocol of a WebSocket; its libraries are loaded with the first."""
    from build_exporter.web.stream.websocket import Connection  # noqa: PLC0415

    return Connection(**named)
