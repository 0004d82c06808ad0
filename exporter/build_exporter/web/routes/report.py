"""`/api/v1/builds/{build}/report`: a run as a document, read from the journal anew so that it stands still."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from build_exporter.config.views import View
from build_exporter.journal.decode import Decoder
from build_exporter.journal.layout import run_path, runs
from build_exporter.journal.lines import LineFile
from build_exporter.model.events import Event
from build_exporter.queries import request as questions
from build_exporter.queries.context import BadRequestError, Context, NotFoundError
from build_exporter.tracker import Past, Tracker
from build_exporter.web.endpoint import Endpoint, parameters_of, readers, refused
from build_exporter.web.messages import App, Request, Response
from build_exporter.web.routing import Route
from build_exporter.web.service import Service

TYPES: Final = {"json": "application/json", "html": "text/html", "md": "text/markdown", "csv": "text/csv"}
_POLICY: Final = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"


class OfReport(msgspec.Struct, frozen=True, kw_only=True):
    """Which run is reported, and how."""

    build: str
    run: Annotated[str, Meta(max_length=32, description="Name of the run. Default: the newest.")] = ""
    format: Annotated[Literal["json", "html", "md", "csv"], Meta(description="Form of the document.")] = "json"


def _reporting(service: Service) -> App:
    async def answer(request: Request) -> Response:
        try:
            wanted = parameters_of(request, OfReport)
            made = partial(_made, service.context(), wanted, service.views)
            text = await asyncio.get_running_loop().run_in_executor(readers, made)
        except (NotFoundError, BadRequestError) as problem:
            return refused(problem)
        headers = {"cache-control": "no-store", "content-security-policy": _POLICY}
        return Response(text, headers=headers, media_type=TYPES[wanted.format])

    return answer


def _made(context: Context, wanted: OfReport, views: Sequence[View]) -> str:
    # its plots and templates take memory that few need
    from build_exporter.report.data import report  # noqa: PLC0415
    from build_exporter.report.formats import FORMATS, TEMPLATED  # noqa: PLC0415

    question = _question(context, wanted)
    found = report(question, views=views)
    return TEMPLATED[wanted.format](found, None) if wanted.format in TEMPLATED else FORMATS[wanted.format](found)


def _question(context: Context, wanted: OfReport) -> questions.Request:
    known, newest = context.build(wanted.build)
    name = wanted.run or newest.run
    if name not in runs(context.journal, known.name):
        raise NotFoundError(f"no run {name[:32]!r} of {known.name}")
    events = _events(context, known.name, name)
    tracker = Tracker()
    tracker.feed(known.name, name, events)
    tracker.builds[known.name].history = Past({key: each for key, each in dict(known.history).items() if key < name})
    still = Context(tracker.builds, context.now, card=context.card, thresholds=context.thresholds)
    return questions.Request(still, f"the journal {context.journal}", known.name, events=lambda run: events)


def _events(context: Context, build: str, run: str) -> list[Event]:
    file, decoder, events = LineFile(run_path(context.journal, build, run)), Decoder(), list[Event]()
    try:
        while (chunk := file.read()) is not None:
            events += decoder.decode(chunk.data, build)
    except OSError as problem:
        raise NotFoundError(f"run {run} of {build} can't be read: {problem.strerror}") from None
    finally:
        file.close()
    return events


ENDPOINTS: Final = (
    Endpoint(
        "/api/v1/builds/{build}/report",
        "A run as a document: JSON, or a whole page of HTML, Markdown or CSV.",
        OfReport,
        dict[str, Any],
        handler=_reporting,
        forms=[form for form in TYPES.values() if form != "application/json"],
        statuses={400: "The parameters are not as they must be.", 404: "There is no such build or run."},
    ),
)


def routes(service: Service) -> list[Route]:
    """Return the route of reports."""
    return [endpoint.route(service) for endpoint in ENDPOINTS]
