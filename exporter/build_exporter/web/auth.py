"""Who may ask: TLS and users of the web configuration file, read again when it changes.

A file that has become wrong or unreadable closes the door: nobody is let in on what it said before.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import os
import ssl
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from build_exporter.collectors.exporter import WebCounts
from build_exporter.config.load import ConfigError, load_as
from build_exporter.config.web import TlsServer, WebConfig
from build_exporter.web.errors import error, refuse
from build_exporter.web.origin import OPEN_PATHS

log = logging.getLogger(__name__)

REMEMBERED_LOGINS: Final = 64
_FIXED_KEY: Final = os.urandom(32)


class CertificateError(Exception):
    """A certificate, its key or its authorities can't be used; the text says which files and why."""


class WebConfigFile:
    """The file, loaded again when its time, size or place changes."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._stamp: object = None
        self._config: WebConfig | None = None
        self.current()

    def load(self) -> WebConfig:
        """Return what the file says now.

        Raises:
            ConfigError: it is wrong or can't be read.
        """
        self._stamp = self._check_file()
        self._config = load_as(WebConfig, self.path)
        return self._config

    def current(self) -> WebConfig | None:
        """Return what the file says, None while it is wrong."""
        if self._stamp is None or self._check_file() != self._stamp:
            try:
                self.load()
            except ConfigError as error:
                self._config = None
                log.error("web configuration not usable, requests are refused", extra={"problems": str(error)})
        return self._config

    def _check_file(self) -> object:
        try:
            found = os.stat(self.path)  # noqa: PTH116 - for each request
        except OSError:
            return "gone"
        return (found.st_mtime_ns, found.st_size, found.st_ino)


class AuthMiddleware:
    """Lets a request through when the file asks for no user, or the request names one of its users.

    Raises:
        ImportError: the file names users, and the library that checks their passwords is not installed.
    """

    def __init__(self, app: ASGIApp, file: WebConfigFile, counts: WebCounts) -> None:
        self._app = app
        self._file = file
        self._counts = counts
        self._check: Callable[[bytes, bytes], bool] | None = None
        self._nobody = b""
        config = file.current()
        if config is not None and config.basic_auth_users:
            self._load_check()
        self._known_logins: OrderedDict[bytes, bool] = OrderedDict()

    def _load_check(self) -> Callable[[bytes, bytes], bool]:
        if self._check is None:
            import bcrypt  # noqa: PLC0415 - an extra, for those who have users

            self._check = bcrypt.checkpw
            # an unknown user costs as much time as a known one
            self._nobody = bcrypt.hashpw(os.urandom(16).hex().encode(), bcrypt.gensalt(10))
        return self._check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401 (503 while the file is wrong)."""
        config = self._file.current()
        if config is None:
            problem = error(503, "invalid-configuration", "the web configuration can't be used")
            await refuse(problem, scope, receive, send)
            return
        if config.basic_auth_users and scope["path"] not in OPEN_PATHS and not self._is_user(config, scope):
            self._counts.auth_failures += 1
            challenge = {"www-authenticate": 'Basic realm="build-exporter"'}
            problem = error(401, "unauthorized", "user and password are needed", headers=challenge)
            await refuse(problem, scope, receive, send)
            return
        extra = [(k.lower().encode(), v.encode()) for k, v in config.http_server_config.headers.items()]

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *extra]
            await send(message)

        await self._app(scope, receive, with_headers if extra else send)

    def _is_user(self, config: WebConfig, scope: Scope) -> bool:
        credential = dict(scope["headers"]).get(b"authorization", b"")
        kind, _, encoded = credential.partition(b" ")
        if kind.lower() != b"basic":
            return False
        try:
            user, colon, password = base64.b64decode(encoded, validate=True).partition(b":")
            name = user.decode()
        except ValueError:
            return False
        check = self._load_check()
        password_hash = config.basic_auth_users.get(name)
        hashed = self._nobody if password_hash is None else password_hash.encode()
        # a password is checked once: bcrypt is meant to be slow, and a scrape comes every few seconds
        key = hmac.digest(_FIXED_KEY, hashlib.sha256(user + b"\0" + password).digest() + hashed, "sha256")
        known = self._known_logins.get(key)
        if known is None:
            known = _verify(check, password, hashed) and colon == b":" and password_hash is not None
            self._known_logins[key] = known
            while len(self._known_logins) > REMEMBERED_LOGINS:
                self._known_logins.popitem(last=False)
        return known


def _verify(check: Callable[[bytes, bytes], bool], password: bytes, hashed: bytes) -> bool:
    try:
        # bcrypt looks at no more than this
        return check(password[:72], hashed)
    except ValueError:
        return False


def tls_context(file: WebConfigFile, tls: TlsServer) -> ssl.SSLContext:
    """Return a context that takes a renewed certificate up with the next connection.

    Raises:
        CertificateError: a file can't be read, or is no certificate or key.
    """
    context = _context(tls)
    stamp = _stamp(tls)

    def renew(connection: ssl.SSLObject, name: str | None, old: ssl.SSLContext) -> int | None:
        nonlocal context, stamp
        config = file.current()
        wanted = config.tls_server_config if config is not None else None
        if wanted is None:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        try:
            if _stamp(wanted) != stamp:
                context, stamp = _context(wanted), _stamp(wanted)
        except CertificateError as error:
            log.error("certificate not usable, connections are refused", extra={"error": str(error)})
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        connection.context = context
        return None

    first = context
    first.sni_callback = renew
    return first


def _context(tls: TlsServer) -> ssl.SSLContext:
    assert tls.cert_file is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if tls.min_version == "TLS13" else ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.cert_file, tls.key_file)
        if tls.client_ca_file is not None:
            context.load_verify_locations(tls.client_ca_file)
    except OSError as error:
        files = ", ".join(filter(None, (tls.cert_file, tls.key_file, tls.client_ca_file)))
        raise CertificateError(f"{files}: {error.strerror or error}") from error
    if tls.client_ca_file is not None:
        required = tls.client_auth_type == "RequireAndVerifyClientCert"
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context


def _stamp(tls: TlsServer) -> tuple[object, ...]:
    def stamp_of(path: str | None) -> object:
        if path is None:
            return None
        try:
            found = os.stat(path)  # noqa: PTH116 - for each connection
        except OSError:
            return "gone"
        return (path, found.st_mtime_ns, found.st_size, found.st_ino)

    return (
        stamp_of(tls.cert_file),
        stamp_of(tls.key_file),
        stamp_of(tls.client_ca_file),
        tls.client_auth_type,
        tls.min_version,
    )
