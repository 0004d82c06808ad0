"""Health, readiness and reload, under `/-/`."""

from __future__ import annotations

from build_exporter.web.errors import error
from build_exporter.web.messages import Request, Response
from build_exporter.web.routing import Route
from build_exporter.web.service import Service


def routes(service: Service) -> list[Route]:
    """Return the routes that a service manager and an operator use."""

    def healthy(request: Request) -> Response:
        return _text("build-exporter is healthy.\n")

    def ready(request: Request) -> Response:
        if service.monitor.ready:
            return _text("build-exporter is ready.\n")
        return _text("build-exporter is reading its journal.\n", 503)

    def reload(request: Request) -> Response:
        wrong = service.reload()
        if wrong:
            return error(422, "invalid-configuration", "the configuration was not accepted; the old one stays", wrong)
        return _text("configuration reloaded\n")

    return [
        Route("/-/healthy", healthy),
        Route("/-/ready", ready),
        Route("/-/reload", reload, ["POST", "PUT"]),
    ]


def _text(words: str, status: int = 200) -> Response:
    return Response(words, status, media_type="text/plain")
