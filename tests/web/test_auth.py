"""TLS and users by the web configuration file Prometheus' exporters share."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import bcrypt
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from build_exporter.web.passwords import LEAST_ANSWER_SECONDS, Passwords

PASSWORD = "correct horse"


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _users(path: Path, password: str) -> Path:
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    path.write_text(f"basic_auth_users:\n  alice: {hashed}\nhttp_server_config:\n  headers:\n    X-Builder: one\n")
    return path


def test_only_a_user_with_the_password_gets_in(serve: Callable[..., Any], tmp_path: Path) -> None:
    """Metrics and page need the password, a service manager's health check does not, and refusals are counted."""
    served = serve("--web.config.file", str(_users(tmp_path / "web.yml", PASSWORD)))
    assert served.get("/metrics")[0] == 401
    refused = served.get("/")[1]
    assert "basic" in refused["www-authenticate"].lower()
    assert (refused["x-builder"], refused["x-content-type-options"]) == ("one", "nosniff")
    bare = "Basic " + base64.b64encode(b"alice").decode()
    for wrong in (_basic("alice", "wrong"), _basic("mallory", PASSWORD), "Basic !!!", "Bearer x", _basic("", ""), bare):
        assert served.get("/metrics", Authorization=wrong)[0] == 401
    status, headers, body = served.get("/metrics", Authorization=_basic("alice", PASSWORD))
    assert status == 200
    assert headers["x-builder"] == "one"
    assert b"build_exporter_auth_failures_total 8\n" in body
    assert served.get("/-/healthy")[0] == 200


def test_a_changed_password_holds_from_the_next_request(serve: Callable[..., Any], tmp_path: Path) -> None:
    """The file is read again when it changes; one that is wrong, cut or emptied changes nothing and is reported."""
    path = _users(tmp_path / "web.yml", PASSWORD)
    served = serve("--web.config.file", str(path))
    good = _basic("alice", "another")
    assert served.get("/metrics", Authorization=_basic("alice", PASSWORD))[0] == 200
    whole = _users(path, "another").read_text()
    assert served.get("/metrics", Authorization=_basic("alice", PASSWORD))[0] == 401
    assert served.get("/metrics", Authorization=good)[0] == 200
    for broken in ("basic_auth_user: {}\n", "", "{}", whole[:30], "basic_auth_users:\n  alice: secret\n", "\x00"):
        path.write_text(broken)
        assert served.get("/metrics")[0] == 401, broken
        status, _, body = served.get("/metrics", Authorization=good)
        assert status == 200
        assert b"build_exporter_config_last_reload_successful 0\n" in body
        assert served.get("/-/healthy")[0] == 200
    assert served.get("/-/reload", "POST", Authorization=good)[0] == 422
    path.unlink()
    assert served.get("/metrics")[0] == 401
    _users(path, "third")
    body = served.get("/metrics", Authorization=_basic("alice", "third"))[2]
    assert b"build_exporter_config_last_reload_successful 1\n" in body
    assert "web configuration not accepted" in served.log.read_text()


def test_a_request_has_one_credential(serve: Callable[..., Any], tmp_path: Path) -> None:
    """Two Authorization headers, of which a proxy and the exporter might each take another, are refused with 400."""
    served = serve("--web.config.file", str(_users(tmp_path / "web.yml", PASSWORD)))
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    connection.putrequest("GET", "/metrics")
    for password in ("wrong", PASSWORD):
        connection.putheader("Authorization", _basic("alice", password))
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()


