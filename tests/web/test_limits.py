"""Limits of connections: slow, idle, greedy and broken clients cost little, and everybody else is served."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from build_exporter.web import http
from build_exporter.web.connections import ConnectionLimiter, Shared
from build_exporter.web.messages import Request, Response
from build_exporter.web.rate import Allowance

Serve = Callable[..., Any]
BODY = b"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n["
CHUNKED = b"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
GET = b"GET /-/ready HTTP/1.1\r\nHost: localhost\r\n\r\n"


@contextlib.contextmanager
def connections(port: int, count: int, send: bytes = b"") -> Iterator[list[socket.socket]]:
    """Open so many connections and send the beginning of something on each."""
    opened: list[socket.socket] = []
    try:
        for _ in range(count):
            opened.append(socket.create_connection(("127.0.0.1", port), timeout=20))
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


@pytest.fixture(scope="module")
def served(serve_all: Serve) -> Any:
    """One exporter for clients that others do not notice."""
    return serve_all("--no-collector.cpu")


@pytest.mark.usefixtures("many_files")
@pytest.mark.parametrize(
    "send",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: ",
        BODY,
        b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n" + BODY,
    ],
    ids=["silent", "half a header", "half a body", "half a body behind an answer"],
)
def test_idle_connections_are_in_nobodys_way(served: Any, send: bytes) -> None:
    """With 1,100 connections that say nothing, or never finish, a scrape is answered at once all the same."""
    with connections(served.port, 1100, send):
        began = time.monotonic()
        assert served.get("/-/healthy")[0] == 200
        assert served.get("/metrics")[0] == 200
        assert time.monotonic() - began < 5
        assert served.value("process_open_fds") < 1100


def test_bodies_that_do_not_end_are_bounded_together(serve: Serve, poll: Callable[..., None]) -> None:
    """Clients that leave large bodies open are told to come again; small bodies go on, and a left one is no error."""
    served = serve("--no-collector.cpu")
    head = b"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\n"
    with connections(served.port, 9, head) as clients:
        for client in clients:
            with contextlib.suppress(ConnectionError):
                client.sendall(b" " * 9_000_000)
        poll(lambda: len(select.select(clients, [], [], 0)[0]) == 2, what="two are told to come again")
        assert [each.recv(12) for each in select.select(clients, [], [], 0)[0]] == [b"HTTP/1.1 503"] * 2
        small = b"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]"
        assert ask(served.port, small)[0] == 200
    large = head[:-2] + b"Connection: close\r\n\r\n" + b" " * 9_999_998 + b"[]"
    poll(lambda: ask(served.port, large)[0] == 200, what="there is room again")
    assert "Traceback" not in served.log.read_text()


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
        (b"GET /" + b"a" * 33_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "too-long"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 33_000 + b"\r\n\r\n", 431, "too-large"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 2000 + b"\r\n", 431, "too-large"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 3_000_000, 431, "too-large"),
        (CHUNKED + b"2\r\n[]\r\n0\r\nA: " + b"a" * 60_000, 431, "too-large"),
        (b"NONSENSE\r\n\r\n", 400, "bad-request"),
        (b"BREW /pot HTTP/1.1\r\nHost: localhost\r\n\r\n", 501, "not-implemented"),
        (b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n", 501, "not-implemented"),
        (b"PROPFIND / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405, "method-not-allowed"),
        (b"\x16\x03\x01\x02\x00\x01\x00 HTTP/1.1\r\n\r\n", 400, "bad-request"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n", 400, "two-hosts"),
    ],
    ids=[
        "address",
        "one header",
        "many headers",
        "a header without end",
        "a trailer without end",
        "nonsense",
        "unknown",
        "proxy",
        "WebDAV",
        "TLS",
        "two hosts",
    ],
)
def test_requests_beyond_the_limits_are_told_so(served: Any, request_: bytes, status: int, code: str) -> None:
    """Address and headers have 32 KiB, and what is no request is answered in the one form that errors have."""
    got, body = ask(served.port, request_)
    assert (got, json.loads(body)["error"]["code"]) == (status, code)
    inside = b"GET /-/ready?" + b"a" * 32_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nB: " + b"b" * 32_000
    assert ask(served.port, inside + b"\r\n\r\n")[0] == 200


def test_a_client_that_sends_all_its_body_first_learns_that_it_is_too_large(served: Any) -> None:
    """The answer reaches whoever reads it only after 30 MB, as many libraries do: the connection is not cut before."""
    status, answer = ask(served.port, BODY.replace(b"100000", b"30000000") + b" " * 29_999_999)
    assert (status, json.loads(answer)["error"]["code"]) == (413, "too-large")


def test_a_refused_client_that_stays_does_not_hold_up_the_end(serve: Serve) -> None:
    """What is read on after a refusal has its time when the exporter ends too: it ends before it gives up waiting."""
    served = serve("--no-collector.cpu")
    with connections(served.port, 1, BODY.replace(b"100000", b"99999999")) as (client,):
        assert client.recv(65536).startswith(b"HTTP/1.1 413 ")
        assert served.stop() == 0
    assert "ended before everything was answered" not in served.log.read_text()


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


def test_pipelined_requests_are_answered_in_their_order(served: Any) -> None:
    """A client that sends many requests at once and reads gets an answer to each."""
    with connections(served.port, 1) as (client,):
        paths = [b"/-/ready", b"/nothing", b"/-/healthy"] * 100
        client.sendall(b"".join(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path for path in paths[:-1]))
        client.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b""
        while data := client.recv(65536):
            answer += data
    statuses = re.findall(rb"HTTP/1\.1 (\d+)", answer)
    assert statuses == [b"200", b"404", b"200"] * 100


def test_slow_headers_have_their_time(served: Any) -> None:
    """A request whose headers do not come is answered 408 and closed; a silent connection is just closed."""
    began = time.monotonic()
    with connections(served.port, 1) as (silent,), connections(served.port, 1, b"GET / HTTP/1.1\r\nHo") as (half,):
        assert half.recv(65536).startswith(b"HTTP/1.1 408 ")
        assert silent.recv(65536) == b""
    assert 5 < time.monotonic() - began < 19


def test_one_address_asks_no_oftener_than_it_may(serve: Serve, tmp_path: Path) -> None:
    """With `max_requests_per_second` further requests are answered 429, health is not, and a reload lifts the limit."""
    config = tmp_path / "config.yml"
    config.write_text("web: {max_requests_per_second: 1}\n")
    served = serve("--config", str(config))
    with connections(served.port, 1) as (client,):
        ask_all = b"GET /-/reload HTTP/1.1\r\nHost: localhost\r\n\r\n" * 4
        client.sendall(ask_all + GET * 3 + b"GET /-/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b""
        while data := client.recv(65536):
            answer += data
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"405", b"429", b"429", b"429"] + [b"200"] * 4
    assert answer.count(b"retry-after: 1\r\n") == 3
    assert b'"code":"too-many-requests"' in answer
    config.write_text("")
    served.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 30
    while [served.get("/metrics")[0] for _ in range(5)] != [200] * 5:
        assert time.monotonic() < end


def test_what_an_address_may_ask_comes_back_with_time() -> None:
    """A rate of two a second: two at once, then one each half second; another address has its own."""
    now = 100.0
    allowance = Allowance(lambda: now)
    assert [allowance.wait("a", 2) for _ in range(3)] == [0.0, 0.0, 0.5]
    assert allowance.wait("b", 2) == 0.0
    now = 100.25
    assert allowance.wait("a", 2) == 0.25
    now = 100.5
    assert [allowance.wait("a", 2) for _ in range(2)] == [0.0, 0.5]
    now = 200.0
    assert [allowance.wait("a", 2) for _ in range(3)] == [0.0, 0.0, 0.5]


@pytest.fixture
def hurried(serve: Serve) -> Callable[..., Any]:
    """Start an exporter whose patience with clients is a fraction of a second."""
    program = Path(__file__).with_name("hurried.py")
    return lambda *flags, **options: serve(*flags, program=(sys.executable, str(program)), **options)


def test_what_a_client_leaves_undone_ends(hurried: Serve, poll: Callable[..., None]) -> None:
    """A body that does not come is answered 408; an answer that nobody takes and a silent connection are closed."""
    served = hurried()
    head = b"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n[{"
    with connections(served.port, 1, head) as (body,), connections(served.port, 1) as (silent,):
        assert body.recv(65536).startswith(b"HTTP/1.1 408 ")
        assert silent.recv(65536) == b""
    with contextlib.closing(socket.socket()) as greedy:
        # a small window, so that what is not read fills the sender's buffers soon
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.settimeout(30)
        greedy.connect(("127.0.0.1", served.port))
        greedy.setblocking(False)
        request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                greedy.send(request * 100)
            except BlockingIOError:
                time.sleep(0.01)
            except ConnectionError:
                break
        else:
            pytest.fail("the answers that nobody reads keep the connection")
    assert served.get("/-/healthy")[0] == 200


def test_a_handshake_that_does_not_end_is_given_up(
    hurried: Serve, certificate: Callable[[str], Path], tmp_path: Path
) -> None:
    """A client that connects over TLS and says nothing is let go of, and others are served meanwhile."""
    cert, key = certificate("slow") / "cert.pem", tmp_path / "key.pem"
    web = tmp_path / "web.yml"
    web.write_text(f"tls_server_config: {{cert_file: {cert}, key_file: {key}}}\n")
    served = hurried("--web.config.file", str(web), trust=cert)
    with connections(served.port, 1) as (silent,), connections(served.port, 1, b"\x16\x03\x01\x02\x00") as (half,):
        assert served.get("/-/healthy")[0] == 200
        for each in (silent, half):
            with contextlib.suppress(ConnectionResetError):
                assert each.recv(65536) == b""


@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"], ids=["not read on", "not asked for"])
@pytest.mark.parametrize("is_finished", [True, False])
def test_time_in_which_an_upload_is_kept_waiting_does_not_count(
    monkeypatch: pytest.MonkeyPatch, expect: bytes, *, is_finished: bool
) -> None:
    """An upload behind a slow request has its whole time once that is answered; one that then stops is answered 408."""
    monkeypatch.setattr(http, "BODY_SECONDS", 0.3)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%bContent-Length: 200000\r\n\r\n" % expect

    async def upload() -> bytes:
        is_slow_done = asyncio.Event()

        async def app(request: Request) -> Response:
            if request.method == "GET":
                await is_slow_done.wait()
                return Response(b"slow")
            return Response(b"%d bytes" % sum([len(part) async for part in request.body]))

        loop = asyncio.get_running_loop()
        protocol = http.HttpProtocol(Shared(app, ConnectionLimiter()), "127.0.0.1")
        client, server = socket.socketpair()
        client.setblocking(False)
        await loop.connect_accepted_socket(lambda: protocol, server)
        await loop.sock_sendall(client, GET + head)
        if not expect:
            await loop.sock_sendall(client, b"a" * 100_000)
            await asyncio.sleep(0.05)
            await loop.sock_sendall(client, b"a" * 50_000)
        for _ in range(6):
            await asyncio.sleep(0.1)
            protocol.check(loop.time())
        is_slow_done.set()
        if is_finished:
            await asyncio.sleep(0.1)
            protocol.check(loop.time())
            await loop.sock_sendall(client, b"a" * (200_000 if expect else 50_000))
        else:
            await asyncio.sleep(0.4)
            protocol.check(loop.time())
        answer = b""
        with contextlib.closing(client):
            while part := await loop.sock_recv(client, 65536):
                answer += part
        protocol.evict()
        await asyncio.sleep(0)
        return answer

    answer = asyncio.run(asyncio.wait_for(upload(), 30))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"slow" in answer
    assert (b"200000 bytes" in answer, b"HTTP/1.1 408 " in answer) == (is_finished, not is_finished)


@pytest.mark.parametrize("is_reading", [True, False])
def test_a_slow_line_takes_a_large_answer_bit_by_bit(monkeypatch: pytest.MonkeyPatch, *, is_reading: bool) -> None:
    """An answer of megabytes takes what time it needs as long as some of it is taken; one left alone is given up."""
    monkeypatch.setattr(http, "STALL_SECONDS", 0.05)
    size = 3_000_000

    async def take() -> int:
        loop = asyncio.get_running_loop()
        app = lambda request: Response(b"x" * size)  # noqa: E731
        protocol = http.HttpProtocol(Shared(app, ConnectionLimiter()), "127.0.0.1")
        client, server = socket.socketpair()
        client.setblocking(False)
        await loop.connect_accepted_socket(lambda: protocol, server)
        await loop.sock_sendall(client, GET)
        answer = bytearray()
        with contextlib.closing(client), contextlib.suppress(ConnectionResetError):
            for _ in range(4):
                answer += await loop.sock_recv(client, 500_000 if is_reading else 1)
                await asyncio.sleep(0.06)
                protocol.check(loop.time())
            while len(answer) < size and (part := await loop.sock_recv(client, 500_000)):
                answer += part
        protocol.evict()
        await asyncio.sleep(0)
        return len(answer)

    assert (asyncio.run(asyncio.wait_for(take(), 30)) > size) == is_reading
