"""TLS and users by the web configuration file Prometheus' exporters share."""

from __future__ import annotations

import base64
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bcrypt
import pytest

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
    assert "basic" in served.get("/")[1]["www-authenticate"].lower()
    for wrong in (_basic("alice", "wrong"), _basic("mallory", PASSWORD), "Basic !!!", "Bearer x", _basic("", "")):
        assert served.get("/metrics", Authorization=wrong)[0] == 401
    status, headers, body = served.get("/metrics", Authorization=_basic("alice", PASSWORD))
    assert status == 200
    assert headers["x-builder"] == "one"
    assert b"build_exporter_auth_failures_total 7\n" in body
    assert served.get("/-/healthy")[0] == 200


def test_a_changed_password_holds_from_the_next_request(serve: Callable[..., Any], tmp_path: Path) -> None:
    """The file is read again when it changes; one that became wrong lets nobody in."""
    path = _users(tmp_path / "web.yml", PASSWORD)
    served = serve("--web.config.file", str(path))
    assert served.get("/metrics", Authorization=_basic("alice", PASSWORD))[0] == 200
    _users(path, "another")
    assert served.get("/metrics", Authorization=_basic("alice", PASSWORD))[0] == 401
    assert served.get("/metrics", Authorization=_basic("alice", "another"))[0] == 200
    path.write_text("basic_auth_user: {}\n")
    assert served.get("/metrics", Authorization=_basic("alice", "another"))[0] == 503


@pytest.fixture
def certificate(tmp_path: Path) -> Callable[[str], Path]:
    """Make a self-signed certificate for localhost with a common name; return the directory of cert.pem and key.pem."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")

    def make(name: str) -> Path:
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
        files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
        alternative = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        subprocess.run([*command, *files, *alternative], check=True, capture_output=True)
        return tmp_path

    return make


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


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("tls_server_config:\n  cert_file: missing.pem\n", "needs both cert_file and key_file"),
        ("tls_server_config:\n  cert_file: no.pem\n  key_file: no.pem\n", "no.pem"),
        ("basic_auth_users:\n  - alice\n", "web.yml:2:"),
        ("rate_limits: 1\n", "unknown key 'rate_limits'"),
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
