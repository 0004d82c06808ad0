"""Running the application on sockets opened here, ended by the caller."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Final

from build_exporter.ticks import until_tick
from build_exporter.web.acceptor import BACKLOG, Acceptor
from build_exporter.web.connections import ConnectionLimiter, Shared
from build_exporter.web.http import HttpProtocol
from build_exporter.web.messages import App

log = logging.getLogger(__name__)

SELDOM_SECONDS: Final = 60.0
SWEEP_SECONDS: Final = 1.0
MEASURE_SWEEPS: Final = 5
"""Of so many looks at the connections one counts the descriptors that are left."""
GRACE_SECONDS: Final = 3.0
END_SECONDS: Final = 0.05
"""Between looks at whether everything is answered."""


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


class Server:
    """Serves an application on sockets until the command ends it.

    Attributes:
        limiter: the connections.
    """

    def __init__(self, app: App, tls: Callable[[], ssl.SSLContext | None]) -> None:
        self.limiter = ConnectionLimiter()
        self._shared = Shared(app, self.limiter)
        self._tls = tls
        self._ended = asyncio.Event()
        self._sweeper: asyncio.TimerHandle | None = None
        self._sweeps = 0

    @property
    def is_secure(self) -> bool:
        """Whether new connections speak TLS."""
        return self._tls() is not None

    async def serve(self, sockets: Sequence[socket.socket]) -> None:
        """Serve on listening sockets until `end`; then finish what is being answered, within some seconds."""
        acceptors = [Acceptor(each, self.limiter, self._connection, self._tls) for each in sockets]
        try:
            await self._ended.wait()
        finally:
            for acceptor in acceptors:
                acceptor.close()
        for connection in list(self.limiter):
            connection.end()
        try:
            async with asyncio.timeout(GRACE_SECONDS):
                while len(self.limiter) or self._shared.tasks:
                    await asyncio.sleep(END_SECONDS)
        except TimeoutError:
            log.warning("ended before everything was answered", extra={"requests": len(self._shared.tasks)})
        finally:
            if self._sweeper is not None:
                self._sweeper.cancel()

    def end(self) -> None:
        """Finish what is being answered and return from `serve`."""
        self._ended.set()

    def _connection(self, peer: str) -> HttpProtocol:
        if self._sweeper is None:
            self._sweep()
        return HttpProtocol(self._shared, peer)

    def _sweep(self) -> None:
        """End connections that have not done in time what they must; while there is any, and with a look at the rest.

        A timer for each of them would cost more than the requests; without connections nothing wakes up.
        """
        loop = asyncio.get_running_loop()
        if self._sweeps % MEASURE_SWEEPS == 0:
            self.limiter.measure()
        self._sweeps += 1
        is_over = self._sweeper is not None and not len(self.limiter)
        self._sweeper = None if is_over else loop.call_later(until_tick(SWEEP_SECONDS), self._sweep)
        if is_over:
            self._sweeps = 0
        for connection in list(self.limiter):
            try:
                connection.check(loop.time())
            except Exception:
                # those behind it have their times too
                log.warning("failed to check a connection", exc_info=True)


def no_tls() -> ssl.SSLContext | None:
    """Return no context: plain HTTP."""
    return None


def make_server(app: App, tls: Callable[[], ssl.SSLContext | None] = no_tls) -> Server:
    """Return a server for the application; `tls` returns the context of a new connection, None for plain HTTP."""
    for name in (__name__, "build_exporter.web.http", "websockets.server"):
        logging.getLogger(name).addFilter(_Seldom())
    return Server(app, tls)
