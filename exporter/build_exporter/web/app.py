"""The application: the routes of every topic behind the checks that all requests pass."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable
from typing import Final

from build_exporter.collectors.exporter import WebCounts
from build_exporter.web.errors import error
from build_exporter.web.messages import Answer, App, Request, Response, then
from build_exporter.web.origin import HostCheck, cross_origin
from build_exporter.web.rate import RateLimit
from build_exporter.web.routes import TOPICS
from build_exporter.web.routes.page import PAGES
from build_exporter.web.routing import Route, Router
from build_exporter.web.service import Service

log = logging.getLogger(__name__)

_COMMON_HEADERS: Final = {"x-content-type-options": "nosniff", "x-frame-options": "DENY"}


def make_app(service: Service) -> App:
    """Return the application."""
    routes = [route for topic in TOPICS for route in topic.routes(service)]
    if service.mcp is not None:
        routes.append(Route("/mcp", service.mcp, methods=()))
    router = Router(routes)
    limit = RateLimit(lambda: service.max_requests_per_second)
    hosts = HostCheck(lambda: service.hosts)

    def guarded(request: Request) -> Answer:
        return limit.refusal(request) or hosts.refusal(request) or cross_origin(request) or router(request)

    return _Counted(guarded, service.counts)


class _Counted:
    """Counts and times answers by handler and status, and puts the headers on that every answer has."""

    def __init__(self, app: App, counts: WebCounts) -> None:
        self._app = app
        self._counts = counts

    def __call__(self, request: Request) -> Answer:
        began = time.perf_counter()
        try:
            answer = self._app(request)
        except Exception:
            log.exception("answering a request failed")
            answer = _failed()
        if not isinstance(answer, Response):
            answer = _caught(answer)
        return then(answer, lambda found: self._count(request, found, began))

    def _count(self, request: Request, found: Response, began: float) -> Response:
        # a path itself is no label: whoever asks would make series
        if found.status == 101:
            self._counts.requests[request.handler, "101"] += 1
            return found
        self._counts.answered(request.handler, found.status, time.perf_counter() - began)
        # a person opened a page: what the page itself asks for again says so in its query
        if request.handler in PAGES and (request.method, found.status) == ("GET", 200):
            self._counts.page_loads[request.handler] += ("live", "") not in request.query
        found.headers |= _COMMON_HEADERS
        return found


async def _caught(coming: Awaitable[Response]) -> Response:
    try:
        return await coming
    except Exception:
        log.exception("answering a request failed")
        return _failed()


def _failed() -> Response:
    return error(500, "internal", "the exporter met an error it did not expect; its log has it")
