"""Health, readiness and reload, under `/-/`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from build_exporter.web.errors import error
from build_exporter.web.service import Service


def routes(service: Service) -> list[Route]:
    """Return the routes that a service manager and an operator use."""

    async def healthy(request: Request) -> Response:
        return PlainTextResponse("build-exporter is healthy.\n")

    async def ready(request: Request) -> Response:
        if service.monitor.ready:
            return PlainTextResponse("build-exporter is ready.\n")
        return PlainTextResponse("build-exporter is reading its journal.\n", 503)

    async def reload(request: Request) -> Response:
        wrong = service.reload()
        if wrong:
            return error(422, "invalid-configuration", "the configuration was not accepted; the old one stays", wrong)
        return PlainTextResponse("configuration reloaded\n")

    return [
        Route("/-/healthy", healthy),
        Route("/-/ready", ready),
        Route("/-/reload", reload, methods=["POST", "PUT"]),
    ]
