"""`/api/v1/probes`: the services that builds need."""

from __future__ import annotations

from typing import Final

from build_exporter.queries.probe_list import Probes, probe_list
from build_exporter.web.endpoint import Endpoint, Nothing
from build_exporter.web.routing import Route
from build_exporter.web.service import Service

ENDPOINTS: Final = (
    Endpoint(
        "/api/v1/probes",
        "The services that are probed: newest result, since when it is so, and the results before.",
        Nothing,
        Probes,
        lambda context, _: probe_list(context),
    ),
)


def routes(service: Service) -> list[Route]:
    """Return the routes of probes."""
    return [endpoint.route(service) for endpoint in ENDPOINTS]
