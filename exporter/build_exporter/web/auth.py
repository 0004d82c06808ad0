"""Authentication and authorization: users and tokens of the web configuration file, and the roles of tokens."""

from __future__ import annotations

import base64
import math
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from build_exporter.collectors.exporter import WebCounts
from build_exporter.config.web import Role
from build_exporter.web.errors import error, refuse
from build_exporter.web.origin import OPEN_PATHS
from build_exporter.web.passwords import BusyError, Passwords
from build_exporter.web.webconfig import Access, WebConfigFile, token_digest

_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_READERS: Final[frozenset[Role]] = frozenset({"read", "operate"})
_OPERATORS: Final[frozenset[Role]] = frozenset({"operate"})
_WRITERS: Final[dict[str, frozenset[Role]]] = {
    "/api/v1/events": frozenset({"ingest"}),
    "/api/v1/alerts": frozenset({"ingest", "operate"}),
}
"""Role needed to post to a path; all other paths need `operate`."""


def roles_for(scope: Scope, *, reads_by_post: str = "") -> frozenset[Role]:
    """Return the roles that may make a request; posting to the path `reads_by_post` only reads."""
    if scope["type"] == "websocket" or scope["method"] in _SAFE or scope["path"] == reads_by_post:
        return _READERS
    return _WRITERS.get(scope["path"], _OPERATORS)


class AuthMiddleware:
    """Lets a request through when the file asks for no credential, or the request has one that may make it.

    A user of `basic_auth_users` may do everything, a token what its role says.

    Raises:
        ImportError: the file names users, and the library that checks their passwords is not installed.
    """

    def __init__(self, app: ASGIApp, file: WebConfigFile, counts: WebCounts, reads_by_post: str = "") -> None:
        self._app = app
        self._reads_by_post = reads_by_post
        self._file = file
        self._counts = counts
        self._passwords = Passwords() if file.current().config.basic_auth_users else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 400, 401, 403 or 429."""
        access = self._file.current()
        if access.asks and scope["path"] not in OPEN_PATHS:
            refusal = await self._refusal(access, scope)
            if refusal is not None:
                self._counts.auth_failures += 1
                await refuse(refusal, scope, receive, send)
                return
        extra = [(k.lower().encode(), v.encode()) for k, v in access.config.http_server_config.headers.items()]

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *extra]
            await send(message)

        await self._app(scope, receive, with_headers if extra else send)

    async def _refusal(self, access: Access, scope: Scope) -> Response | None:
        """Return the answer to a request that may not be made, None for one that may."""
        credentials = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(credentials) > 1:
            return error(400, "two-credentials", "a request has one Authorization header")
        kind, _, value = b"".join(credentials).partition(b" ")
        if kind.lower() == b"bearer":
            role = access.roles.get(token_digest(value.strip()))
            if role is None:
                return _unauthorized(access)
            allowed = roles_for(scope, reads_by_post=self._reads_by_post)
            return None if role in allowed else _forbidden(role, allowed)
        if kind.lower() == b"basic" and access.config.basic_auth_users:
            try:
                is_user = await self._is_user(access, value, scope)
            except BusyError as busy:
                seconds = str(math.ceil(busy.seconds))
                return error(429, "too-many-attempts", "try again later", headers={"retry-after": seconds})
            return None if is_user else _unauthorized(access)
        return _unauthorized(access)

    async def _is_user(self, access: Access, encoded: bytes, scope: Scope) -> bool:
        try:
            name, colon, password = base64.b64decode(encoded, validate=True).partition(b":")
            user = name.decode()
        except ValueError:
            return False
        if self._passwords is None:
            self._passwords = Passwords()
        peer = str((scope.get("client") or ("",))[0])
        return colon == b":" and await self._passwords.is_right(access.config.basic_auth_users, user, password, peer)


def _unauthorized(access: Access) -> Response:
    kind = "Basic" if access.config.basic_auth_users else "Bearer"
    challenge = {"www-authenticate": f'{kind} realm="build-exporter"'}
    return error(401, "unauthorized", "a user's password or a token is needed", headers=challenge)


def _forbidden(role: Role, allowed: frozenset[Role]) -> Response:
    return error(403, "forbidden", f"a token of role {role} may not do this; allowed: {', '.join(sorted(allowed))}")
