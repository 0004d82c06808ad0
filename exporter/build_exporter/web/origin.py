"""What browsers send for pages of other sites, refused."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from build_exporter.web.errors import error

OPEN_PATHS: Final = frozenset({"/-/healthy", "/-/ready"})
"""A service manager's questions, answered to whoever asks: they tell nothing of any build."""

_SAFE: Final = ("GET", "HEAD", "OPTIONS")


class SameOrigin:
    """Refuses what changes something when a browser sends it for a page of another site."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] == "http" and scope["method"] not in _SAFE:
            headers = dict(scope["headers"])
            origin = headers.get(b"origin", b"")
            if origin and origin.split(b"://", 1)[-1] != headers.get(b"host", b""):
                await error(403, "cross-origin", "requests of other sites' pages are refused")(scope, receive, send)
                return
        await self._app(scope, receive, send)


class HostCheck:
    """Refuses requests that come over loopback for a host that is not this one.

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
        """Pass the request on, or answer 421."""
        is_guarded = scope["type"] == "http" and scope["path"] not in OPEN_PATHS
        if is_guarded and _is_loopback((scope.get("server") or ("",))[0]):
            asked = host_of(dict(scope["headers"]).get(b"host", b""))
            if not self._is_allowed(asked):
                message = "this exporter is not that host; a proxy's names go into web.hosts of the configuration"
                await error(421, "misdirected", message)(scope, receive, send)
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


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(address: str) -> bool:
    return _is_address(address) and ipaddress.ip_address(address).is_loopback
