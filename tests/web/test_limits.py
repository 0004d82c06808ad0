"""The door: slow, idle, greedy and broken clients cost little, and everybody else is served."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Serve = Callable[..., Any]
GET = b"GET /-/ready HTTP/1.1\r\nHost: localhost\r\n\r\n"


@contextlib.contextmanager
def connections(port: int, count: int, send: bytes = b"") -> Iterator[list[socket.socket]]:
    """Open so many connections and send the beginning of something on each."""
    opened: list[socket.socket] = []
    try:
        for _ in range(count):
            opened.append(socket.create_connection(("127.0.0.1", port), timeout=10))
            opened[-1].sendall(send)
        yield opened
    finally:
        for each in opened:
            each.close()


@pytest.fixture
def many_files() -> Iterator[None]:
    """Let the test itself open many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def ask(port: int, request: bytes) -> tuple[int, bytes]:
    """Send a request and return status and body; the answer must be one the parser of a client takes."""
    with socket.create_connection(("127.0.0.1", port), timeout=15) as connection:
        connection.sendall(request)
        answer = b""
        while data := connection.recv(65536):
            answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


@pytest.mark.usefixtures("many_files")
@pytest.mark.parametrize("send", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX: "], ids=["silent", "half a header"])
def test_idle_connections_are_in_nobodys_way(serve: Serve, send: bytes) -> None:
    """With 1,100 connections that say nothing, or never finish, a scrape is answered at once all the same."""
    served = serve()
    with connections(served.port, 1100, send):
        began = time.monotonic()
        assert served.get("/-/healthy")[0] == 200
        assert served.get("/metrics")[0] == 200
        assert time.monotonic() - began < 5
        assert served.value("process_open_fds") < 1100


@pytest.mark.usefixtures("many_files")
def test_few_descriptors_are_kept_for_what_matters(serve: Serve, poll: Callable[..., None], tmp_path: Path) -> None:
    """With 256 descriptors and 400 clients the exporter reads its journal, answers, and neither spins nor logs on."""
    served = serve(prefix=("prlimit", "--nofile=256:256"))
    with connections(served.port, 400):
        began, used = time.monotonic(), cpu_seconds(served.process.pid)
        for number in range(5):
            run = tmp_path / "journal" / f"b{number}" / "20260101T000000Z.jsonl"
            run.parent.mkdir(parents=True)
            run.write_text(json.dumps({"time": 1.78e9, "event": "build_started", "build": f"b{number}"}) + "\n")
        poll(lambda: served.value("build_state", state="running") == 5, what="the builds are read")
        elapsed = time.monotonic() - began
        assert cpu_seconds(served.process.pid) - used < 0.6 * elapsed + 1.0
    assert served.log.stat().st_size < 10_000
    assert served.get("/metrics")[0] == 200


def cpu_seconds(pid: int) -> float:
    """Return the CPU time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "too-long"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 9000 + b"\r\n\r\n", 431, "too-large"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 2000 + b"\r\n", 431, "too-large"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 3_000_000 + b"\r\n\r\n", 431, "too-large"),
        (b"NONSENSE\r\n\r\n", 400, "bad-request"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n", 400, "two-hosts"),
    ],
    ids=["address", "one header", "many headers", "huge header", "nonsense", "two hosts"],
)
def test_requests_beyond_the_limits_are_told_so(serve: Serve, request_: bytes, status: int, code: str) -> None:
    """Address and headers have 8 KiB, and what is no request is answered in the one form that errors have."""
    served = serve("--no-collector.cpu")
    got, body = ask(served.port, request_)
    assert (got, json.loads(body)["error"]["code"]) == (status, code)
    inside = b"GET /-/ready?" + b"a" * 8000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nB: " + b"b" * 8000
    assert ask(served.port, inside + b"\r\n\r\n")[0] == 200


def test_a_flood_of_nonsense_is_a_line_in_the_log(serve: Serve) -> None:
    """However many broken requests there are, the log has one line of them a minute."""
    served = serve()
    for _ in range(50):
        ask(served.port, b"NONSENSE\r\n\r\n")
    assert served.log.read_text().count("Invalid HTTP request") == 1


def test_answers_wait_for_their_reader(serve: Serve, run_file: Callable[..., Any]) -> None:
    """100,000 requests sent at once by a client that reads nothing take next to no memory; read, all are answered."""
    run_file("lfs").step("p", "s")
    served = serve()
    before = served.value("process_resident_memory_bytes")
    request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connections(served.port, 1) as (client,):
        client.setblocking(False)
        sent, end = 0, time.monotonic() + 5
        block = request * 1000
        while time.monotonic() < end and sent < 100_000 * len(request):
            try:
                sent += client.send(block)
            except BlockingIOError:
                time.sleep(0.01)
                if sent > 2_000_000:
                    break
        assert served.value("process_resident_memory_bytes") - before < 30e6
        assert served.get("/-/healthy")[0] == 200


def test_pipelined_requests_are_answered_in_their_order(serve: Serve) -> None:
    """A client that sends many requests at once and reads gets an answer to each."""
    served = serve()
    with connections(served.port, 1) as (client,):
        paths = [b"/-/ready", b"/nothing", b"/-/healthy"] * 100
        client.sendall(b"".join(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path for path in paths[:-1]))
        client.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b""
        while data := client.recv(65536):
            answer += data
    statuses = re.findall(rb"HTTP/1\.1 (\d+)", answer)
    assert statuses == [b"200", b"404", b"200"] * 100


def test_slow_headers_have_their_time(serve: Serve) -> None:
    """A request whose headers do not come is answered 408 and closed; a silent connection is just closed."""
    served = serve()
    began = time.monotonic()
    with connections(served.port, 1) as (silent,), connections(served.port, 1, b"GET / HTTP/1.1\r\nHo") as (half,):
        for each in (silent, half):
            each.settimeout(20)
        assert half.recv(65536).startswith(b"HTTP/1.1 408 ")
        assert silent.recv(65536) == b""
    assert 5 < time.monotonic() - began < 19


def test_a_body_may_come_slowly_but_not_for_ever() -> None:
    """The time a body has is bounded, as is that of headers and of an answer that nobody takes."""
    from build_exporter.web import accept, http  # noqa: PLC0415

    assert http.HEADER_SECONDS <= 15
    assert http.BODY_SECONDS <= 60
    assert http.STALL_SECONDS <= 60
    assert accept.HANDSHAKE_SECONDS <= 15
