"""What pages of other sites may do through a visitor's browser: nothing. Asked of the whole application."""

from __future__ import annotations

import itertools
import socket
from typing import Any

import pytest

METHODS = {"POST": 200, "PUT": 200, "PATCH": 405, "DELETE": 405, "MADE-UP": 405}


@pytest.mark.parametrize(
    ("origin", "is_refused"),
    [
        ("http://evil.example", True), ("https://localhost:1234.evil.example", True),
        ("http://evillocalhost:1234", True), ("http://localhost", True), ("http://localhost:1", True),
        ("ftp://localhost:1234", True), ("localhost:1234", True), ("null", True), ("http://localhost:1234", False),
        ("HTTPS://LOCALHOST:1234", False), ("", False),
    ],
)  # fmt: skip
def test_pages_of_other_sites_change_nothing(site: Any, origin: str, is_refused: bool) -> None:
    """Whatever method a foreign page uses is refused before the path is looked at; reading is left to browsers."""
    headers = {"host": "LocalHost:1234"} | ({"origin": origin} if origin else {})
    for method, allowed in METHODS.items():
        status, _, body = site.get("/-/reload", method=method, **headers)
        assert status == (403 if is_refused else allowed), method
        assert is_refused == (b'"cross-origin","message":"requests of other sites' in body)
    assert [site.get("/", method=reading, **headers)[0] for reading in ("GET", "HEAD")] == [200, 200]


@pytest.mark.parametrize(
    ("sent", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)]
)
def test_a_browser_that_names_no_origin_says_whose_page_asks(site: Any, sent: str, status: int) -> None:
    """Forms without an Origin are judged by Sec-Fetch-Site; a neighbouring site is another site."""
    assert site.get("/-/reload", method="POST", sec_fetch_site=sent)[0] == status


@pytest.mark.parametrize(
    ("host", "is_refused"),
    [
        ("evil.example", True), ("evil.example:10110", True), ("localhost.evil.example", True),
        ("127.0.0.1.evil.example", True), ("evillocalhost", True), ("evilbuilds.example", True),
        ("[evil.example]", True), ("builds.example:443", False), ("localhost:10110", False), ("LOCALHOST.", False),
        ("builder.localhost", False), ("127.0.0.1:10110", False), ("192.168.1.5", False), ("[::1]:10110", False),
        ("", False), (socket.gethostname(), False), (socket.gethostname().upper(), False), ("machine.lan", False),
        ("machine", False), ("lan", True),
    ],
)  # fmt: skip
def test_a_name_made_to_point_here_reads_nothing(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, host: str, is_refused: bool
) -> None:
    """Over loopback, of either protocol, only this machine's and the configured names are answered (DNS rebinding)."""
    if host.endswith(("lan", "machine")):
        monkeypatch.setattr(socket, "gethostname", lambda: "Machine.lan")
    site = request.getfixturevalue("site")
    site.service.hosts = ("Builds.example",)
    for server, path in itertools.product(("127.0.0.1", "127.0.0.53", "::1", "::ffff:127.0.0.1"), ("/", "/metrics")):
        status, _, body = site.get(path, server=server, host=host)
        assert (status, b'"misdirected"' in body) == ((421, True) if is_refused else (200, False)), server
    assert site.get("/-/healthy", host=host)[0] == 200
    assert site.get("/-/reload", method="POST", host=host)[0] == (421 if is_refused else 200)


@pytest.mark.parametrize("server", ["192.168.1.5", "2001:db8::1", "::ffff:10.0.0.1", ""])
def test_beyond_loopback_any_name_is_right(site: Any, server: str) -> None:
    """On a network address, and on a socket without one, the machine has names that it does not know itself."""
    assert site.get("/metrics", server=server, host="builder.lan")[0] == 200


def test_what_is_allowed_is_taken_whole(site: Any) -> None:
    """A program's own request passes both guards with its body, and one that names two hosts is refused."""
    line = b'{"time":1.7e9,"event":"note","build":"b","message":"x"}'
    for headers, builds in (({"origin": "http://evil.example"}, []), ({"host": "evil.example"}, []), ({}, ["b"])):
        site.get("/api/v1/events", method="POST", body=line, **headers)
        site.monitor.poll()
        assert list(site.monitor.tracker.builds) == builds
    status, _, body = site.get("/", host="localhost", Host="localhost")
    assert (status, b'"two-hosts"' in body) == (400, True)


def test_pages_of_other_sites_open_no_stream(site: Any) -> None:
    """Browsers let any page open a WebSocket, so a foreign one is refused before it is accepted."""
    for origin, status in (("http://evil.example", 403), ("http://localhost", 426)):
        assert site.get("/api/v1/stream", is_upgrade=True, origin=origin)[0] == status
