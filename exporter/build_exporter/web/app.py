"""The ASGI application: the routes of every topic behind the checks that all requests pass."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from build_exporter.collectors.exporter import WebCounts
from build_exporter.web.errors import error
from build_exporter.web.origin import HostCheck, SameOrigin
from build_exporter.web.rate import RateLimit
from build_exporter.web.routes import BUSY, TOPICS
from build_exporter.web.routes.page import PAGES
from build_exporter.web.service import Service

_COMMON_HEADERS: Final = ((b"x-content-type-options", b"nosniff"), (b"x-frame-options", b"DENY"))
_UNKNOWN: Final = "other"


def _is_load(scope: Scope) -> bool:
    """Return whether a person opened a page: what the page itself asks for again says so in its query."""
    return scope["method"] == "GET" and b"live" not in scope.get("query_string", b"").split(b"&")


def make_app(service: Service) -> ASGIApp:
    """Return the application."""
    routes = [route for topic in sorted(TOPICS, key=lambda topic: topic not in BUSY) for route in topic.routes(service)]
    if service.mcp is not None:
        routes.append(Route("/mcp", service.mcp))
    app = ExceptionMiddleware(Router(routes), {HTTPException: _on_http_error})
    names = {route.endpoint: route.path for route in reversed(routes)}
    guarded = RateLimit(HostCheck(SameOrigin(app), lambda: service.hosts), lambda: service.max_requests_per_second)
    return _Counted(guarded, service.counts, names)


async def _on_http_error(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    code = {404: "not-found", 405: "method-not-allowed"}.get(problem.status_code, "error")
    return error(problem.status_code, code, problem.detail, headers=problem.headers)


class _Counted:
    """Counts and times answers by handler and status, and puts the headers on that every answer has.

    It stands for the application of the library, which would load a table of HTML's 2,231 entities for its own pages.
    """

    def __init__(self, app: ASGIApp, counts: WebCounts, names: Mapping[Any, str]) -> None:
        self._app = app
        self._counts = counts
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        has_begun = False
        # by this the router leaves the answer of what it does not know to the handler above
        scope["app"] = self

        async def counted(message: Message) -> None:
            nonlocal has_begun
            # the router notes in the scope what it chose; a path itself is no label: whoever asks would make series
            if message["type"] == "websocket.accept":
                self._counts.requests[self._names.get(scope.get("endpoint"), _UNKNOWN), "101"] += 1
            elif message["type"] in ("http.response.start", "websocket.http.response.start"):
                has_begun = True
                handler = self._names.get(scope.get("endpoint"), _UNKNOWN)
                self._counts.answered(handler, message["status"], time.perf_counter() - began)
                if handler in PAGES and message["status"] == 200 and _is_load(scope):
                    self._counts.page_loads[handler] += 1
                message["headers"] = [*message.get("headers", ()), *_COMMON_HEADERS]
            await send(message)

        try:
            await self._app(scope, receive, counted)
        except Exception:
            if scope["type"] == "http" and not has_begun:
                answer = error(500, "internal", "the exporter met an error it did not expect; its log has it")
                await answer(scope, receive, counted)
            # the server logs it
            raise
