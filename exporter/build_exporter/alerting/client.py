"""Asking Alertmanager: one request, one answer, within a time that also a server that drips bytes cannot stretch."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from build_exporter import __version__
from build_exporter.config.alerting import Alertmanager

TIMEOUT_SECONDS = 2.0


class UnreachableError(Exception):
    """The server cannot be asked, or its answer is none; worth another try."""


class RefusedError(Exception):
    """The server answered that the request is wrong; another try would be refused alike."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer; `date` is its clock from the header, empty without one."""

    status: int
    body: bytes
    date: str = ""


class Client:
    """One Alertmanager, or any HTTP server that speaks JSON. Credentials are read anew for each request."""

    def __init__(self, server: Alertmanager, timeout: float = TIMEOUT_SECONDS) -> None:
        self.server = server
        self.url = server.url.rstrip("/")
        self._timeout = timeout
        parts = urlsplit(self.url)
        self._host, self._path = parts.hostname or "", parts.path
        self._secure = parts.scheme == "https"
        self._port = parts.port or (443 if self._secure else 80)
        self._authority = parts.netloc

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """Return the decoded JSON of an answer, None where it has no JSON.

        Raises:
            UnreachableError: there was no answer in time, or one of 5xx or 429.
            RefusedError: the answer was another error.
        """
        answer = await self.send(method, path, None if body is None else msgspec.json.encode(body))
        if answer.status >= 500 or answer.status == 429:
            raise UnreachableError(f"{self.url} answered {answer.status}: {_words(answer.body)}")
        if answer.status >= 300:
            raise RefusedError(f"{self.url} answered {answer.status}: {_words(answer.body)}")
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
            return msgspec.json.decode(answer.body)
        return None

    async def send(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """Return the answer to one request, whatever its status.

        Raises:
            UnreachableError: there was no answer in time.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(method, path, body)
        except TimeoutError:
            raise UnreachableError(f"{self.url} did not answer within {self._timeout:g} s") from None
        except (OSError, ValueError) as error:
            raise UnreachableError(f"{self.url}: {error}") from None

    async def _exchange(self, method: str, path: str, body: bytes | None) -> Answer:
        from build_exporter.alerting.exchange import exchange  # noqa: PLC0415 - only where there is an Alertmanager

        context = self._tls() if self._secure else None
        reader, writer = await asyncio.open_connection(self._host, self._port, ssl=context)
        try:
            return await exchange((reader, writer), method, self._path + path, self._headers(), body or b"")
        finally:
            writer.transport.abort()

    def _headers(self) -> list[tuple[str, str]]:
        headers = [
            ("Host", self._authority),
            ("User-Agent", f"build-exporter/{__version__}"),
            ("Content-Type", "application/json"),
            ("Connection", "close"),
        ]
        if self.server.username is not None:
            pair = f"{self.server.username}:{_secret(self.server.password_file)}".encode()
            headers.append(("Authorization", f"Basic {base64.b64encode(pair).decode()}"))
        elif self.server.credentials_file is not None:
            headers.append(("Authorization", f"Bearer {_secret(self.server.credentials_file)}"))
        return headers

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.server.ca_file)
        if self.server.cert_file is not None:
            context.load_cert_chain(self.server.cert_file, self.server.key_file)
        return context


def _secret(path: str | None) -> str:
    return Path(path).read_text().strip() if path is not None else ""


def _words(body: bytes) -> str:
    return body[:200].decode("utf-8", "replace").strip()
