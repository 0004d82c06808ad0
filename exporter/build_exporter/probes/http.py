"""Kind `http`: a server answers with the right status and text, over a good certificate."""

from __future__ import annotations

import base64
import http.client
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from build_exporter.config.probes import Probe
from build_exporter.probes.attempt import Attempt, ProbeError
from build_exporter.probes.credentials import password, read_secret
from build_exporter.probes.network import connected, secured
from build_exporter.probes.state import Reason

MAX_BYTES: Final = 64 * 1024
"""Most that is read of an answer."""
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PORTS: Final = {"http": 80, "https": 443}
_DENIED: Final = frozenset({401, 403, 407})


def probe(settings: Probe, attempt: Attempt) -> None:
    """Ask for the target, follow redirects, check status and text.

    Raises:
        OSError: nothing answers.
        ProbeError: the answer is not what was asked for.
    """
    url = settings.target
    for _ in range(settings.redirects + 1):
        status, location, body = _ask(settings, url, attempt)
        attempt.figures["http_status"] = status
        if status not in _REDIRECTS or not location or status in settings.status:
            return _check(settings, status, body)
        url = urljoin(url, quote(location, safe="/%:=&?~#+!$,;'@()*[]"))
        if urlsplit(url).scheme not in _PORTS:
            raise ProbeError(Reason.REDIRECTS, "to an address that is not http")
    if not settings.redirects:
        return _check(settings, status, body)
    raise ProbeError(Reason.REDIRECTS, f"more than {settings.redirects}")


def _check(settings: Probe, status: int, body: bytes) -> None:
    if not (status in settings.status if settings.status else 200 <= status < 300):
        raise ProbeError(Reason.DENIED if status in _DENIED else Reason.STATUS, f"status {status}")
    if settings.contains is not None and settings.contains.encode() not in body:
        raise ProbeError(Reason.CONTENT, "the answer lacks the text")


def _ask(settings: Probe, url: str, attempt: Attempt) -> tuple[int, str, bytes]:
    """Return status, target of the redirect or nothing, and the beginning of the body."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    headers = {"User-Agent": "build-exporter", "Accept": "*/*", "Connection": "close"}
    headers |= _credentials(settings) if _origin(url) == _origin(settings.target) else {}
    with connected(host, port, attempt) as plain:
        link = http.client.HTTPConnection(parts.netloc.rpartition("@")[2])
        link.sock = secured(plain, host, settings.ca_file, attempt) if parts.scheme == "https" else plain
        link.sock.settimeout(attempt.left())
        try:
            with attempt.timed("answer"):
                link.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), headers=headers)
                answer = link.getresponse()
            with attempt.timed("transfer"):
                body = _body(answer, attempt)
        except (http.client.HTTPException, UnicodeError) as error:
            raise ProbeError(Reason.PROTOCOL, "the answer is not HTTP, or ends early") from error
        finally:
            link.close()
    return answer.status, answer.getheader("Location") or "", body


def _body(answer: http.client.HTTPResponse, attempt: Attempt) -> bytes:
    body = b""
    while len(body) < MAX_BYTES and (part := answer.read1(MAX_BYTES - len(body))):
        attempt.left()
        body += part
    if len(body) < MAX_BYTES and answer.length:
        raise ProbeError(Reason.PROTOCOL, "the answer ends early")
    return body


def _origin(url: str) -> tuple[str, str | None, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


def _credentials(settings: Probe) -> dict[str, str]:
    if settings.username is not None:
        pair = base64.b64encode(f"{settings.username}:{password(settings)}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}
    if settings.credentials_file is not None:
        return {"Authorization": f"Bearer {read_secret(settings.credentials_file)}"}
    return {}
