"""Routes by topic: each file exports `routes(service)`, and `ENDPOINTS` where it is part of the API."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from build_exporter.web.endpoint import Endpoint
from build_exporter.web.routes import (
    alerts,
    api,
    builds,
    events,
    management,
    metrics,
    page,
    probes,
    queries,
    report,
    stream,
)

TOPICS: Final[tuple[ModuleType, ...]] = (
    metrics,
    page,
    management,
    builds,
    queries,
    report,
    events,
    stream,
    alerts,
    probes,
    api,
)
"""Metrics first: they may be at / where somebody wants them there."""
ENDPOINTS: Final[tuple[Endpoint, ...]] = tuple(row for topic in TOPICS for row in getattr(topic, "ENDPOINTS", ()))
"""The API's endpoints, in the order of the reference page."""
