"""Running the application: uvicorn on sockets opened here, ended by the caller."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, cast

import uvicorn
from starlette.types import ASGIApp

from build_exporter.ticks import until_tick
from build_exporter.web.acceptor import BACKLOG, Acceptor
from build_exporter.web.connections import ConnectionLimiter
from build_exporter.web.http import HttpProtocol

SELDOM_SECONDS: Final = 60.0
MEASURE_BEATS: Final = 5
"""Seconds between looks at how many descriptors are left."""


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
            (host, port), family=socket.AF_INET6 if both else family, backlog=BACKLOG, dualstack_ipv6=both
        )
        # connections inherit it; asyncio sets it only on sockets made with the protocol named, which these are not,
        # and an answer's body would wait 40 ms for its head's acknowledgement
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened
    except (OSError, UnicodeError) as error:
        # a name that can't be one is a UnicodeError
        raise AddressError(f"cannot listen on {text}: {getattr(error, 'strerror', None) or error}") from error


def check_only_local(sockets: Sequence[socket.socket]) -> None:
    """Check that all sockets listen on loopback.

    Raises:
        AddressError: one does not; the text says what to do.
    """
    for each in sockets:
        if not ipaddress.ip_address(each.getsockname()[0]).is_loopback:
            raise AddressError(
                f"{format_address(each)} can be reached by others, and nobody is asked for a credential: name users, "
                "tokens or clients' certificates in --web.config.file, or say --web.allow-anonymous"
            )


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


class _Seldom(logging.Filter):
    """Lets each warning through once a minute: whoever sends nonsense must not fill the log."""

    def __init__(self) -> None:
        super().__init__()
        self._logged: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is to be written."""
        if record.levelno > logging.WARNING:
            return True
        now = time.monotonic()
        if now - self._logged.get(str(record.msg), -SELDOM_SECONDS) < SELDOM_SECONDS:
            return False
        self._logged[str(record.msg)] = now
        return True


class Server(uvicorn.Server):
    """uvicorn with its own way of accepting, and without its signal handling: the command decides when it ends.

    Attributes:
        limiter: the connections.
    """

    def __init__(self, config: uvicorn.Config, tls: Callable[[], ssl.SSLContext | None]) -> None:
        super().__init__(config)
        self.limiter = ConnectionLimiter()
        self._tls = tls
        self._ended = asyncio.Event()

    @property
    def is_secure(self) -> bool:
        """Whether new connections speak TLS."""
        return self._tls() is not None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept on sockets that are open."""
        self.limiter.measure()
        # what uvicorn has here are asyncio's servers, of which it needs no more than to close them
        self.servers = cast("Any", [Acceptor(each, self.limiter, self._protocol, self._tls) for each in sockets or ()])
        self.started = True

    def _protocol(self, peer: str) -> HttpProtocol:
        return HttpProtocol(
            config=self.config, server_state=self.server_state, app_state={}, limiter=self.limiter, peer=peer
        )

    async def main_loop(self) -> None:
        """Check on the server once a second; uvicorn's ten times are a third of what an idle exporter does."""
        beats = 0
        while not await self.on_tick(0):
            beats += 1
            if beats % MEASURE_BEATS == 0:
                self.limiter.measure()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(until_tick(1.0)):
                    await self._ended.wait()

    def end(self) -> None:
        """Finish what is being answered and return from `serve`."""
        self.should_exit = True
        self._ended.set()


def no_tls() -> ssl.SSLContext | None:
    """Return no context: plain HTTP."""
    return None


def make_server(app: ASGIApp, tls: Callable[[], ssl.SSLContext | None] = no_tls) -> Server:
    """Return a server for the application; `tls` returns the context of a new connection, None for plain HTTP."""
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
    )
    config.load()
    config.ws_protocol_class = cast("Any", _connection)
    logging.getLogger("uvicorn.error").addFilter(_Seldom())
    return Server(config, tls)


def _connection(**named: Any) -> asyncio.Protocol:
    """Return the protocol of a WebSocket; its libraries are loaded with the first."""
    from build_exporter.web.stream.websocket import Connection  # noqa: PLC0415

    return Connection(**named)
