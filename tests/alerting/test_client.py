"""Servers that are slow, lie, or want credentials: the client's answer comes in time, and says what was wrong."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

import pytest

from build_exporter.alerting.client import Client, RefusedError, UnreachableError
from build_exporter.config.alerting import Alertmanager

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Server(ThreadingTCPServer):
    """A server that answers each connection by a function of the request's head."""

    daemon_threads = True
    allow_reuse_address = True
    heads: list[bytes]


@pytest.fixture
def server() -> Iterator[Callable[..., Server]]:
    """Start servers that answer with `reply(write)`, over TLS where a context is given."""
    started: list[Server] = []

    def start(reply: Callable[[Callable[[bytes], Any]], None], tls: ssl.SSLContext | None = None) -> Server:
        class Handler(StreamRequestHandler):
            def handle(self) -> None:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    line = self.rfile.readline()
                    if not line:
                        return
                    head += line
                made.heads.append(head)
                with contextlib.suppress(OSError):
                    reply(self.wfile.write)

        made = Server(("127.0.0.1", 0), Handler)
        made.heads = []
        if tls is not None:
            made.socket = tls.wrap_socket(made.socket, server_side=True)
        threading.Thread(target=made.serve_forever, daemon=True).start()
        started.append(made)
        return made

    yield start
    for each in started:
        each.shutdown()
        each.server_close()


def ask(made: Server, timeout: float = 2.0, scheme: str = "http", **settings: str) -> Any:
    """Ask a server once."""
    url = f"{scheme}://localhost:{made.server_address[1]}"
    return asyncio.run(Client(Alertmanager(url=url, **settings), timeout).ask("GET", "/api/v2/status"))


def drip(write: Callable[[bytes], Any]) -> None:
    """Answer a byte every tenth of a second."""
    for byte in OK * 100:
        write(bytes([byte]))
        time.sleep(0.1)


def test_a_server_that_drips_bytes_cannot_stretch_the_time(server: Callable[..., Server]) -> None:
    """The limit is of the whole exchange, not of each read."""
    made = server(drip)
    began = time.monotonic()
    with pytest.raises(UnreachableError, match="did not answer within"):
        ask(made, timeout=0.5)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", UnreachableError, "localhost"),
        (b"", UnreachableError, "localhost"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", UnreachableError, "localhost"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", UnreachableError, "answered 503"),
        (b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n", UnreachableError, "answered 429"),
        (b"HTTP/1.1 400 Bad\r\nContent-Length: 4\r\n\r\noops", RefusedError, "answered 400: oops"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n",
            RefusedError,
            "answered 302",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * (17 * 2**20),
            UnreachableError,
            "longer than 16777216 bytes",
        ),
    ],
)
def test_an_answer_that_is_none_is_an_error_of_its_kind(
    server: Callable[..., Server], reply: bytes, kind: type[Exception], words: str
) -> None:
    """Another try is worth it for what may pass; a refusal is final, and credentials follow no redirect."""
    with pytest.raises(kind, match=words):
        ask(server(lambda write: write(reply)))


def test_an_answer_without_json_is_none(server: Callable[..., Server]) -> None:
    """Alertmanager answers a taken alert with nothing."""
    assert ask(server(lambda write: write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))) is None


def test_a_server_is_asked_where_its_address_says(server: Callable[..., Server]) -> None:
    """With its path before what is asked; the clock of the answer is known; ports have their defaults."""
    dated = b"HTTP/1.1 204 No\r\nDate: Sun, 09 Sep 2001 01:46:40 GMT\r\n\r\n"
    made = server(lambda write: write(dated))
    client = Client(Alertmanager(url=f"http://localhost:{made.server_address[1]}/am/"))
    assert asyncio.run(client.send("GET", "/-/ready")).date == "Sun, 09 Sep 2001 01:46:40 GMT"
    assert made.heads[0].startswith(b"GET /am/-/ready HTTP/1.1\r\n")
    assert [Client(Alertmanager(url=f"{scheme}://h"))._port for scheme in ("http", "https")] == [80, 443]


def test_credentials_come_from_files_read_anew(server: Callable[..., Server], tmp_path: Path) -> None:
    """A password that was changed on disk counts at the next request."""
    made, file = server(lambda write: write(OK)), tmp_path / "password"
    for password in ("one", "two"):
        file.write_text(password + "\n")
        ask(made, username="ada", password_file=str(file))
        pair = base64.b64encode(f"ada:{password}".encode()).decode()
        assert f"Authorization: Basic {pair}".encode() in made.heads[-1]
    file.write_text("token")
    ask(made, credentials_file=str(file))
    assert b"Authorization: Bearer token" in made.heads[-1]
    with pytest.raises(UnreachableError, match="No such file"):
        ask(made, credentials_file=str(tmp_path / "gone"))


def test_tls_is_verified_by_the_authorities_given(server: Callable[..., Server], tmp_path: Path) -> None:
    """A certificate is accepted with its authority and refused without."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names)
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    tls = server(lambda write: write(OK), context)
    assert ask(tls, scheme="https", ca_file=str(certificate)) == {}
    with pytest.raises(UnreachableError, match="certificate verify failed"):
        ask(tls, scheme="https")
