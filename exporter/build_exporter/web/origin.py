"""Refuses requests that browsers send for pages of other sites."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from build_exporter.web.errors import error
from build_exporter.web.messages import Request, Response

OPEN_PATHS: Final = frozenset({"/-/healthy", "/-/ready"})
"""Health checks of a service manager, answered without credentials: they reveal nothing about a build."""

_SAFE: Final = ("GET", "HEAD", "OPTIONS")


def cross_origin(request: Request) -> Response | None:
    """Return the answer to what changes something, or a WebSocket, where a browser sends it for another site's page."""
    if (request.is_upgrade or request.method not in _SAFE) and _is_of_another_site(request):
        message = "requests of other sites' pages are refused; a proxy in front has to pass the Host header on"
        return error(403, "cross-origin", message)
    return None


def _is_of_another_site(request: Request) -> bool:
    origin = request.header(b"origin").lower()
    if origin:
        scheme, _, host = origin.partition("://")
        return scheme not in ("http", "https") or host != request.header(b"host").lower()
    return request.header(b"sec-fetch-site") in ("cross-site", "same-site")


class HostCheck:
    """Refuses requests that come over loopback for a host that is not this one, and those that name two hosts.

    A page anywhere may have its own name point to 127.0.0.1, and would then read what answers there as if it were its
    own (DNS rebinding). Over loopback the host asked for is therefore an address, `localhost`, this machine's name, or
    one of those configured for a proxy in front.
    """

    def __init__(self, more: Callable[[], tuple[str, ...]]) -> None:
        """Know this machine's names; `more` returns the further ones that are right."""
        self._more = more
        name = socket.gethostname().lower()
        self._own = {"", "localhost", name, name.split(".")[0]}

    def refusal(self, request: Request) -> Response | None:
        """Return the answer to a request for another host, None for any other request."""
        hosts = request.values(b"host")
        if len(hosts) > 1:
            return error(400, "two-hosts", "a request names one host")
        if request.path in OPEN_PATHS or not _is_loopback(request.server[0]):
            return None
        if self._is_allowed(host_of(hosts[0] if hosts else b"")):
            return None
        message = "this exporter is not that host; a proxy's names go into web.hosts of the configuration"
        return error(421, "misdirected", message)

    def _is_allowed(self, host: str) -> bool:
        return (
            host in self._own
            or host.endswith(".localhost")
            or _is_address(host)
            or host in (name.lower() for name in self._more())
        )


def host_of(header: bytes) -> str:
    """Return the name or address of a Host header in lower case, without port, brackets or a dot at its end."""
    text = header.decode("latin-1").strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0].removesuffix(".")


@lru_cache(256)
def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@lru_cache(256)
def _is_loopback(address: str) -> bool:
    # a socket for both kinds of addresses shows those of IPv4 so
    address = address.removeprefix("::ffff:")
    return _is_address(address) and ipaddress.ip_address(address).is_loopback
