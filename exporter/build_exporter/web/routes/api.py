"""`/api/v1/openapi.json` and `/api/v1/sd`: what the API is, and where Prometheus finds this exporter."""

from __future__ import annotations

import re
import socket
from functools import cache
from typing import Final

import msgspec

from build_exporter.web.endpoint import Endpoint, JsonResponse, Nothing
from build_exporter.web.messages import App, Request, Response
from build_exporter.web.routing import Route
from build_exporter.web.service import Service

_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")


def _discovery(service: Service) -> App:
    def discovery(request: Request) -> Response:
        host = request.header(b"host")
        address, port = request.server
        target = host if _HOST.fullmatch(host) else f"{address}:{port}"
        labels = {
            "__scheme__": "https" if request.is_secure else "http",
            "__metrics_path__": service.telemetry_path,
            "builder": socket.gethostname(),
        }
        return JsonResponse([{"targets": [target], "labels": labels}])

    return discovery


ENDPOINTS: Final = (
    Endpoint(
        "/api/v1/sd",
        "This exporter as a target, in the form of Prometheus' http_sd.",
        Nothing,
        list[dict[str, list[str] | dict[str, str]]],
        handler=_discovery,
    ),
)


def routes(service: Service) -> list[Route]:
    """Return the routes that describe the API and the exporter."""

    def openapi(request: Request) -> Response:
        return Response(_openapi(), media_type="application/json")

    return [Route("/api/v1/openapi.json", openapi), *(endpoint.route(service) for endpoint in ENDPOINTS)]


@cache
def _openapi() -> bytes:
    from build_exporter.web.openapi import document  # noqa: PLC0415 - seldom asked for
    from build_exporter.web.routes import ENDPOINTS as EVERY  # noqa: PLC0415 - the list that this file is part of

    return msgspec.json.encode(document(EVERY))
