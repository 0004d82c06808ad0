"""Connections within a try's deadline, resolve, connect and TLS timed apart."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from collections.abc import Iterator
from functools import lru_cache

from build_exporter.probes.attempt import Attempt


def split_address(target: str) -> tuple[str, int]:
    """Return host and port of `host:port`, brackets around an IPv6 address taken off."""
    host, _, port = target.rpartition(":")
    return host.strip("[]"), int(port)


def resolve(host: str, port: int, attempt: Attempt) -> list[tuple[int, str]]:
    """Return the addresses of a host, each with its family, in the system's order.

    Raises:
        OSError: it has none.
    """
    with attempt.timed("resolve"):
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, str(address[0])) for family, _, _, _, address in found]


@contextlib.contextmanager
def connected(host: str, port: int, attempt: Attempt) -> Iterator[socket.socket]:
    """Connect to the first address of a host that answers; the deadline wakes up whoever waits for the socket.

    Raises:
        OSError: none answers.
    """
    failure: OSError | None = None
    for family, address in resolve(host, port, attempt):
        with socket.socket(family, socket.SOCK_STREAM) as link:
            link.settimeout(attempt.left())
            try:
                with attempt.timed("connect"):
                    link.connect((address, port))
            except OSError as error:
                failure = error
                continue
            attempt.on_stop(lambda link=link: _shut(link))  # type: ignore[misc]
            yield link
            return
    raise failure or OSError("no address")


def secured(link: socket.socket, host: str, ca_file: str | None, attempt: Attempt) -> ssl.SSLSocket:
    """Return a connection with TLS on it and the certificate checked; its end is a figure, Unix seconds.

    Raises:
        OSError: there is no TLS, or the certificate is not good.
    """
    with attempt.timed("tls"):
        changed = os.stat(ca_file).st_mtime_ns if ca_file is not None else 0  # noqa: PTH116
        secure = _context(ca_file, changed).wrap_socket(link, server_hostname=host, do_handshake_on_connect=False)
        attempt.on_stop(lambda: _shut(secure))
        try:
            secure.settimeout(attempt.left())
            secure.do_handshake()
        except OSError:
            secure.close()
            raise
    certificate = secure.getpeercert() or {}
    ends = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    # of several on the way, by redirects: the first that ends
    attempt.figures["certificate_expiry"] = min(ends, attempt.figures.get("certificate_expiry", ends))
    return secure


@lru_cache(maxsize=16)
def _context(ca_file: str | None, changed: int) -> ssl.SSLContext:
    """Return the context of an authorities' file, kept: reading the system's takes 10 ms of CPU time."""
    return ssl.create_default_context(cafile=ca_file)


def _shut(link: socket.socket) -> None:
    # not SSLSocket's own, which takes TLS off while another thread reads
    socket.socket.shutdown(link, socket.SHUT_RDWR)
