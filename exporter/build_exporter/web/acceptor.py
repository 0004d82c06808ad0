"""Accept connections as the limiter admits them, without a busy loop where the system is out of descriptors."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from build_exporter.web.connections import ConnectionLimiter
from build_exporter.web.http import HttpProtocol

if TYPE_CHECKING:
    import ssl

log = logging.getLogger(__name__)

BACKLOG: Final = 128
AT_ONCE: Final = 32
"""Connections accepted before anything else gets its turn."""
HANDSHAKE_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 0.5
_BUSY: Final = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_OUT: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Acceptor:
    """Accepts the connections of one listening socket."""

    def __init__(
        self,
        listening: socket.socket,
        limiter: ConnectionLimiter,
        make: Callable[[str], HttpProtocol],
        tls: Callable[[], ssl.SSLContext | None],
    ) -> None:
        """Begin to accept; `make` returns the protocol of a connection from a peer, `tls` the context of the moment."""
        self._listening = listening
        self._limiter = limiter
        self._make = make
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._warned = False
        listening.setblocking(False)
        listening.listen(BACKLOG)
        self._loop.add_reader(listening.fileno(), self._accept)

    def close(self) -> None:
        """Accept no more."""
        if self._listening.fileno() >= 0:
            self._loop.remove_reader(self._listening.fileno())
        self._listening.close()
        for task in self._tasks:
            task.cancel()

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._on_error(error)
                return
            connection.setblocking(False)
            peer = str(address[0]) if address else ""
            protocol = self._make(peer)
            if not self._limiter.enter(protocol):
                self._refuse(connection)
                continue
            task = self._loop.create_task(self._connect(connection, protocol))
            protocol.abandon = task.cancel
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _refuse(self, connection: socket.socket) -> None:
        if self._tls() is None:
            with contextlib.suppress(OSError):
                connection.send(_BUSY)
        connection.close()

    def _on_error(self, error: OSError) -> None:
        if error.errno not in _OUT:
            return
        # what waits in the kernel is accepted once there is room
        self._loop.remove_reader(self._listening.fileno())
        self._loop.call_later(RETRY_SECONDS, self._resume)
        self._limiter.make_room()
        if not self._warned:
            self._warned = True
            log.warning("connections can't be accepted for now", extra={"error": error.strerror})

    def _resume(self) -> None:
        if self._listening.fileno() >= 0:
            self._loop.add_reader(self._listening.fileno(), self._accept)

    async def _connect(self, connection: socket.socket, protocol: HttpProtocol) -> None:
        tls = self._tls()
        try:
            await self._loop.connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=tls,
                ssl_handshake_timeout=HANDSHAKE_SECONDS if tls is not None else None,
            )
        except (OSError, asyncio.CancelledError) as error:
            self._limiter.leave(protocol)
            connection.close()
            if isinstance(error, asyncio.CancelledError):
                raise