def test_tokens_are_good_for_their_role(serve: Callable[..., Any], tmp_path: Path) -> None:
    """A token may do what its role says and nothing else, on the stream as well, and changes with its file."""
    names = {role: f"{role}-0123456789abcdef" for role in ("read", "ingest", "operate")}
    config = "bearer_tokens:\n"
    for role, token in names.items():
        (tmp_path / role).write_text(token + "\n")
        config += f"  - role: {role}\n    file: {role}\n"
    (tmp_path / "web.yml").write_text(config)
    served = serve("--web.config.file", str(tmp_path / "web.yml"))
    asked = {
        ("GET", "/metrics"): {"read", "operate"},
        ("GET", "/api/v1/builds"): {"read", "operate"},
        ("POST", "/api/v1/events"): {"ingest"},
        ("POST", "/api/v1/alerts"): {"ingest", "operate"},
        ("POST", "/-/reload"): {"operate"},
    }
    for (method, path), allowed in asked.items():
        assert served.get(path, method)[0] == 401
        assert served.get(path, method, Authorization="Bearer wrong")[0] == 401
        for role, token in names.items():
            status = served.get(path, method, Authorization=f"Bearer {token}")[0]
            assert (status == 403) == (role not in allowed), (method, path, role)
    address = f"ws://127.0.0.1:{served.port}/api/v1/stream"
    with connect(address, additional_headers={"Authorization": f"Bearer {names['read']}"}) as client:
        assert json.loads(client.recv(timeout=10))["type"] == "snapshot"
    for headers in ({}, {"Authorization": f"Bearer {names['ingest']}"}):
        with pytest.raises(InvalidStatus), connect(address, additional_headers=headers):
            pass
    (tmp_path / "read").write_text("another-0123456789")
    assert served.get("/metrics", Authorization=f"Bearer {names['read']}")[0] == 401
    assert served.get("/metrics", Authorization="Bearer another-0123456789")[0] == 200
    (tmp_path / "read").write_text("short")
    assert served.get("/metrics", Authorization="Bearer short")[0] == 401
    assert served.get("/metrics", Authorization="Bearer another-0123456789")[0] == 200


def test_a_pipe_in_place_of_a_file_holds_nobody_up(serve: Callable[..., Any], tmp_path: Path) -> None:
    """A web configuration, or a token, that is a FIFO would never be read to its end: the old one stays in force."""
    web, token = tmp_path / "web.yml", tmp_path / "token"
    token.write_text("token-0123456789")
    web.write_text(f"bearer_tokens:\n  - role: read\n    file: {token}\n")
    served = serve("--web.config.file", str(web))
    for path in (token, web):
        content = path.read_text()
        path.unlink()
        os.mkfifo(path)
        assert served.get("/metrics")[0] == 401
        body = served.get("/metrics", Authorization="Bearer token-0123456789")[2]
        assert b"build_exporter_config_last_reload_successful 0\n" in body
        path.unlink()
        path.write_text(content)
        body = served.get("/metrics", Authorization="Bearer token-0123456789")[2]
        assert b"build_exporter_config_last_reload_successful 1\n" in body


def test_a_pipe_in_place_of_the_configuration_is_refused(serve: Callable[..., Any], tmp_path: Path) -> None:
    """A reload does not wait for whoever might write to it."""
    config = tmp_path / "config.yml"
    config.write_text("")
    served = serve("--config", str(config))
    config.unlink()
    os.mkfifo(config)
    assert served.get("/-/reload", "POST")[0] == 422
    assert served.get("/-/healthy")[0] == 200


def test_guessing_holds_nobody_up_and_gets_slower(serve: Callable[..., Any], tmp_path: Path) -> None:
    """While wrong passwords of cost 11 pour in scrapes of a known user take no time, and guesses are soon put off."""
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(11)).decode()
    cheap = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (tmp_path / "web.yml").write_text(f"basic_auth_users:\n  alice: {hashed}\n  cheap: {cheap}\n")
    served = serve("--web.config.file", str(tmp_path / "web.yml"))
    good = _basic("alice", PASSWORD)
    assert served.get("/metrics", Authorization=good)[0] == 200

    def timed(authorization: str) -> tuple[float, int, dict[str, str]]:
        began = time.monotonic()
        status, headers, _ = served.get("/metrics", Authorization=authorization)
        return time.monotonic() - began, status, headers

    with ThreadPoolExecutor(12) as pool:
        guesses = [pool.submit(timed, _basic("alice", f"guess {number}")) for number in range(24)]
        scrapes = [timed(good) for _ in range(20)]
        answers = [guess.result() for guess in guesses]
    assert {status for _, status, _ in scrapes} == {200}
    assert {status for _, status, _ in answers} == {401, 429}
    assert median(took for took, _, _ in scrapes) < min(took for took, status, _ in answers if status == 401)
    assert all(int(headers["retry-after"]) >= 1 for _, status, headers in answers if status == 429)
    for user in ("cheap", "nobody"):
        took, status, _ = timed(_basic(user, "no"))
        assert status == 401
        assert took >= LEAST_ANSWER_SECONDS, user


