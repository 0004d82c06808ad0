"""Endpoints of the API as rows: path, parameters, answer. Routes, OpenAPI and the reference page come from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from build_exporter.queries.context import BadRequestError, NotFoundError
from build_exporter.web.errors import error
from build_exporter.web.service import Service

P = TypeVar("P", bound=msgspec.Struct)
_encode: Final = msgspec.json.Encoder().encode


class JsonResponse(Response):
    """An answer of the API: a msgspec Struct as JSON, never kept by a cache."""

    media_type = "application/json"

    def __init__(self, answer: object, status: int = 200) -> None:
        super().__init__(_encode(answer), status, {"cache-control": "no-store"})


class Nothing(msgspec.Struct, frozen=True):
    """No parameters."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One GET of the API.

    `parameters` is a Struct of the path's and the query's parameters, `ask` makes the answer (a Struct of type
    `answer`) of them, or raises NotFoundError or BadRequestError. `summary` says in one line what is answered.
    """

    path: str
    summary: str
    parameters: type[msgspec.Struct]
    answer: type[msgspec.Struct]
    ask: Callable[[Service, Any], msgspec.Struct]

    def route(self, service: Service) -> Route:
        """Return the route that answers."""

        async def answer(request: Request) -> Response:
            try:
                return JsonResponse(self.ask(service, parameters_of(request, self.parameters)))
            except NotFoundError as problem:
                return error(404, "not-found", str(problem))
            except BadRequestError as problem:
                return error(400, "bad-request", str(problem))

        return Route(self.path, answer)


def parameters_of(request: Request, form: type[P]) -> P:
    """Return the parameters of a request's path and query.

    Raises:
        BadRequestError: one is unknown, given twice, or not as its type wants it.
    """
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in given or name in request.path_params or name not in form.__struct_fields__:
            allowed = ", ".join(name for name in form.__struct_fields__ if name not in request.path_params) or "none"
            raise BadRequestError(f"parameter {name[:64]!r} is unknown or given twice; allowed: {allowed}")
        given[name] = value
    try:
        return msgspec.convert(given | request.path_params, form, strict=False)
    except msgspec.ValidationError as problem:
        raise BadRequestError(str(problem)) from None
