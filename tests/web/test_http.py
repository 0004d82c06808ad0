"""The HTTP face as a client meets it: methods, forms, compression, errors, other sites."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text_format

Serve = Callable[..., Any]


@pytest.fixture(scope="module")
def served(serve_all: Serve) -> Any:
    """One exporter for the tests that leave it as it is."""
    return serve_all()


def test_both_formats_with_their_content_types(served: Any) -> None:
    """Content type and body are those of the format that was asked for."""
    _, headers, body = served.get("/metrics")
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert list(text_format(body.decode()))
    _, headers, body = served.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert body.endswith(b"# EOF\n")
    assert list(openmetrics(body.decode()))


def test_head_is_get_without_the_body(served: Any) -> None:
    """Each page answers HEAD with the same head, and nothing after it, so that the connection stays in step."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    for path in ("/", "/metrics", "/-/healthy", "/-/ready"):
        connection.request("HEAD", path)
        answer = connection.getresponse()
        assert answer.status == 200
        assert int(answer.headers["content-length"]) > 0
        assert answer.read() == b""
        connection.request("GET", path)
        other = connection.getresponse()
        assert other.headers["content-type"] == answer.headers["content-type"]
        assert other.read()
    connection.close()


def test_a_scrape_is_compressed_for_those_who_take_it(served: Any) -> None:
    """With gzip a scrape is the same and a tenth of the size; the answer names for caches what it depends on."""
    _, headers, plain = served.get("/metrics")
    assert "content-encoding" not in headers
    _, headers, packed = served.get("/metrics", Accept_Encoding="gzip")
    assert headers["content-encoding"] == "gzip"
    assert {part.strip() for part in headers["vary"].split(",")} == {"Accept", "Accept-Encoding"}
    assert len(packed) < len(plain) / 4
    names = [{family.name for family in text_format(body.decode())} for body in (plain, gzip.decompress(packed))]
    assert names[0] == names[1]
    assert "content-encoding" not in served.get("/metrics", Accept_Encoding="gzip;q=0")[1]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not-found"),
        ("GET", "/metrics/more", 404, "not-found"),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", 404, "not-found"),
        ("POST", "/nothing", 404, "not-found"),
        ("POST", "/metrics", 405, "method-not-allowed"),
        ("DELETE", "/", 405, "method-not-allowed"),
        ("GET", "/-/reload", 405, "method-not-allowed"),
        ("PATCH", "/-/ready", 405, "method-not-allowed"),
    ],
)
def test_errors_have_one_form(served: Any, method: str, path: str, status: int, code: str) -> None:
    """Whatever is wrong with a request, the answer is JSON with code and message; 405 says what would be allowed."""
    got, headers, body = served.get(path, method)
    assert got == status
    assert headers["content-type"] == "application/json"
    reported = json.loads(body)
    assert set(reported) == {"error"}
    assert set(reported["error"]) == {"code", "message", "details"}
    assert reported["error"]["code"] == code
    assert reported["error"]["message"]
    assert (status == 405) == ("allow" in headers)


def test_unknown_paths_make_no_series(served: Any) -> None:
    """Whoever tries a thousand paths makes one series of them, and requests are counted by handler and status."""
    served.get("/guess")
    guesses = served.value("build_exporter_http_requests_total", handler="other", code="404")
    # counted after a scrape: the first one of an exporter makes series of its own handler
    before = served.value("build_exporter_series")
    for number in range(300):
        served.get(f"/guess-{number}")
    assert served.value("build_exporter_http_requests_total", handler="other", code="404") == guesses + 300
    assert served.value("build_exporter_series") < before + 10
    scrapes = served.value("build_exporter_http_requests_total", handler="/metrics", code="200")
    assert served.value("build_exporter_http_requests_total", handler="/metrics", code="200") == scrapes + 1


def test_what_guards_against_other_sites_is_in_place(serve: Serve, tmp_path: Path) -> None:
    """The running exporter refuses foreign pages and foreign names; those of a proxy are configured."""
    config = tmp_path / "config.yml"
    config.write_text("web:\n  hosts: [Builds.example]\n")
    served = serve("--config", str(config))
    for method in ("POST", "PUT"):
        assert served.get("/-/reload", method, Origin="http://evil.example")[0] == 403
        assert served.get("/-/reload", method, Origin=served.url)[0] == 200
    hosts = ("evil.example", "builds.example:443", f"localhost:{served.port}")
    assert [served.get("/", Host=host)[0] for host in hosts] == [421, 200, 200]


def test_every_answer_tells_browsers_to_take_it_as_it_is(served: Any) -> None:
    """No answer, an error neither, may be taken for another type or shown in another site's frame."""
    for path in ("/", "/metrics", "/-/ready", "/nothing"):
        headers = served.get(path)[1]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in served.get("/")[1]["content-security-policy"]


