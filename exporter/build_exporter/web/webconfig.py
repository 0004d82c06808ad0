"""The web configuration file in force: read again when it changes; a broken one never drops the credentials."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import ssl
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from build_exporter.collectors.exporter import WebCounts
from build_exporter.config.problems import ConfigError
from build_exporter.config.web import Role, TlsServer, WebConfig

log = logging.getLogger(__name__)

LEAST_TOKEN: Final = 16
"""Characters of the shortest token: shorter ones can be guessed."""
MAX_TOKEN_FILE: Final = 4096


class CertificateError(Exception):
    """A certificate, its key or its authorities can't be used; the text says which files and why."""


class TokenError(Exception):
    """The file of a token can't be used; the text says which and why."""


class NoPlainFileError(Exception):
    """A file is none that can be read without waiting; the text says which."""


class WeakerError(Exception):
    """A file asks for less than the one in force; the text says what would be open."""


@dataclass(frozen=True, slots=True)
class Access:
    """A loaded file: itself, the TLS context of new connections, and roles by the tokens' SHA-256."""

    config: WebConfig
    tls: ssl.SSLContext | None
    roles: Mapping[bytes, Role]

    @property
    def asks(self) -> bool:
        """Whether a request needs a credential."""
        return bool(self.config.basic_auth_users or self.roles)

    @property
    def knows_clients(self) -> bool:
        """Whether a connection needs a client's certificate."""
        tls = self.config.tls_server_config
        return tls is not None and tls.client_auth_type == "RequireAndVerifyClientCert"


class WebConfigFile:
    """The file, its certificates and its tokens, read again when one of them changes.

    Raises:
        ConfigError: the file is wrong or can't be read.
        CertificateError: so is a certificate.
        TokenError: so is the file of a token.
    """

    def __init__(self, path: str, counts: WebCounts) -> None:
        self.path = path
        self._counts = counts
        self._access = read(path)
        self._stamp = self._stamp_now()

    def current(self) -> Access:
        """Return what is in force: the newest file that was right."""
        stamp = self._stamp_now()
        if stamp != self._stamp:
            self._stamp = stamp
            self.reload()
        return self._access

    def reload(self) -> str:
        """Read the file again; return what is wrong with it, empty when it was accepted."""
        try:
            found = read(self.path, only_plain=True)
            _check_not_weaker(self._access, found)
        except (ConfigError, CertificateError, TokenError, NoPlainFileError, WeakerError) as error:
            self._counts.web_config_is_good = False
            log.error("web configuration not accepted, the old one stays", extra={"problems": str(error)})
            return str(error)
        self._access = found
        self._counts.web_config_is_good = True
        # certificates and tokens named anew are watched from now on
        self._stamp = self._stamp_now()
        log.info("web configuration loaded", extra={"file": self.path})
        return ""

    def _stamp_now(self) -> tuple[object, ...]:
        return tuple(map(_stamp, (self.path, *_named(self._access.config))))


def read(path: str, *, only_plain: bool = False) -> Access:
    """Load a web configuration file; with `only_plain` never wait for one that is a pipe or a terminal.

    Raises:
        ConfigError: the file is wrong or can't be read.
        CertificateError: so is a certificate.
        TokenError: so is the file of a token.
        NoPlainFileError: one of them is no regular file, with `only_plain`.
    """
    from build_exporter.config.load import load_as  # noqa: PLC0415 - only where there is a file

    if only_plain:
        check_plain(path)
    config = load_as(WebConfig, path)
    if only_plain:
        for each in _named(config):
            check_plain(each)
    tls = config.tls_server_config
    context = _context(tls) if tls is not None and config.has_tls else None
    return Access(config, context, {_digest_of(token.file): token.role for token in config.bearer_tokens})


def _named(config: WebConfig) -> list[str]:
    """Return the files that a configuration names."""
    tls = config.tls_server_config or TlsServer()
    certificates = (tls.cert_file, tls.key_file, tls.client_ca_file)
    return [each for each in certificates if each is not None] + [token.file for token in config.bearer_tokens]


def check_plain(path: str) -> str:
    """Return the path of a file that keeps no reader waiting; what can't be looked at is for the reader to report.

    Raises:
        NoPlainFileError: it is no regular file.
    """
    with contextlib.suppress(OSError):
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - as below
            raise NoPlainFileError(f"{path}: it is no regular file")
    return path


def token_digest(token: bytes) -> bytes:
    """Return the key of a token: the time of its lookup reveals nothing about it."""
    return hashlib.sha256(token).digest()


def _digest_of(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            token = file.read(MAX_TOKEN_FILE).strip()
    except OSError as error:
        raise TokenError(f"{path}: {error.strerror}") from error
    if len(token) < LEAST_TOKEN or len(token.split()) != 1 or not token.isascii():
        raise TokenError(f"{path}: a token is one word of at least {LEAST_TOKEN} characters")
    return token_digest(token)


def _check_not_weaker(old: Access, new: Access) -> None:
    """Refuse what an emptied file, or one cut short, would open: to open it on purpose takes a restart."""
    lost = [
        ("TLS", old.tls is not None and new.tls is None),
        ("users and tokens", old.asks and not new.asks),
        ("clients' certificates", old.knows_clients and not new.knows_clients),
    ]
    if words := " and ".join(name for name, is_lost in lost if is_lost):
        raise WeakerError(f"the file no longer asks for {words}; to open the exporter so, restart it")


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


def _stamp(path: str) -> object:
    try:
        found = os.stat(path)  # noqa: PTH116 - for each request
    except OSError:
        return "gone"
    return (path, found.st_mtime_ns, found.st_size, found.st_ino)
