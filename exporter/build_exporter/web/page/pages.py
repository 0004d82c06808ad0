"""Responses of each address of the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from build_exporter.model.states import BuildState
from build_exporter.queries.context import BadRequestError, NotFoundError
from build_exporter.web.messages import Request, Response, redirect
from build_exporter.web.page import responses, views
from build_exporter.web.page.rows import Rows
from build_exporter.web.service import Service

MOST_KNOWN: Final = 64
"""Builds whose rows are remembered for those who watch them."""


class Pages:
    """Answers the requests of the page, one method a route."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._rows: dict[str, Rows] = {}

    def _rows_of(self, build: str) -> Rows:
        while len(self._rows) >= MOST_KNOWN and build not in self._rows:
            self._rows.pop(next(iter(self._rows)))
        return self._rows.setdefault(build, Rows())

    def _page(self, request: Request, template: str, make: Callable[[], dict[str, Any]], here: str = "/") -> Response:
        common = {"here": here, "telemetry_path": self._service.telemetry_path, "refresh": True, "build_name": ""}
        try:
            return responses.html(request, template, common | make())
        except NotFoundError as problem:
            may_come = self._may_come(request.path_params.get("build", ""))
            return self._message(request, 404, str(problem), may_come=may_come)

    def _may_come(self, build: str) -> bool:
        """Return whether what is missing can still begin: the build itself, or a step of its run while that runs."""
        known = self._service.context().builds.get(build)
        return known is None or known.current is None or known.current.state is BuildState.RUNNING

    def _message(self, request: Request, status: int, message: str, *, may_come: bool = False) -> Response:
        common = {"here": "", "telemetry_path": self._service.telemetry_path, "refresh": may_come, "build_name": ""}
        return responses.html(request, "message.html", common | {"message": message}, status)

    def overview(self, request: Request) -> Response:
        """Return the page of all builds."""
        return self._page(
            request, "board.html", lambda: views.overview(self._service, self._service.context()), here="/"
        )

    def build(self, request: Request) -> Response:
        """Return the page of a build, filtered where the query asks for it."""
        name, live = request.path_params["build"], any(name == "live" for name, _ in request.query)
        given = {key: value for key, value in request.query if key in ("state", "q", "begin") and value}
        try:
            wanted = None if live else _filter(given)
        except BadRequestError as problem:
            return self._message(request, 400, str(problem))
        return self._page(
            request,
            "build.html",
            lambda: views.build_page(self._service, self._service.context(), name, self._rows_of(name), wanted),
        )

    def rows(self, request: Request) -> Response:
        """Return the rows of the table of steps that changed since a cursor, as `rows.Changes`."""
        name, cursor = request.path_params["build"], request.parameter("since")
        try:
            found = views.changed_rows(self._service.context(), name, self._rows_of(name), cursor)
        except NotFoundError as problem:
            return self._message(request, 404, str(problem))
        return responses.json(request, found)

    def runs(self, request: Request) -> Response:
        """Return the page of a build's runs."""
        name = request.path_params["build"]
        return self._page(request, "runs.html", lambda: views.runs_page(self._service.context(), name))

    def steps(self, request: Request) -> Response:
        """Return the way to the table of steps."""
        return redirect(f"/builds/{request.path_params['build']}#steps")

    def step(self, request: Request) -> Response:
        """Return the page of a step."""
        # names may hold a slash, which only the path as it was sent distinguishes from those between them
        raw = request.raw_path.decode("latin-1")
        parts = [unquote(part) for part in raw.split("/")[4:]]
        if len(parts) != 2:
            return self._message(request, 404, "a step is named by its phase and its name")
        name, (phase, step) = request.path_params["build"], parts
        return self._page(request, "step.html", lambda: views.step_page(self._service.context(), name, phase, step))

    def alerts(self, request: Request) -> Response:
        """Return the page of alerts."""
        return self._page(request, "alerts.html", self._alerts, here="/alerts")

    def _alerts(self) -> dict[str, Any]:
        alerting = self._service.alerts
        return views.alerts_page(self._service.context()) | {"unheard": alerting.reach.unheard() if alerting else ""}

    def runbook(self, request: Request) -> Response:
        """Return the runbook."""
        from build_exporter.web.page.runbook import runbook  # noqa: PLC0415 - Markdown's reader is for this page alone

        return self._page(request, "runbook.html", lambda: {"runbook": runbook(), "refresh": False}, here="/runbook")

    def static(self, request: Request) -> Response:
        """Return a script or a style."""
        name = request.path_params["name"]
        return responses.static(request, name) or self._message(request, 404, "no such file")

    def icon(self, request: Request) -> Response:
        """Return the icon of a state."""
        return responses.icon(request.path_params["name"]) or self._message(request, 404, "no such icon")


def _filter(given: dict[str, str]) -> views.Wanted:
    try:
        return msgspec.convert(given, views.Wanted, strict=False)
    except msgspec.ValidationError as problem:
        raise BadRequestError(str(problem)) from None
