"""`/api/v1/alerts…`: alerts and their history."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.routing import Route

from build_exporter.queries.alerts import Alerts, AlertStats, alert_stats, alerts
from build_exporter.web.endpoint import Endpoint
from build_exporter.web.service import Service


class OfAlerts(msgspec.Struct, frozen=True, kw_only=True):
    """Which alerts are asked for: of one build or all; `history=false` leaves those that are over out."""

    build: str | None = None
    history: bool = True


ENDPOINTS: Final = (
    Endpoint(
        "/api/v1/alerts",
        "Alerts that fire, and those that are over.",
        OfAlerts,
        Alerts,
        lambda c, p: alerts(c, p.build, history=p.history),
    ),
    Endpoint(
        "/api/v1/alerts/stats",
        "The history of alerts in figures, and advice on thresholds.",
        OfAlerts,
        AlertStats,
        lambda c, p: alert_stats(c, p.build),
    ),
)


def routes(service: Service) -> list[Route]:
    """Return the routes of alerts."""
    return [endpoint.route(service) for endpoint in ENDPOINTS]
