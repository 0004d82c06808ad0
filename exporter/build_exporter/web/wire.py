"""What HTTP/1.1 is over the wire: a request's body as it comes, and the head of an answer."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from http import HTTPMethod, HTTPStatus
from typing import Final, cast

import httptools

from build_exporter.web.messages import ClientGoneError, Request, Response

BODYLESS: Final = frozenset({204, 304})
"""Statuses of answers that have no body."""


_REQUEST_LINE: Final = re.compile(rb"(?:\A|\n)([!#$%&'*+.^_`|~0-9A-Za-z-]+) [!-~]+ HTTP/1\.[01]\r?\n")


class Body:
    """A request's body as it comes."""

    def __init__(self, more: Callable[[], None], *, is_awaited: bool) -> None:
        """`more` is called when the handler has taken what there is; `is_awaited`: the client waits to be asked."""
        self._more = more
        self._parts: list[bytes] = []
        self._arrived = asyncio.Event()
        self.is_awaited = is_awaited
        self.size = 0
        self.is_whole = False
        self.is_unwanted = False
        self.is_lost = False

    def add(self, part: bytes) -> None:
        """Take a part."""
        if not self.is_unwanted:
            self._parts.append(part)
            self.size += len(part)
            self._arrived.set()

    def end(self, *, is_lost: bool = False) -> None:
        """Take the end, or know that there will be none."""
        self.is_whole, self.is_lost = not is_lost, is_lost
        self._arrived.set()

    def at_once(self) -> bytes | None:
        """Return all of it where it is there and no part was taken yet, else None."""
        return b"".join(self._parts) if self.is_whole else None

    def discard(self) -> None:
        """Take nothing more: the request is answered."""
        self.is_unwanted = True
        self._parts.clear()
        self.size = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the parts.

        Raises:
            ClientGoneError: the connection ended first.
        """
        while True:
            if self._parts:
                part = b"".join(self._parts)
                self._parts.clear()
                self.size = 0
                yield part
            elif self.is_whole:
                return
            elif self.is_lost:
                raise ClientGoneError
            else:
                self._arrived.clear()
                self._more()
                await self._arrived.wait()


@dataclass(slots=True)
class Pending:
    """A request in hand.

    Attributes:
        keep_alive: whether the connection outlasts it.
        is_old: whether it is of HTTP/1.0, which knows no answers in parts.
        length: bytes of the body, 0 where the head does not say.
        is_passed_over: whether the parser leaves the body out: what follows a request for another protocol is that
            protocol's, unless it is answered by this one.
        head_size: bytes of address and headers.
    """

    request: Request
    body: Body
    keep_alive: bool
    is_old: bool
    length: int
    is_passed_over: bool
    head_size: int = 0

    @property
    def size(self) -> int:
        """Bytes of it in memory: its head and what has come of the body."""
        return self.head_size + self.body.size

    @property
    def is_last(self) -> bool:
        """Whether nothing can follow it: what its client would send next, its body or another request, is unknown."""
        return self.request.is_upgrade or (self.body.is_awaited and not self.body.is_whole)


class Refused(Exception):  # noqa: N818 - it never leaves the parser
    """A request can't be taken: status, code and message of the error that its client gets."""


def take_head(
    parser: httptools.HttpRequestParser, target: bytes, headers: list[tuple[bytes, bytes]], more: Callable[[], None]
) -> Pending:
    """Return the request whose head a parser has read; `more` is that of its body.

    Raises:
        Refused: HTTP/1.1 does not allow it, or it asks for more than that.
        HttpParserInvalidURLError: so is its target.
    """
    if parser.get_method() == b"CONNECT":
        raise Refused(501, "not-implemented", "this server is no proxy")
    named, version, wants_other = dict(headers), parser.get_http_version(), parser.should_upgrade()
    is_old = version < "1.1"
    if version > "1.1":
        raise Refused(505, "version", "this server speaks HTTP/1.1")
    url = httptools.parse_url(target)
    if url.host:
        # RFC 9112, 3.2.2: the header does not count then
        headers[:] = [each for each in headers if each[0] != b"host"] + [(b"host", url.host)]
    elif not is_old and b"host" not in named:
        raise Refused(400, "no-host", "a request names its host")
    codings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    if codings and (codings != [b"chunked"] or wants_other):
        raise Refused(501, "not-implemented", "a body can't be taken in this transfer encoding")
    length = int(named.get(b"content-length", b"0"))
    method = parser.get_method().decode("ascii")
    is_other = wants_other and not is_old and not length and method == "GET"
    is_websocket = is_other and named.get(b"upgrade", b"").lower() == b"websocket"
    body = Body(more, is_awaited=not is_old and named.get(b"expect", b"").lower() == b"100-continue")
    request = Request(
        method, url.path or b"/", url.query or b"", headers, aiter(body), is_upgrade=is_websocket, at_once=body.at_once
    )
    keep_alive = parser.should_keep_alive() and not is_old
    return Pending(request, body, keep_alive, is_old, length, wants_other and length > 0)


def reason_of(problem: httptools.HttpParserError, piece: bytes) -> tuple[int, str, str]:
    """Return status, code and message of the error for a request that the parser refused with `piece`."""
    if isinstance(problem.__context__, Refused):
        return cast("tuple[int, str, str]", problem.__context__.args)
    lines = _REQUEST_LINE.findall(piece) if isinstance(problem, httptools.HttpParserInvalidMethodError) else []
    if lines and lines[-1].decode() not in HTTPMethod.__members__:
        return 501, "not-implemented", "this server does not know the method"
    return 400, "bad-request", "this is no HTTP request"


def head_of(answer: Response, pending: Pending | None, *, is_streamed: bool = False) -> bytes:
    """Return the head of an answer; without a request that it answers the connection ends after it.

    Raises:
        ValueError: a header has a line break.
    """
    fields = answer.headers
    lines = [_status_line(answer.status), _date(int(time.time()))]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    if is_streamed and answer.status not in BODYLESS:
        lines += [] if pending is not None and pending.is_old else ["transfer-encoding: chunked"]
    elif answer.status not in BODYLESS:
        lines.append(f"content-length: {len(answer.body)}")
    if (pending is None or not pending.keep_alive) and "connection" not in fields:
        lines.append("connection: close")
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
        raise ValueError("a header has a line break")
    return f"{head}\r\n\r\n".encode("latin-1")


@cache
def _status_line(status: int) -> str:
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"


@lru_cache(1)
def _date(now: int) -> str:
    # email.utils has this too, with forty modules behind it
    return time.strftime("date: %a, %d %b %Y %H:%M:%S GMT", time.gmtime(now))
