"""The web configuration file that Prometheus' exporters share: TLS, users, headers (`--web.config.file`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal

import msgspec

from build_exporter.config.section import Section, about


def _none() -> Mapping[str, str]:
    return MappingProxyType({})


_FIELD: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
_OWN: Final = ("connection", "content-encoding", "content-length", "date", "keep-alive", "trailer", "transfer-encoding",
               "upgrade")  # fmt: skip
"""Headers that describe one answer or one connection: the server alone can know them."""
_HASH: Final = re.compile(r"\$2[abxy]\$(?:0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}")


class TlsServer(Section, frozen=True):
    """TLS of the server."""

    cert_file: Annotated[str | None, about("Certificate of the server, PEM, with its chain.", "path")] = None
    key_file: Annotated[str | None, about("Key of the certificate, PEM.", "path")] = None
    client_ca_file: Annotated[str | None, about("Authorities that sign clients' certificates, PEM.", "path")] = None
    client_auth_type: Annotated[
        Literal["NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"],
        about("Whether clients must show a certificate."),
    ] = "NoClientCert"
    min_version: Annotated[Literal["TLS12", "TLS13"], about("Oldest version of TLS that is accepted.")] = "TLS12"

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield a fault where one file lacks the other."""
        if (self.cert_file is None) != (self.key_file is None):
            yield ("cert_file" if self.key_file is None else "key_file"), "needs both cert_file and key_file"
        if (self.client_ca_file is None) != (self.client_auth_type == "NoClientCert"):
            yield "client_auth_type", "needs client_ca_file where clients show certificates, and only there"


class HttpServer(Section, frozen=True):
    """Headers the server adds to every answer."""

    http2: Annotated[bool, about("Accepted for compatibility; the server speaks HTTP/1.1 only.")] = False
    headers: Annotated[Mapping[str, str], about("Headers by name.", "text")] = msgspec.field(default_factory=_none)

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield a fault where no answer could have a header."""
        for name, value in self.headers.items():
            if not _FIELD.fullmatch(name) or not _VALUE.fullmatch(value):
                yield "headers", f"{name[:64]!r} can't be sent: a header is a word and one line of Latin-1"
            elif name.lower() in _OWN:
                yield "headers", f"{name!r} is set by the server; allowed is every header but {', '.join(_OWN)}"


Role = Literal["read", "ingest", "operate"]


class BearerToken(Section, frozen=True):
    """A token that programs send as `Authorization: Bearer TOKEN`."""

    role: Annotated[
        Role,
        about("What it is good for. read: looking at everything; ingest: posting events; operate: read, and the rest."),
    ]
    file: Annotated[str, about("The file that holds the token: one word of at least 16 characters.", "path")]


class WebConfig(Section, frozen=True):
    """The whole file; an empty one is plain HTTP without users."""

    tls_server_config: Annotated[TlsServer | None, about("TLS of the server.")] = None
    http_server_config: Annotated[HttpServer, about("What is added to answers.")] = HttpServer()
    basic_auth_users: Annotated[
        Mapping[str, str], about("bcrypt hashes of passwords, by user name.", "text", secret=True)
    ] = msgspec.field(default_factory=_none)
    bearer_tokens: Annotated[
        tuple[BearerToken, ...], about("Tokens of programs, with what each is good for; an extension of the form.")
    ] = ()

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield a fault where what stands for a password is no bcrypt hash."""
        for name, hashed in self.basic_auth_users.items():
            if not _HASH.fullmatch(hashed):
                yield (
                    "basic_auth_users",
                    f"the password of {name[:64]!r} is no bcrypt hash of cost 4 to 16; `htpasswd -nB USER` makes one",
                )

    @property
    def has_tls(self) -> bool:
        """Whether the server speaks TLS."""
        return self.tls_server_config is not None and self.tls_server_config.cert_file is not None
