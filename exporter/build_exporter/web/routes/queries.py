"""`/api/v1/queries…`: the answers of the query commands as JSON, live or of an earlier run."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from build_exporter.model.names import MAX_TIME
from build_exporter.queries.commands import SUMMARIES, find
from build_exporter.queries.common import Answer
from build_exporter.queries.context import BadRequestError, Context, NotFoundError
from build_exporter.queries.request import NoSamples, Request, Window
from build_exporter.queries.run_reader import JournalRuns
from build_exporter.tracker import Tracker
from build_exporter.web.endpoint import Endpoint, Nothing
from build_exporter.web.routing import Route
from build_exporter.web.service import Service

OF_THE_COMMAND: Final = frozenset({"saved", "fit", "database", "network", "services", "resources", "response-times"})
"""Queries that need metrics, Prometheus or the machine they are asked on: the command line answers them."""

Word = Annotated[str, Meta(max_length=256)]
Moment = Annotated[float, Meta(ge=0, le=MAX_TIME, description="Unix time.")]


class QuerySummary(Answer, frozen=True):
    """A query, what it answers, and the parameters it takes beside those that all take."""

    query: str
    summary: str
    parameters: list[str]


class QueryAnswer(Answer, frozen=True):
    """An answer: the rows of its table, what a person reads before them, and whether something is not fine."""

    query: str
    now: float
    not_fine: bool
    summary: list[str]
    rows: list[dict[str, Any]]
    answer: dict[str, Any] | None


class OfQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which query, about which build and run, within which time; and what some queries take beside that."""

    query: Word
    build: Word | None = None
    run: Annotated[Word | None, Meta(description="`newest` and `previous` name the last two.")] = None
    since: Moment | None = None
    until: Moment | None = None
    status: Word | None = None
    phase: Word | None = None
    severity: Word | None = None
    class_: Annotated[Word | None, Meta(description="A failure class.")] = None
    threshold: float | None = None
    tolerance: Annotated[float, Meta(ge=0, le=10)] | None = None
    trend: Word | None = None
    bucket: Annotated[float, Meta(ge=1, le=1e9, description="Seconds.")] | None = None
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 1000


_FILTERS: Final = ("status", "phase", "severity", "class", "threshold", "tolerance", "trend", "bucket")


def listed(context: Context, asked: Nothing) -> list[QuerySummary]:
    """Return the queries that are answered here."""
    return [
        QuerySummary(query=name, summary=text, parameters=[each for each in find(name).filters if each in _FILTERS])
        for name, text in SUMMARIES.items()
        if name not in OF_THE_COMMAND
    ]


def answered(context: Context, asked: OfQuery) -> QueryAnswer:
    """Return the answer of a query.

    Raises:
        NotFoundError: there is no such query, build or run.
        BadRequestError: the query does not take a parameter that was given, or not this value.
    """
    if asked.query not in SUMMARIES or asked.query in OF_THE_COMMAND:
        names = ", ".join(name for name in SUMMARIES if name not in OF_THE_COMMAND)
        raise NotFoundError(f"no query {asked.query!r}; there are: {names}")
    query = find(asked.query)
    given = {name: getattr(asked, name if name != "class" else "class_") for name in _FILTERS}
    foreign = [name for name, value in given.items() if value is not None and name not in query.filters]
    if foreign:
        raise BadRequestError(f"{asked.query} takes no {foreign[0]}; it takes: {', '.join(query.filters) or 'none'}")
    try:
        reply = query.run(_request(context, asked, {name: given.get(name) for name in query.filters}))
    except (ValueError, KeyError, TypeError) as problem:
        raise BadRequestError(f"{asked.query}: {problem}") from None
    return QueryAnswer(
        query=asked.query,
        now=context.now,
        not_fine=reply.bad,
        summary=list(reply.lines),
        rows=[msgspec.to_builtins(row) for row in reply.rows[: asked.limit]],
        answer=msgspec.to_builtins(reply.answer) if reply.answer is not None else None,
    )


def _request(context: Context, asked: OfQuery, filters: dict[str, Any]) -> Request:
    window = None
    if asked.since is not None or asked.until is not None:
        window = Window(asked.since or 0.0, asked.until if asked.until is not None else context.now)
        if window.since >= window.until:
            raise BadRequestError("the window of time ends before it begins")
    tracker = Tracker()
    tracker.builds = dict(context.builds)
    reader = JournalRuns(context.journal, tracker)
    return Request(
        context, "the exporter", asked.build, asked.run, window, filters, NoSamples(), older=reader.older,
        read_history=reader.read_history, load=reader.load, events=reader.events,
    )  # fmt: skip


ENDPOINTS: Final = (
    Endpoint("/api/v1/queries", "The queries that can be asked.", Nothing, list[QuerySummary], listed),
    Endpoint(
        "/api/v1/queries/{query}",
        "The answer of a query command.",
        OfQuery,
        QueryAnswer,
        answered,
        reads_files=True,
    ),
)


def routes(service: Service) -> list[Route]:
    """Return the routes of the queries."""
    return [endpoint.route(service) for endpoint in ENDPOINTS]
