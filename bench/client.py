"""A scraper of one address: one request after the other on a connection kept alive, nothing parsed that need not be."""

from __future__ import annotations

import socket
import time
from types import TracebackType
from typing import Self

OPENMETRICS_GZIP = {
    "Accept": "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept-Encoding": "gzip",
}
"""What Prometheus sends."""


class Client:
    """Asks one address for one path. A server that ends the connection after an answer is connected to again."""

    def __init__(self, port: int, path: str = "/metrics", headers: dict[str, str] | None = None) -> None:
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *(f"{k}: {v}" for k, v in (headers or {}).items())]
        self._request = ("\r\n".join(lines) + "\r\n\r\n").encode()
        self._port = port
        self._data = bytearray()
        self._socket: socket.socket | None = self._connected()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def get(self) -> bytes:
        """Ask and return the body as sent, compressed or not.

        Raises:
            OSError: the answer is not a 200, or the connection ended within it.
        """
        if self._socket is None:
            self._socket = self._connected()
        self._data.clear()
        self._socket.sendall(self._request)
        while (end := self._data.find(b"\r\n\r\n")) < 0:
            self._receive_more()
        version, _, rest = bytes(self._data[: end + 2]).lower().partition(b" ")
        if not rest.startswith(b"200"):
            raise OSError(f"answered {rest[:60].decode()}")
        if b"transfer-encoding: chunked\r\n" in rest:
            return self._chunked(end + 4)
        found = rest.find(b"content-length:")
        if found >= 0:
            body = self._counted(end + 4, int(rest[found + 15 :].split(b"\r\n", 1)[0]))
        else:
            body = self._until_closed(end + 4)
        if version == b"http/1.0":
            self._close()
        return body

    def timed(self) -> tuple[float, bytes]:
        """Ask and return the seconds from request to the last byte of the answer, and the body."""
        began = time.perf_counter()
        body = self.get()
        return time.perf_counter() - began, body

    def _connected(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self._port), timeout=60)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _receive(self) -> bytes:
        assert self._socket is not None
        more = self._socket.recv(1 << 18)
        self._data += more
        return more

    def _receive_more(self) -> None:
        if not self._receive():
            raise OSError("the connection ended within an answer")

    def _counted(self, start: int, length: int) -> bytes:
        while len(self._data) < start + length:
            self._receive_more()
        return bytes(self._data[start:])

    def _until_closed(self, start: int) -> bytes:
        while self._receive():
            pass
        return bytes(self._data[start:])

    def _chunked(self, position: int) -> bytes:
        parts: list[bytes] = []
        while True:
            while (end := self._data.find(b"\r\n", position)) < 0:
                self._receive_more()
            size = int(self._data[position:end], 16)
            while len(self._data) < end + 4 + size:
                self._receive_more()
            if not size:
                return b"".join(parts)
            parts.append(bytes(self._data[end + 2 : end + 2 + size]))
            position = end + 4 + size


def series(body: bytes) -> int:
    """Return how many samples a text exposition holds."""
    return sum(1 for line in body.split(b"\n") if line and not line.startswith(b"#"))
