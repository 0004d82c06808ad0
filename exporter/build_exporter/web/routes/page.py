"""The page at `/`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from build_exporter.web.page import CONTENT_SECURITY_POLICY, render_page
from build_exporter.web.service import Service


def routes(service: Service) -> list[Route]:
    """Return the route of the page."""

    async def page(request: Request) -> Response:
        service.monitor.poll()
        headers = {"content-security-policy": CONTENT_SECURITY_POLICY, "cache-control": "no-store"}
        return HTMLResponse(render_page(service.monitor, service.telemetry_path), headers=headers)

    return [Route("/", page)]