def raw(port: int, request: bytes) -> bytes:
    """Send bytes and return everything that comes back before the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while data := connection.recv(65536):
            answer += data
    return answer


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\nx",
        b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"",
    ],
    ids=["TLS", "version", "bytes", "header", "path", "length", "chunks", "nothing"],
)
def test_what_is_no_request_hurts_nobody(served: Any, request_: bytes) -> None:
    """Other protocols, absurd sizes and broken requests are answered or dropped, and the next client is served."""
    answer = raw(served.port, request_)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 ")
    assert served.get("/metrics")[0] == 200
    assert served.process.poll() is None


WS = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
EXPECTING = b"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
LAST = b"GET /-/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "body", "statuses"),
    [
        (b"POST /api/v1/events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", b"2\r\n[]\r\n0\r\n\r\n" + LAST, [200, 200]),
        (b"POST /nothing HTTP/1.1\r\nContent-Length: 5\r\n", b"GET /" + LAST, [404, 200]),
        (b"GET /-/ready HTTP/1.0\r\n", LAST, [200]),
        (b"GET http://localhost/-/ready?a=%20 HTTP/1.1\r\n", LAST, [200, 200]),
        (b"HEAD http://localhost HTTP/1.1\r\n", LAST, [200, 200]),
        (b"HEAD http://localhost?a=b HTTP/1.1\r\n", LAST, [200, 200]),
        (b"GET /-/ready HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n", LAST, [200, 200]),
        (b"GET /-/ready HTTP/1.1\r\n" + WS, LAST, [200]),
        (b"GET /api/v1/stream HTTP/1.1\r\n" + WS.replace(b"13", b"8"), LAST, [400]),
        (b"HEAD /api/v1/stream HTTP/1.1\r\nAccept: text/event-stream\r\n", LAST, [200, 200]),
        (b"HEAD /api/v1/stream HTTP/1.1\r\n" + WS, LAST, [426, 200]),
        (b"GET /api/v1/stream HTTP/1.1\r\n" + WS.partition(b"websocket\r\n")[2], LAST, [426, 200]),
        (b"OPTIONS * HTTP/1.1\r\n", LAST, [404, 200]),
        (b"POST /api/v1/events HTTP/1.1\r\nContent-Length: 2 \t\r\n", b"[]" + LAST, [200, 200]),
        (b"POST /nothing HTTP/1.1\r\nExpect: 100-continue \r\nContent-Length: 200\r\n", LAST, [404]),
    ],
)  # fmt: skip
def test_each_form_of_a_request_has_its_answer(served: Any, head: bytes, body: bytes, statuses: list[int]) -> None:
    """Bodies in parts or asked for, answers before the body, older HTTP and other protocols leave the rest in order."""
    answer = raw(served.port, head + b"Host: localhost\r\n\r\n" + body)
    assert [int(each) for each in re.findall(rb"HTTP/1\.1 (\d+) ", answer)] == statuses
    assert answer.count(b"connection: close\r\n") == 1


def test_a_client_that_waits_to_send_its_body_is_asked_for_it(served: Any) -> None:
    """`Expect: 100-continue`, as curl sends for a large body, is answered before the body comes."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as client:
        client.sendall(EXPECTING)
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"[]")
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_what_follows_a_body_is_no_header(served: Any) -> None:
    """Fields behind the last chunk of a body count for nothing, as a proxy that checks headers does not look there."""
    head = b"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
    origin = b"Origin: http://evil.example\r\n"
    for where, status in ((head + origin + b"\r\n0\r\n\r\n", 403), (head + b"\r\n0\r\n" + origin + b"\r\n", 200)):
        assert raw(served.port, where).startswith(b"HTTP/1.1 %d " % status)


def test_an_offer_of_http2_changes_nothing(served: Any) -> None:
    """Requests of Java's client, which offers to go on by HTTP/2, are answered as others are, bodies in pieces too."""
    event = b'{"time":1000,"event":"note","build":"offered","message":"m"}'
    offer = b"Host: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n"
    post = b"POST /api/v1/events HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n" % (offer, len(event))
    get = b"GET /-/healthy HTTP/1.1\r\n%b\r\n" % offer
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        whole = post + event
        for pieces, count in (((whole[:-9], whole[-9:]), 1), ((get,), 1), ((post, event), 1), ((whole + get,), 2)):
            for piece in pieces:
                connection.sendall(piece)
            answer = b""
            while len(re.findall(rb"healthy|\"accepted\":1", answer)) < count and (data := connection.recv(65536)):
                answer += data
            assert answer.count(b"HTTP/1.1 200 ") == count


