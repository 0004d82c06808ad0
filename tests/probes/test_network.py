"""Kinds tcp, http and dns: what answers, what does not, and servers that lie, drip, flood and send in circles."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from behaving import Behaviour, Listen, Once, answering, read_request
from ports import free_port

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
FLOOD = 100_000_000


def test_tcp_says_whether_something_accepts(once: Once, listen: Listen) -> None:
    """An open port is up with the time to it, a closed one is refused, a name without address unresolved."""
    up = once("tcp", f"localhost:{listen(lambda link: link.recv(1))}")
    assert (up.reason, sorted(up.phases)) == (None, ["connect", "resolve"])
    assert sum(up.phases.values()) <= up.seconds < 10
    assert once("tcp", f"127.0.0.1:{free_port()}").reason == "refused"
    assert once("tcp", "nowhere.invalid:80").reason == "unresolved"


def test_tcp_to_a_full_backlog_times_out(once: Once) -> None:
    """A server too busy to accept is down after the timeout, as a build would find it."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
        result = once("tcp", f"127.0.0.1:{server.getsockname()[1]}", timeout=0.3)
        for filler in fillers:
            filler.close()
    assert (result.reason, result.seconds) == ("timeout", 0.3)


def _drip(link: socket.socket) -> None:
    while True:
        link.sendall(b"H")
        time.sleep(0.02)


def _continue(link: socket.socket) -> None:
    read_request(link)
    while True:
        link.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.001)


@pytest.mark.parametrize(
    ("behave", "reason", "detail"),
    [
        (answering(OK), None, ""),
        (answering(b"HTTP/1.1 204 No Content\r\n\r\n"), None, ""),
        (answering(OK.replace(b"200", b"299")), None, ""),
        (answering(OK.replace(b"200", b"300")), "status", "status 300"),
        (answering(OK.replace(b"200", b"503")), "status", "status 503"),
        (answering(OK.replace(b"200", b"401")), "denied", "status 401"),
        (answering(OK.replace(b" 5", b" 6")), "protocol", "the answer ends early"),
        (answering(b"SSH-2.0-OpenSSH_9.2\r\n"), "protocol", "the answer is not HTTP, or ends early"),
        (answering(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200), "protocol", "the answer is not HTTP, or ends early"),
        (answering(b"HTTP/1.1 302 Found\r\nLocation: ftp://a/\r\n\r\n"), "redirects", "to an address that is not http"),
        (answering(b"HTTP/1.1 302 Found\r\nLocation: /\xff\xfe again\r\n\r\n"), "redirects", "more than 5"),
        (lambda link: link.recv(1), "protocol", ""),
        (lambda link: time.sleep(60), "timeout", ""),
        (_drip, "timeout", ""),
        (_continue, "timeout", ""),
    ],
)
def test_http_takes_a_right_answer_and_no_other(
    once: Once, listen: Listen, behave: Behaviour, reason: str | None, detail: str
) -> None:
    """Up means an answer of 2xx that is whole; hanging, dripping, lying or redirecting for ever has its reason."""
    result = once("http", f"http://127.0.0.1:{listen(behave)}/", timeout=0.5 if reason == "timeout" else 10.0)
    assert (result.reason, result.detail if detail else "") == (reason, detail)
    assert result.seconds < (0.6 if reason == "timeout" else 10)


def test_threads_of_woken_tries_end(once: Once, listen: Listen, poll: Callable[..., None]) -> None:
    """A server that drips for ever does not keep a thread of the exporter for ever."""
    assert once("http", f"http://127.0.0.1:{listen(_drip)}/", timeout=0.2).reason == "timeout"
    poll(lambda: not any(each.name == "probe a" for each in threading.enumerate()), what="the try's thread ends")


def test_an_answer_of_100_mb_is_not_read(once: Once, listen: Listen) -> None:
    """A huge answer is up after its first 64 KiB, and the rest is not fetched."""
    sent = 0

    def flood(link: socket.socket) -> None:
        nonlocal sent
        read_request(link)
        link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % FLOOD)
        while sent < FLOOD:
            sent += link.send(bytes(65536))

    assert once("http", f"http://127.0.0.1:{listen(flood)}/").reason is None
    assert sent < FLOOD / 4


