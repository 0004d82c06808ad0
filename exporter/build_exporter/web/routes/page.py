"""The live page: builds, a build, a step, runs, alerts, the runbook, and the files they load.

What makes the pages is loaded with the first of them: an exporter that only Prometheus asks does without.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from build_exporter.web.messages import Request, Response
from build_exporter.web.routing import Route
from build_exporter.web.service import Service

if TYPE_CHECKING:
    from build_exporter.web.page.pages import Pages

PATHS: Final = {
    "/": "overview",
    "/builds/{build}": "build",
    "/builds/{build}/rows": "rows",
    "/builds/{build}/runs": "runs",
    "/builds/{build}/steps": "steps",
    "/builds/{build}/steps/{rest:path}": "step",
    "/alerts": "alerts",
    "/runbook": "runbook",
    "/static/{name}": "static",
    "/icon/{name}.svg": "icon",
}
"""Addresses and the methods of `Pages` that answer them."""

PAGES: Final = frozenset({"/", "/builds/{build}", "/builds/{build}/runs", "/builds/{build}/steps/{rest:path}"}) | {
    "/alerts",
    "/runbook",
}
"""Those that a person opens."""


def routes(service: Service) -> list[Route]:
    """Return the routes of the page."""

    @cache
    def pages() -> Pages:
        from build_exporter.web.page.pages import Pages  # noqa: PLC0415

        return Pages(service)

    def route(path: str, method: str) -> Route:
        def answer(request: Request) -> Response:
            found: Response = getattr(pages(), method)(request)
            return found

        return Route(path, answer)

    return [route(path, method) for path, method in PATHS.items()]
