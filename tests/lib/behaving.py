"""Servers for tests that do with each connection what a function does, and what an HTTP server may do."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

from build_exporter.probes.state import Result

Once = Callable[..., Result]
Behaviour = Callable[[socket.socket], Any]
Listen = Callable[[Behaviour], int]


def listening(stack: contextlib.ExitStack, behave: Behaviour) -> int:
    """Start a server that hands each connection to a function, until the stack is closed; return its port."""
    server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

    def answer(link: socket.socket) -> None:
        with link, contextlib.suppress(OSError):
            behave(link)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    # a thread that waits in accept keeps the port open otherwise
    stack.callback(lambda: server.shutdown(socket.SHUT_RDWR))
    return int(server.getsockname()[1])


def answering(*parts: bytes) -> Behaviour:
    """Return what answers a request, its headers read, with these bytes."""

    def behave(link: socket.socket) -> None:
        read_request(link)
        for part in parts:
            link.sendall(part)

    return behave


def read_request(link: socket.socket) -> bytes:
    """Return a request up to the end of its headers."""
    request = b""
    while b"\r\n\r\n" not in request:
        part = link.recv(65536)
        if not part:
            return request
        request += part
    return request