def test_a_slash_too_many_leads_to_the_same_question(served: Any) -> None:
    """An address with a slash at its end is sent on to that without, with its parameters and what was escaped in it."""
    head = b"HEAD /api/v1/builds/a%2523b/?live=%26 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = raw(served.port, head)
    assert answer.startswith(b"HTTP/1.1 307 ")
    assert b"\r\nlocation: /api/v1/builds/a%2523b?live=%26\r\n" in answer


HEALTH = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n"
EVENT = b'{"time":1.78e9,"event":"of-another-version","build":"posted"}\n'
POST = b"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\n%b" + b"Content-Length: %d\r\n\r\n" % len(EVENT) + EVENT
CHUNKED = b"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: %b\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
WEBSOCKET = (
    b"GET /api/v1/stream HTTP/%b\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: %d\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.mark.parametrize(
    ("requests", "statuses"),
    [
        (HEALTH + b"BAD\1\r\n\r\n", [200, 400]),
        (POST % b"" + b"BAD\1\r\n\r\n" + HEALTH, [200, 400]),
        (HEALTH + CHUNKED % (b"chunked", len(EVENT) - 1, EVENT) + HEALTH, [200, 400]),
        (HEALTH + HEALTH[:-2] + b"A: " + b"a" * 33_000 + b"\r\n\r\n" + HEALTH, [200, 431]),
        (HEALTH * 20 + POST % b"", [200] * 21),
        (POST % b"" + POST % b"Connection: close\r\n" + HEALTH, [200, 200]),
        (CHUNKED % (b"gzip, chunked", len(EVENT), EVENT) + HEALTH, [501]),
        (POST % b"Expect: 100-continue\r\n", [200]),
        (b"GET /metrics HTTP/1.1\r\n\r\n" + HEALTH, [400]),
        (b"GET /metrics HTTP/1.0\r\n\r\n", [200]),
        (b"GET /metrics HTTP/2.0\r\nHost: localhost\r\n\r\n", [505]),
        (b"HEAD http://localhost HTTP/1.1\r\nHost: evil.example\r\n\r\n" + HEALTH, [200, 200]),
        (b"HEAD http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n" + HEALTH, [421, 200]),
        (HEALTH + WEBSOCKET % (b"1.1", 13), [200, 101]),
        (WEBSOCKET % (b"1.1", 12), [400]),
        (WEBSOCKET % (b"1.0", 13), [426]),
    ],
    ids=[
        "nonsense after a request",
        "nonsense after a body",
        "a broken body after a request",
        "a header too long after a request",
        "many",
        "after the last",
        "another coding",
        "expected, and sent at once",
        "no host",
        "no host in HTTP/1.0",
        "HTTP/2.0",
        "whole address",
        "whole address of another",
        "WebSocket after a request",
        "WebSocket of another version",
        "WebSocket in HTTP/1.0",
    ],
)
def test_each_request_on_a_connection_gets_its_own_answer(served: Any, requests: bytes, statuses: list[int]) -> None:
    """Sent at once, by a client that then sends no more, requests are answered in their order, up to a broken one."""
    answers = raw(served.port, requests)
    assert [int(each) for each in re.findall(rb"HTTP/1\.1 (\d{3}) (?!Continue)", answers)] == statuses
    assert (statuses[-1] == 400 and b"WebSocket" in requests) == (b"sec-websocket-version: 13\r\n" in answers)


def test_whoever_was_answered_leaves_nothing_behind(served: Any, poll: Callable[..., None]) -> None:
    """Connections of clients that go, with an answer, a refusal, half a request or in the middle, are all closed."""
    descriptors = Path(f"/proc/{served.process.pid}/fd")
    raw(served.port, POST % b"" + HEALTH)
    poll(lambda: b"posted" in served.get("/api/v1/builds")[2], what="the run's file is open")
    before = len(list(descriptors.iterdir()))
    half = (POST % b"")[:-5]
    sent = (HEALTH, HEALTH + b"BAD\1\r\n\r\n", POST % b"" + half, half, HEALTH[:9], CHUNKED % (b"chunked", 1, EVENT))
    for requests in sent * 3:
        raw(served.port, requests)
        with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
            connection.sendall(requests)
            if requests not in (half, HEALTH[:9]):
                connection.recv(65536)
    poll(lambda: len(list(descriptors.iterdir())) <= before, what="all are closed")
    assert "Traceback" not in served.log.read_text()


def test_metrics_may_be_elsewhere(serve: Serve) -> None:
    """Another path for metrics is linked from the page; where it is /, it takes the page's place."""
    served = serve("--web.telemetry-path", "/build/metrics")
    assert served.get("/metrics")[0] == 404
    assert b"build_exporter_build_info" in served.get("/build/metrics")[2]
    assert b'href="/build/metrics"' in served.get("/")[2]
    assert b"build_exporter_build_info" in serve("--web.telemetry-path", "/").get("/")[2]