@pytest.mark.parametrize("peers", [1, 8])
def test_guessers_with_new_names_do_not_lock_users_out(peers: int) -> None:
    """A first right login, from the guessers' address or another one, succeeds amid 120 tries with ever new names."""
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    users = dict.fromkeys(("alice", "bob", "carol", "dave", "eve"), hashed)

    async def flood(passwords: Passwords, first: int, same: str, other: str, guessed: str) -> None:
        async def tried(user: str, password: str, peer: str) -> bool:
            return await passwords.is_right(users, user, password.encode(), peer)

        guesses = [tried(f"new {first + number}", "guess", f"192.0.2.{number % peers}") for number in range(120)]
        logins = [tried(same, PASSWORD, "192.0.2.0"), tried(other, PASSWORD, "192.0.2.99")]
        known = (tried(guessed, "guess", "192.0.2.0"), *logins, tried("eve", "guess", "192.0.2.0"))
        answers = await asyncio.gather(*guesses, *known)  # all start before any ends
        assert answers == [False] * 121 + [True, True, False]

    async def run() -> None:
        passwords = Passwords()
        await flood(passwords, 0, "alice", "bob", guessed="bob" if peers == 1 else "frank")
        await flood(passwords, 120, "carol", "dave", guessed="dave")  # the guessers' addresses are put off by now

    asyncio.run(run())


def test_it_does_not_listen_to_everybody_unasked(
    command: Callable[..., Any], serve: Callable[..., Any], tmp_path: Path
) -> None:
    """Beyond loopback it takes credentials, or a flag that says that none are wanted."""
    done = command("serve", "--journal", str(tmp_path), "--web.listen-address", "0.0.0.0:0")
    assert done.returncode == 2
    assert "--web.allow-anonymous" in done.stderr
    for more in (["--web.allow-anonymous"], ["--web.config.file", str(_users(tmp_path / "web.yml", PASSWORD))]):
        assert serve("--web.listen-address", "0.0.0.0:0", *more).get("/-/healthy")[0] == 200


def test_tls_is_spoken_and_a_renewed_certificate_taken_up(
    serve: Callable[..., Any], certificate: Callable[[str], Path]
) -> None:
    """Clients that trust the certificate get in; after a renewal the next connection shows the new one."""
    directory = certificate("first")
    config = directory / "web.yml"
    config.write_text("tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n  min_version: TLS13\n")
    served = serve("--web.config.file", str(config), trust=directory / "cert.pem")
    trusting = ssl.create_default_context(cafile=str(directory / "cert.pem"))
    with urllib.request.urlopen(f"{served.url}/metrics", context=trusting, timeout=10) as answer:
        assert answer.status == 200
    with pytest.raises(urllib.error.URLError, match="certificate verify failed"):
        urllib.request.urlopen(f"{served.url}/metrics", context=ssl.create_default_context(), timeout=10)
    certificate("second")
    renewed = ssl.create_default_context(cafile=str(directory / "cert.pem"))
    with urllib.request.urlopen(f"{served.url}/metrics", context=renewed, timeout=10) as answer:
        assert answer.status == 200


