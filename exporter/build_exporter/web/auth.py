"""Authentication and authorization: users and tokens of the web configuration file, and the roles of tokens."""

from __future__ import annotations

import base64
import math
from functools import partial
from typing import Final

from build_exporter.collectors.exporter import WebCounts
from build_exporter.config.web import Role
from build_exporter.web.errors import error
from build_exporter.web.messages import Answer, App, Request, Response, then
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


def roles_for(request: Request, *, reads_by_post: str = "") -> frozenset[Role]:
    """Return the roles that may make a request; posting to the path `reads_by_post` only reads."""
    if request.method in _SAFE or request.path == reads_by_post:
        return _READERS
    return _WRITERS.get(request.path, _OPERATORS)


class Guard:
    """Lets a request through when the file asks for no credential, or the request has one that may make it.

    A user of `basic_auth_users` may do everything, a token what its role says.

    Raises:
        ImportError: the file names users, and the library that checks their passwords is not installed.
    """

    def __init__(self, app: App, file: WebConfigFile, counts: WebCounts, reads_by_post: str = "") -> None:
        self._app = app
        self._reads_by_post = reads_by_post
        self._file = file
        self._counts = counts
        self._passwords = Passwords() if file.current().config.basic_auth_users else None

    def __call__(self, request: Request) -> Answer:
        """Return the application's answer, or 400, 401, 403 or 429."""
        access = self._file.current()
        if access.asks and request.path not in OPEN_PATHS:
            return self._checked(access, request)
        return then(self._app(request), partial(_with_headers, access))

    async def _checked(self, access: Access, request: Request) -> Response:
        refusal = await self._refusal(access, request)
        if refusal is not None:
            self._counts.auth_failures += 1
            return _with_headers(access, refusal)
        answer = self._app(request)
        return _with_headers(access, answer if isinstance(answer, Response) else await answer)

    async def _refusal(self, access: Access, request: Request) -> Response | None:
        """Return the answer to a request that may not be made, None for one that may."""
        credentials = request.values(b"authorization")
        if len(credentials) > 1:
            return error(400, "two-credentials", "a request has one Authorization header")
        kind, _, value = b"".join(credentials).partition(b" ")
        if kind.lower() == b"bearer":
            role = access.roles.get(token_digest(value.strip()))
            if role is None:
                return _unauthorized(access)
            allowed = roles_for(request, reads_by_post=self._reads_by_post)
            return None if role in allowed else _forbidden(role, allowed)
        if kind.lower() == b"basic" and access.config.basic_auth_users:
            try:
                is_user = await self._is_user(access, value, request.peer)
            except BusyError as busy:
                seconds = str(math.ceil(busy.seconds))
                return error(429, "too-many-attempts", "try again later", headers={"retry-after": seconds})
            return None if is_user else _unauthorized(access)
        return _unauthorized(access)

    async def _is_user(self, access: Access, encoded: bytes, peer: str) -> bool:
        try:
            name, colon, password = base64.b64decode(encoded, validate=True).partition(b":")
            user = name.decode()
        except ValueError:
            return False
        if self._passwords is None:
            self._passwords = Passwords()
        return colon == b":" and await self._passwords.is_right(access.config.basic_auth_users, user, password, peer)


def _with_headers(access: Access, answer: Response) -> Response:
    for name, value in access.config.http_server_config.headers.items():
        answer.headers[name.lower()] = value
    return answer


def _unauthorized(access: Access) -> Response:
    kind = "Basic" if access.config.basic_auth_users else "Bearer"
    challenge = {"www-authenticate": f'{kind} realm="build-exporter"'}
    return error(401, "unauthorized", "a user's password or a token is needed", headers=challenge)


def _forbidden(role: Role, allowed: frozenset[Role]) -> Response:
    return error(403, "forbidden", f"a token of role {role} may not do this; allowed: {', '.join(sorted(allowed))}")
