"""The ASGI application: metrics, health, reload and the page."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from build_exporter.collectors.scrape import Scrape
from build_exporter.exposition import negotiate
from build_exporter.monitor import Monitor
from build_exporter.web.compress import MIN_BYTES, accepts_gzip, compress
from build_exporter.web.errors import error
from build_exporter.web.origin import OwnHost, SameOrigin
from build_exporter.web.page import CONTENT_SECURITY_POLICY, render_page

log = logging.getLogger(__name__)

_COMMON_HEADERS: Final = ((b"x-content-type-options", b"nosniff"), (b"x-frame-options", b"DENY"))
_UNKNOWN: Final = "other"


@dataclass(slots=True)
class Service:
    """What the application serves.

    `reload` reads the configuration again and returns what is wrong with it, empty when it was taken. `hosts` are the
    names, beside the machine's own, under which it may be asked over loopback. `scraped_at` is when Prometheus last
    took the metrics, in Unix seconds, 0 for never.
    """

    monitor: Monitor
    scrape: Scrape
    reload: Callable[[], str]
    telemetry_path: str = "/metrics"
    hosts: tuple[str, ...] = ()
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    scraped_at: float = 0.0


def make_app(service: Service) -> ASGIApp:
    """Return the application."""
    handlers = _Handlers(service)
    routes = [
        # first, so that metrics may be at / where somebody wants them there
        Route(service.telemetry_path, handlers.metrics),
        Route("/", handlers.page),
        Route("/-/healthy", handlers.healthy),
        Route("/-/ready", handlers.ready),
        Route("/-/reload", handlers.reload, methods=["POST", "PUT"]),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _on_http_error, Exception: _on_error})
    known = frozenset(route.path for route in routes)
    return _Counted(OwnHost(SameOrigin(app), lambda: service.hosts), service.requests, known)


class _Handlers:
    def __init__(self, service: Service) -> None:
        self._service = service

    async def metrics(self, request: Request) -> Response:
        form = negotiate(request.headers.get("accept", ""))
        self._service.monitor.poll()
        if request.headers.get("user-agent", "").startswith("Prometheus/"):
            self._service.scraped_at = self._service.monitor.clock()
        body = self._service.scrape.body(form)
        headers = {"content-type": form.content_type, "vary": "Accept, Accept-Encoding"}
        if len(body) >= MIN_BYTES and accepts_gzip(request.headers.get("accept-encoding", "")):
            body = compress(body)
            headers["content-encoding"] = "gzip"
        return Response(body, headers=headers)

    async def page(self, request: Request) -> Response:
        self._service.monitor.poll()
        headers = {"content-security-policy": CONTENT_SECURITY_POLICY, "cache-control": "no-store"}
        return HTMLResponse(render_page(self._service.monitor, self._service.telemetry_path), headers=headers)

    async def healthy(self, request: Request) -> Response:
        return PlainTextResponse("build-exporter is healthy.\n")

    async def ready(self, request: Request) -> Response:
        if self._service.monitor.ready:
            return PlainTextResponse("build-exporter is ready.\n")
        return PlainTextResponse("build-exporter is reading its journal.\n", 503)

    async def reload(self, request: Request) -> Response:
        wrong = self._service.reload()
        if wrong:
            return error(422, "invalid-configuration", "the configuration was not taken; the old one stays", wrong)
        return PlainTextResponse("configuration reloaded\n")


async def _on_http_error(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    code = {404: "not-found", 405: "method-not-allowed"}.get(problem.status_code, "error")
    return error(problem.status_code, code, problem.detail, headers=problem.headers)


async def _on_error(request: Request, problem: Exception) -> Response:
    return error(500, "internal", "the exporter met an error it did not expect; its log has it")


class _Counted:
    """Counts answers by handler and status, and puts the headers on that every answer has."""

    def __init__(self, app: ASGIApp, requests: Counter[tuple[str, str]], known: frozenset[str]) -> None:
        self._app = app
        self._requests = requests
        self._known = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # an unknown path is no label: whoever asks would make series
        handler = scope["path"] if scope["path"] in self._known else _UNKNOWN

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._requests[handler, str(message["status"])] += 1
                message["headers"] = [*message.get("headers", ()), *_COMMON_HEADERS]
            await send(message)

        await self._app(scope, receive, counted)
