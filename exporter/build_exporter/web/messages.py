"""Requests and answers of the HTTP face, as its routes see them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, quote, unquote

OTHER: Final = "other"
"""Handler of a request that no route answers."""


class ClientGoneError(Exception):
    """The client went before the end of its request's body."""


async def nothing() -> AsyncIterator[bytes]:
    """Yield no part."""
    return
    yield b""


@dataclass(slots=True)
class Request:
    """One request.

    Attributes:
        method: in capitals.
        raw_path: the path as it was sent; `path` is the same decoded.
        headers: name in lower case and value of each, in their order.
        body: its parts as they come; raises ClientGoneError where they end too early. `at_once` returns all of it where
            it has come with the head, else None; it may be asked before `body` alone.
        peer: address of the client; `server`: address and port it connected to, empty where unknown.
        is_upgrade: whether the client wants to go on by WebSocket.
        path_params: what the route found in the path; `handler`: path of that route.
    """

    method: str
    raw_path: bytes
    query_string: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = ()
    body: AsyncIterator[bytes] = field(default_factory=nothing)
    peer: str = ""
    server: tuple[str, int] = ("", 0)
    is_secure: bool = False
    is_upgrade: bool = False
    path_params: dict[str, str] = field(default_factory=dict)
    handler: str = OTHER
    at_once: Callable[[], bytes | None] = field(default=lambda: None)
    path: str = field(init=False)
    _query: Sequence[tuple[str, str]] | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        path = self.raw_path.decode("ascii")
        self.path = unquote(path) if "%" in path else path

    @property
    def query(self) -> Sequence[tuple[str, str]]:
        """The parameters behind the path in their order."""
        # a long query takes forty times its bytes: not before somebody asks for it
        if self._query is None:
            text = self.query_string.decode("latin-1")
            self._query = parse_qsl(text, keep_blank_values=True) if text else ()
        return self._query

    def header(self, name: bytes, default: str = "") -> str:
        """Return the first header of a name in lower case."""
        for known, value in self.headers:
            if known == name:
                return value.decode("latin-1")
        return default

    def parameter(self, name: str) -> str:
        """Return the last parameter of a name in the query, empty where there is none."""
        return dict(self.query).get(name, "")

    def values(self, name: bytes) -> list[bytes]:
        """Return every header of a name in lower case."""
        return [value for known, value in self.headers if known == name]


class Response:
    """An answer; text is sent as UTF-8. Names of headers are in lower case."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        body: bytes | str = b"",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str = "",
    ) -> None:
        self.body = body.encode() if isinstance(body, str) else body
        self.status = status
        self.headers = dict(headers or ())
        if media_type:
            charset = "; charset=utf-8" if media_type.startswith("text/") else ""
            self.headers["content-type"] = media_type + charset


class Streamed(Response):
    """An answer in parts, which are not empty, until they end or the client goes; then `ended` is called."""

    __slots__ = ("chunks", "ended")

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        ended: Callable[[], object],
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str = "",
    ) -> None:
        super().__init__(b"", status, headers, media_type)
        self.chunks = chunks
        self.ended = ended


class Upgraded(Response):
    """The connection goes on by another protocol: `connect` takes its transport and returns that, `run` serves it."""

    __slots__ = ("connect", "run")

    def __init__(self, connect: Callable[[Any], Any], run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        super().__init__(status=101)
        self.connect = connect
        self.run = run


Answer: TypeAlias = Response | Awaitable[Response]
"""A response, or what becomes one."""
App: TypeAlias = Callable[[Request], Answer]


def redirect(path: str) -> Response:
    """Return the way to another address of this exporter."""
    return Response(status=307, headers={"location": quote(path, safe=":/%#?=@[]!$&'()*+,;")})


def then(answer: Answer, act: Callable[[Response], Response]) -> Answer:
    """Return an answer with something done to it once it is there."""
    return act(answer) if isinstance(answer, Response) else _then(answer, act)


async def _then(coming: Awaitable[Response], act: Callable[[Response], Response]) -> Response:
    return act(await coming)
