"""Endpoints of the API as rows: path, parameters, answer. Routes, OpenAPI and the reference page come from them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from build_exporter.queries.context import BadRequestError, Context, NotFoundError
from build_exporter.web.errors import error
from build_exporter.web.messages import Answer, App, Request, Response
from build_exporter.web.routing import Route
from build_exporter.web.service import Service

P = TypeVar("P", bound=msgspec.Struct)
readers: Final = ThreadPoolExecutor(4, "queries")
"""Apart from the loop's own threads: a file system that hangs holds up no more than these."""
_encode: Final = msgspec.json.Encoder().encode


class JsonResponse(Response):
    """An answer of the API as JSON, never kept by a cache."""

    __slots__ = ()

    def __init__(self, answer: object, status: int = 200) -> None:
        super().__init__(_encode(answer), status, {"cache-control": "no-store"}, "application/json")


class Nothing(msgspec.Struct, frozen=True):
    """No parameters."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of the API.

    Attributes:
        path: with the names of parameters in braces.
        summary: in one line what is answered.
        parameters: a Struct of the path's and the query's parameters.
        answer: the type of the answer.
        ask: makes the answer of the parameters, or raises NotFoundError or BadRequestError.
        reads_files: whether it is asked in a thread.
        method: GET, or another one with a handler of its own.
        body: the type of a request's body.
        handler: returns what answers where `ask` does not.
        forms: media types, beside JSON, that an answer may have where it is asked for.
        statuses: further status codes than 200, and 400, 404 of questions, with what they mean.
    """

    path: str
    summary: str
    parameters: type[msgspec.Struct]
    answer: Any
    ask: Callable[[Context, Any], object] | None = None
    reads_files: bool = False
    method: str = "GET"
    body: Any = None
    handler: Callable[[Service], App] | None = None
    forms: Sequence[str] = ()
    statuses: Mapping[int, str] | None = None

    def route(self, service: Service) -> Route:
        """Return the route that answers."""
        handler = self.handler(service) if self.handler is not None else self._question(service)
        return Route(self.path, handler, [self.method])

    def _question(self, service: Service) -> App:
        ask = self.ask
        assert ask is not None

        def answer(request: Request) -> Answer:
            try:
                asked = partial(ask, service.context(), parameters_of(request, self.parameters))
                return _in_thread(asked) if self.reads_files else JsonResponse(asked())
            except (NotFoundError, BadRequestError) as problem:
                return refused(problem)

        return answer


async def _in_thread(asked: Callable[[], object]) -> Response:
    try:
        return JsonResponse(await asyncio.get_running_loop().run_in_executor(readers, asked))
    except (NotFoundError, BadRequestError) as problem:
        return refused(problem)


def refused(problem: NotFoundError | BadRequestError) -> Response:
    """Return the answer to a question that has none."""
    is_missing = isinstance(problem, NotFoundError)
    return error(404 if is_missing else 400, "not-found" if is_missing else "bad-request", str(problem))


def parameters_of(request: Request, form: type[P]) -> P:
    """Return the parameters of a request's path and query.

    Raises:
        BadRequestError: one is unknown, given twice, or not as its type wants it.
    """
    given: dict[str, str] = {}
    for name, value in request.query:
        if name in given or name in request.path_params or name not in form.__struct_fields__:
            allowed = ", ".join(name for name in form.__struct_fields__ if name not in request.path_params) or "none"
            raise BadRequestError(f"parameter {name[:64]!r} is unknown or given twice; allowed: {allowed}")
        given[name] = value
    try:
        return msgspec.convert(given | request.path_params, form, strict=False)
    except msgspec.ValidationError as problem:
        raise BadRequestError(str(problem)) from None
