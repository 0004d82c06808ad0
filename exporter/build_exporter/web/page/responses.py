"""Answers that are pages: HTML under a strict policy, static files with an entity tag, compressed where that helps."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from build_exporter.web.compress import MIN_BYTES, accepts_gzip, compress
from build_exporter.web.messages import Request, Response
from build_exporter.web.page.templates import render

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing but the exporter's own files may run or load, whatever text a log puts on a page."""

_TYPES: Final = {".css": "text/css", ".js": "text/javascript"}
_COLOURS: Final = {
    "idle": "#6b7580",
    "pending": "#6b7580",
    "running": "#2f7fe0",
    "succeeded": "#2b9348",
    "failed": "#d8353f",
    "interrupted": "#8a5be0",
}


def html(request: Request, template: str, values: Mapping[str, object], status: int = 200) -> Response:
    """Return a page; `values` are what its template shows."""
    headers = {"content-security-policy": CONTENT_SECURITY_POLICY, "cache-control": "no-store"}
    body = render(template, values).encode("utf-8", "replace")
    return _compressed(request, Response(body, status, headers, "text/html"))


def json(request: Request, value: object) -> Response:
    """Return a value as JSON."""
    headers = {"cache-control": "no-store"}
    return _compressed(request, Response(msgspec.json.encode(value), 200, headers, "application/json"))


class _File(NamedTuple):
    body: bytes
    media_type: str
    tag: str


@cache
def _static() -> dict[str, _File]:
    found = {}
    for each in Path(__file__).with_name("static").iterdir():
        kind = _TYPES.get(each.name[each.name.rfind(".") :])
        if kind is not None:
            body = each.read_bytes()
            found[each.name] = _File(body, kind, f'W/"{zlib.crc32(body):08x}-{len(body):x}"')
    return found


def static(request: Request, name: str) -> Response | None:
    """Return a script or a style, 304 where the browser has it already; None where there is none of that name."""
    file = _static().get(name)
    if file is None:
        return None
    headers = {"etag": file.tag, "cache-control": "no-cache", "vary": "Accept-Encoding"}
    known = [each.strip().removeprefix("W/") for each in request.header(b"if-none-match").split(",")]
    if file.tag.removeprefix("W/") in known or known == ["*"]:
        return Response(status=304, headers=headers)
    return _compressed(request, Response(file.body, 200, headers, file.media_type))


def icon(state: str) -> Response | None:
    """Return the icon of the tab in the colour of a state, None for a state there is not."""
    colour = _COLOURS.get(state)
    if colour is None:
        return None
    headers = {"cache-control": "max-age=86400"}
    return Response(render("icon.svg", {"colour": colour}), 200, headers, "image/svg+xml")


def _compressed(request: Request, answer: Response) -> Response:
    if len(answer.body) >= MIN_BYTES and accepts_gzip(request.header(b"accept-encoding")):
        answer.body = compress(answer.body)
        answer.headers["content-encoding"] = "gzip"
    answer.headers["vary"] = "Accept-Encoding"
    return answer
