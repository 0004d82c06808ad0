"""The section `probes` of the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Final, Literal, Self

from build_exporter.config.section import Section, about, fields_of, repeated
from build_exporter.config.values import check_target

ProbeKind = Literal["tcp", "http", "dns", "process", "command", "database", "disk"]

_ONLY: Final = {
    "username": ("http",),
    "credentials_file": ("http",),
    "status": ("http",),
    "contains": ("http",),
    "redirects": ("http",),
    "password_file": ("http", "database"),
    "password_env": ("http", "database"),
    "ca_file": ("http", "database"),
    "server": ("dns",),
    "processes": ("process",),
}
"""The kinds that have a setting; settings that are not here belong to every kind."""


class Probe(Section, frozen=True):
    """A service the build needs, tried again and again; the results are `build_probe_*`."""

    name: Annotated[str, about("What it is called in metrics.", "name")]
    kind: Annotated[ProbeKind, about("How it is tried.")]
    target: Annotated[
        str,
        about(
            "tcp: `host:port`; http: an address; dns: a host name; process: a process name; command: a command line, "
            "run without a shell, whose exit code 0 is success; database: `postgresql://USER@HOST/NAME`, "
            "`mysql://USER@HOST/NAME` or `sqlite:///FILE`; disk: a directory that is written to.",
            "text",
            secret=True,
        ),
    ]
    interval: Annotated[float, about("Time from try to try.", "seconds", within=(1, 86400))] = 30.0
    timeout: Annotated[
        float, about("Longest time a try may take as a whole; not above `interval`.", "seconds", within=(0.01, 3600))
    ] = 5.0
    jitter: Annotated[
        float, about("Share of `interval` by which each wait varies at random, both ways.", "ratio", within=(0, 0.5))
    ] = 0.1
    username: Annotated[str | None, about("http: user of basic authentication.", "name")] = None
    password_file: Annotated[str | None, about("http, database: file with the user's password.", "path")] = None
    password_env: Annotated[
        str | None, about("http, database: environment variable with the user's password.", "name")
    ] = None
    credentials_file: Annotated[str | None, about("http: file with a bearer token.", "path")] = None
    ca_file: Annotated[
        str | None,
        about("http, database: authorities that may have signed its certificate, PEM. A database must then speak TLS.",
              "path"),
    ] = None  # fmt: skip
    status: Annotated[
        tuple[int, ...], about("http: status codes that are success. Empty: 200 to 299.", "count", within=(100, 599))
    ] = ()
    contains: Annotated[str | None, about("http: text that must be in the first 64 KiB of the answer.", "text")] = None
    redirects: Annotated[int, about("http: redirects that are followed.", "count", within=(0, 20))] = 5
    server: Annotated[
        str | None,
        about("dns: address of the name server to ask, needs `build-exporter[dns]`. Default: as the system resolves.",
              "name"),
    ] = None  # fmt: skip
    processes: Annotated[int, about("process: least number of them that must run.", "count", within=(1, 100_000))] = 1

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield a fault where the target or a setting is not of the kind, or a try could outlast the next."""
        if (needed := check_target(self.kind, self.target)) is not None:
            yield "target", f"has a target that kind {self.kind} cannot try; allowed: {needed}"
        if self.timeout > self.interval:
            yield "timeout", "has a timeout longer than its interval"
        for field in fields_of(type(self)):
            kinds = _ONLY.get(field.name, (self.kind,))
            if self.kind not in kinds and getattr(self, field.name) != field.default:
                yield (
                    field.name,
                    f"has {field.name}, but is of kind {self.kind}; only kind {' and '.join(kinds)} takes it",
                )
        yield from self._faults_of_credentials()

    def _faults_of_credentials(self) -> Iterator[tuple[str, str]]:
        passwords = (self.password_file is not None) + (self.password_env is not None)
        if passwords > 1:
            yield "password_env", "has both password_file and password_env; allowed: one of them"
        if self.kind == "http" and (self.username is not None) != (passwords > 0):
            yield "username", "needs both username and a password, or none of them"
        if self.username is not None and self.credentials_file is not None:
            yield "credentials_file", "has both username and credentials_file; allowed: one of them"

    @classmethod
    def faults_among(cls, items: Sequence[tuple[int, Self]]) -> Iterator[tuple[int, str, str, int]]:
        """Yield the names given twice."""
        yield from repeated(items, "name")