def test_http_looks_for_the_text_and_the_status_that_are_wanted(once: Once, listen: Listen) -> None:
    """`contains` and `status` decide: a page of an outage that says 200 is down, a 404 that is expected is up."""
    url = f"http://127.0.0.1:{listen(answering(OK))}/"
    assert once("http", url, contains="hell").reason is None
    assert once("http", url, contains="bye").reason == "content"
    assert (once("http", url, status=(404,)).reason, once("http", url, status=(200, 404)).reason) == ("status", None)


def test_credentials_come_from_files_and_stay_with_their_server(once: Once, listen: Listen, tmp_path: Path) -> None:
    """The token reaches the server it is for; the one it redirects to does not get it; nothing shows it."""
    seen: list[bytes] = []

    def other(link: socket.socket) -> None:
        seen.append(read_request(link))
        link.sendall(OK)

    elsewhere = listen(other)

    def first(link: socket.socket) -> None:
        seen.append(read_request(link))
        link.sendall(b"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:%d/there\r\n\r\n" % elsewhere)

    (tmp_path / "token").write_text("geheim\n")
    result = once("http", f"http://127.0.0.1:{listen(first)}/", credentials_file=str(tmp_path / "token"))
    assert result.reason is None
    assert b"Authorization: Bearer geheim\r\n" in seen[0]
    assert seen[1].startswith(b"GET /there ")
    assert b"geheim" not in seen[1]
    assert "geheim" not in repr(result)
    lacking = once("http", f"http://127.0.0.1:{elsewhere}/", username="me", password_file=str(tmp_path / "none"))
    assert (lacking.reason, lacking.detail) == ("missing", "the file of the credential cannot be read")


def test_https_checks_the_certificate_and_says_when_it_ends(
    once: Once, listen: Listen, certificate: tuple[Path, Path]
) -> None:
    """A certificate that the authority signed is good and its end known; a stranger's or another host's is not."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)

    def behave(link: socket.socket) -> None:
        with context.wrap_socket(link, server_side=True) as secure:
            answering(OK)(secure)

    port = listen(behave)
    good = once("http", f"https://localhost:{port}/", ca_file=str(certificate[0]))
    assert (good.reason, good.figures["http_status"]) == (None, 200)
    assert abs(good.figures["certificate_expiry"] - (certificate[0].stat().st_mtime + 20 * 86400)) < 10
    assert {"tls", "answer"} <= good.phases.keys()
    assert once("http", f"https://localhost:{port}/").reason == "certificate"
    assert once("http", f"https://127.0.0.1:{port}/", ca_file=str(certificate[0])).reason == "certificate"
    assert once("http", f"https://localhost:{listen(lambda link: link.sendall(OK))}/").reason == "protocol"


def test_dns_by_the_system(once: Once) -> None:
    """A name with an address is up, one without is unresolved."""
    assert once("dns", "localhost").reason is None
    assert once("dns", "nowhere.invalid").reason == "unresolved"


def _answer_names(server: socket.socket) -> None:
    """Answer each question: `mirror.test` has an address, `broken.test` is an error, others are unknown."""
    message, rcode, rrset = (pytest.importorskip(f"dns.{name}") for name in ("message", "rcode", "rrset"))
    with contextlib.suppress(OSError):
        while True:
            data, client = server.recvfrom(4096)
            asked = message.from_wire(data)
            answer = message.make_response(asked)
            name = asked.question[0].name
            if str(name) == "mirror.test." and asked.question[0].rdtype == 1:
                answer.answer.append(rrset.from_text(name, 60, "IN", "A", "192.0.2.7"))
            elif str(name) == "broken.test.":
                answer.set_rcode(rcode.SERVFAIL)
            elif str(name) != "mirror.test.":
                answer.set_rcode(rcode.NXDOMAIN)
            server.sendto(answer.to_wire(), client)


def test_dns_by_a_server_of_choice(once: Once) -> None:
    """The server that is named is asked and no other: known, unknown, an error, and no answer at all."""
    pytest.importorskip("dns")
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        server.bind(("127.83.0.1", 53))
    except OSError:
        pytest.skip("port 53 is for root")
    with server:
        threading.Thread(target=_answer_names, args=(server,), daemon=True).start()
        names = ("mirror.test", "localhost", "broken.test")
        found = [once("dns", name, server="127.83.0.1", timeout=3.0).reason for name in names]
    assert found == [None, "unresolved", "protocol"]
    assert once("dns", "mirror.test", server="127.83.0.2", timeout=0.5).reason == "timeout"
