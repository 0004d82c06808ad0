"""Refuses requests that browsers send for pages of other sites."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from build_exporter.web.errors import error, refuse

OPEN_PATHS: Final = frozenset({"/-/healthy", "/-/ready"})
"""Health checks of a service manager, answered without credentials: they reveal nothing about a build."""

_SAFE: Final = ("GET", "HEAD", "OPTIONS")


class SameOrigin:
    """Refuses what changes something, and WebSockets, when a browser sends it for a page of another site."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if (scope["type"] == "websocket" or scope["method"] not in _SAFE) and _is_of_another_site(scope):
            problem = error(403, "cross-origin", "requests of other sites' pages are refused")
            await refuse(problem, scope, receive, send)
            return
        await self._app(scope, receive, send)


def _is_of_another_site(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    origin = headers.get(b"origin", b"").lower()
    if origin:
        scheme, _, host = origin.partition(b"://")
        return scheme not in (b"http", b"https") or host != headers.get(b"host", b"").lower()
    return headers.get(b"sec-fetch-site", b"") in (b"cross-site", b"same-site")


class HostCheck:
    """Refuses requests that come over loopback for a host that is not this one, and those that name two hosts.

    A page anywhere may have its own name point to 127.0.0.1, and would then read what answers there as if it were its
    own (DNS rebinding). Over loopback the host asked for is therefore an address, `localhost`, this machine's name, or
    one of those configured for a proxy in front.
    """

    def __init__(self, app: ASGIApp, more: Callable[[], tuple[str, ...]]) -> None:
        """Guard `app`; `more` returns the further names that are right."""
        self._app = app
        self._more = more
        name = socket.gethostname().lower()
        self._own = {"", "localhost", name, name.split(".")[0]}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 400 or 421."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) > 1:
            await refuse(error(400, "two-hosts", "a request names one host"), scope, receive, send)
            return
        if scope["path"] not in OPEN_PATHS and _is_loopback((scope.get("server") or ("",))[0]):
            asked = host_of(hosts[0] if hosts else b"")
            if not self._is_allowed(asked):
                message = "this exporter is not that host; a proxy's names go into web.hosts of the configuration"
                await refuse(error(421, "misdirected", message), scope, receive, send)
                return
        await self._app(scope, receive, send)

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
    return _is_address(address) and ipaddress.ip_address(address).is_loopback
