"""The ASGI application: the routes of every topic behind the checks that all requests pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from build_exporter.web.errors import error
from build_exporter.web.origin import HostCheck, SameOrigin
from build_exporter.web.rate import RateLimit
from build_exporter.web.routes import TOPICS
from build_exporter.web.service import Service

_COMMON_HEADERS: Final = ((b"x-content-type-options", b"nosniff"), (b"x-frame-options", b"DENY"))
_UNKNOWN: Final = "other"


def make_app(service: Service) -> ASGIApp:
    """Return the application."""
    routes = [route for topic in TOPICS for route in topic.routes(service)]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _on_http_error, Exception: _on_error})
    names = {route.endpoint: route.path for route in reversed(routes)}
    guarded = RateLimit(HostCheck(SameOrigin(app), lambda: service.hosts), lambda: service.max_requests_per_second)
    return _Counted(guarded, service.counts.requests, names)


async def _on_http_error(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    code = {404: "not-found", 405: "method-not-allowed"}.get(problem.status_code, "error")
    return error(problem.status_code, code, problem.detail, headers=problem.headers)


async def _on_error(request: Request, problem: Exception) -> Response:
    return error(500, "internal", "the exporter met an error it did not expect; its log has it")


class _Counted:
    """Counts answers by handler and status, and puts the headers on that every answer has."""

    def __init__(self, app: ASGIApp, requests: Counter[tuple[str, str]], names: Mapping[Any, str]) -> None:
        self._app = app
        self._requests = requests
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted(message: Message) -> None:
            if message["type"] == "websocket.accept":
                self._requests[self._names.get(scope.get("endpoint"), _UNKNOWN), "101"] += 1
            elif message["type"] in ("http.response.start", "websocket.http.response.start"):
                # the router notes in the scope what it chose; a path itself is no label: whoever asks would make series
                handler = self._names.get(scope.get("endpoint"), _UNKNOWN)
                self._requests[handler, str(message["status"])] += 1
                message["headers"] = [*message.get("headers", ()), *_COMMON_HEADERS]
            await send(message)

        await self._app(scope, receive, counted)