def test_openssl_is_loaded_where_it_is_used(
    serve: Callable[..., Any],
    certificate: Callable[[str], Path],
    run_file: Callable[..., Any],
    poll: Callable[..., None],
    tmp_path: Path,
) -> None:
    """Asked over plain HTTP an exporter has none in memory; what is served, probed and sent by HTTPS works."""
    directory = certificate("later")
    (directory / "web.yml").write_text("tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n")
    started = {"program": (sys.executable, "-m", "build_exporter")}
    secure = serve("--web.config.file", str(directory / "web.yml"), trust=directory / "cert.pem", **started)
    assert secure.get("/metrics")[0] == 200
    config = tmp_path / "config.yml"
    config.write_text("{}\n")
    plain = serve("--config", str(config), **started)
    assert [plain.get(path)[0] for path in ("/metrics", "/", "/alerts", "/static/page.css")] == [200] * 4
    loaded = Path(f"/proc/{plain.process.pid}/maps")
    assert "libcrypto" not in loaded.read_text()
    trusted = f"https://localhost:{secure.port}, ca_file: {directory / 'cert.pem'}"
    config.write_text(
        f"alerting: {{alertmanagers: [{{url: {trusted}}}]}}\n"
        f"probes: [{{name: other, kind: http, target: {trusted}, interval: 1s, timeout: 1s}}]\n"
    )
    assert plain.get("/-/reload", "POST")[0] == 200
    run_file("lfs", clock=time.time()).step("p", "s", status="failed")
    poll(lambda: plain.value("build_probe_success", probe="other") == 1.0, what="the probe by HTTPS succeeds")
    # no Alertmanager, it has nothing under that path
    poll(lambda: plain.value("build_exporter_alert_posts_total", outcome="refused"), what="the alert arrives by HTTPS")
    assert "libcrypto" in loaded.read_text()


def test_tls_changes_hold_from_the_next_connection(
    serve: Callable[..., Any], certificate: Callable[[str], Path]
) -> None:
    """The oldest version and the demand for clients' certificates are in force at once; TLS is not dropped silently."""
    directory = certificate("first")
    config = directory / "web.yml"
    base = "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n"
    config.write_text(base)
    served = serve("--web.config.file", str(config), trust=directory / "cert.pem")

    def ask(context: ssl.SSLContext) -> int:
        with urllib.request.urlopen(f"{served.url}/-/healthy", context=context, timeout=10) as answer:
            return int(answer.status)

    old = ssl.create_default_context(cafile=str(directory / "cert.pem"))
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    assert ask(old) == 200
    config.write_text(base + "  min_version: TLS13\n")
    with pytest.raises(urllib.error.URLError):
        ask(old)
    assert served.get("/-/healthy")[0] == 200
    config.write_text(base + "  client_ca_file: cert.pem\n  client_auth_type: RequireAndVerifyClientCert\n")
    with pytest.raises(OSError, match=r"certificate|reset|closed|EOF"):
        ask(ssl.create_default_context(cafile=str(directory / "cert.pem")))
    known = ssl.create_default_context(cafile=str(directory / "cert.pem"))
    known.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    assert ask(known) == 200
    for weaker in ("", base):
        config.write_text(weaker)
        with pytest.raises(OSError, match=r"certificate|reset|closed|EOF"):
            ask(ssl.create_default_context(cafile=str(directory / "cert.pem")))
        assert ask(known) == 200
    assert "restart" in served.log.read_text()


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("tls_server_config:\n  cert_file: missing.pem\n", "needs both cert_file and key_file"),
        ("tls_server_config:\n  cert_file: no.pem\n  key_file: no.pem\n", "no.pem"),
        ("basic_auth_users:\n  - alice\n", "web.yml:2:"),
        ("rate_limits: 1\n", "unknown key 'rate_limits'"),
        ("basic_auth_users:\n  alice: secret\n", "no bcrypt hash"),
        ("http_server_config:\n  headers: {X-Motto: 'build — wait'}\n", "'X-Motto' can't be sent"),
        ('http_server_config:\n  headers: {X-Motto: "a\\r\\nb"}\n', "'X-Motto' can't be sent"),
        (
            "http_server_config:\n  headers:\n    Content-Length: '5'\n",
            "web.yml:2:3: http_server_config 'Content-Length' is set by the server",
        ),
        ("http_server_config: {headers: {TRANSFER-encoding: gzip}}\n", "allowed is every header but connection, "),
        ("bearer_tokens:\n  - role: read\n    file: none\n", "No such file"),
    ],
)
def test_a_wrong_web_configuration_is_told_at_start(
    command: Callable[..., Any], tmp_path: Path, text: str, reported: str
) -> None:
    """The exporter does not start half open: one clear line, code 2."""
    path = tmp_path / "web.yml"
    path.write_text(text)
    done = command(
        "serve", "--journal", str(tmp_path), "--web.listen-address", "127.0.0.1:0", "--web.config.file", str(path)
    )
    assert done.returncode == 2
    assert reported in done.stderr
    assert "Traceback" not in done.stderr
