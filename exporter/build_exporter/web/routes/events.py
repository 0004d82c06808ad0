"""`POST /api/v1/events`: events of programs and machines that can't write to the journal themselves."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from build_exporter.journal.ingest import Ingest
from build_exporter.model.events import AnyEvent
from build_exporter.model.names import FUTURE_TOLERANCE_SECONDS
from build_exporter.queries.context import BadRequestError
from build_exporter.web.endpoint import Endpoint, JsonResponse, Nothing
from build_exporter.web.errors import error
from build_exporter.web.ingest import Batch, Ingested, TooManyEventsError, lines_of, read_batch
from build_exporter.web.messages import App, ClientGoneError, Request, Response
from build_exporter.web.routing import Route
from build_exporter.web.service import Service

log = logging.getLogger(__name__)

MOST_HELD_BYTES: Final = 64 * 1024 * 1024
"""Of bodies that have begun and not ended; a larger `web.max_body_bytes` has room for two of its own."""
SMALL_BYTES: Final = 64 * 1024
"""Of a body that there is always room for."""


class BodyTooLargeError(ValueError):
    """A request's body is larger than the configuration allows."""


class BusyBodiesError(Exception):
    """Too many bodies have begun and not ended."""


class _Bodies:
    """The bytes of bodies that have begun and not ended, of all clients together."""

    held = 0


_bodies: Final = _Bodies()


def _accepting(service: Service) -> App:
    ingest = Ingest(service.monitor.follower.root)
    lock = asyncio.Lock()

    async def accept(request: Request) -> Response:
        if request.header(b"content-encoding", "identity") != "identity":
            return error(415, "unsupported-encoding", "send the body without content-encoding")
        try:
            body = await body_of(request, service.max_body_bytes)
            lines = lines_of(body, request.header(b"content-type"))
            batch = read_batch(lines, service.monitor.clock() + FUTURE_TOLERANCE_SECONDS)
        except (BodyTooLargeError, BusyBodiesError) as problem:
            return refused_body(problem)
        except TooManyEventsError as problem:
            return error(413, "too-many-events", str(problem))
        except BadRequestError as problem:
            return error(400, "not-json", str(problem))
        try:
            async with lock:
                if batch.events:
                    service.monitor.decoder.expect(batch.pieces[0].lines, batch.pieces[0].build, batch.events)
                await _append(ingest, batch)
        except OSError as problem:
            log.warning("posted events can't be written", extra={"error": problem.strerror or str(problem)})
            return error(507, "journal-not-writable", f"the journal can't be written: {problem.strerror}")
        return _answer(service, batch)

    return accept


def _answer(service: Service, batch: Batch) -> Response:
    answer = batch.answer
    service.counts.ingested["accepted"] += answer.accepted
    service.counts.ingested["rejected"] += answer.rejected
    if answer.rejected and not answer.accepted:
        return error(422, "no-event-accepted", "no event of the batch could be accepted", answer)
    return JsonResponse(answer, 207 if answer.rejected else 200)


ENDPOINTS: Final = (
    Endpoint(
        "/api/v1/events",
        "Appends events to the runs of their builds.",
        Nothing,
        Ingested,
        method="POST",
        body=list[AnyEvent],
        handler=_accepting,
        statuses={
            207: "Some of the events were rejected; the answer says which.",
            400: "The body is neither an event nor an array of events.",
            413: "The body has more than 5,000 events, or more bytes than `web.max_body_bytes` (10 MiB).",
            415: "The body has a content encoding.",
            422: "No event could be accepted; `details` says why.",
            503: "Too many large bodies have begun and not ended; try again.",
            507: "The journal can't be written.",
        },
    ),
)


def routes(service: Service) -> list[Route]:
    """Return the route that accepts events."""
    return [endpoint.route(service) for endpoint in ENDPOINTS]


async def _append(ingest: Ingest, batch: Batch) -> None:
    for piece in batch.pieces:
        if ingest.is_ready(piece):
            ingest.append(piece)
        else:
            # it may have to wait for the build's lock
            await asyncio.to_thread(ingest.append, piece)


def refused_body(problem: BodyTooLargeError | BusyBodiesError) -> Response:
    """Return the answer to a client whose body is not taken."""
    if isinstance(problem, BodyTooLargeError):
        return error(413, "too-large", str(problem), headers={"connection": "close"})
    return error(503, "busy", str(problem), headers={"connection": "close", "retry-after": "5"})


async def body_of(request: Request, limit: int) -> bytes:
    """Return a request's body.

    Raises:
        BodyTooLargeError: it has more bytes than `limit`. A body of up to twice the limit is read all the same, because
            many clients see no answer before they have sent everything.
        BusyBodiesError: it is not small, and those that others have begun leave no room for it.
        BadRequestError: the client went before its end.
    """
    reported = request.header(b"content-length", "0")
    if not reported.isdigit() or int(reported) > 2 * limit:
        raise BodyTooLargeError(f"a body has at most {limit} bytes, not {reported[:32]}")
    parts: list[bytes] = []
    size = 0
    held = 0
    try:
        async for part in request.body:
            size += len(part)
            if size > 2 * limit:
                break
            if size <= limit:
                if size > SMALL_BYTES and _bodies.held + len(part) > max(MOST_HELD_BYTES, 2 * limit):
                    raise BusyBodiesError("too many bodies have begun and not ended")
                _bodies.held += len(part)
                held += len(part)
                parts.append(part)
    except ClientGoneError:
        raise BadRequestError("the client went before the end of its body") from None
    finally:
        _bodies.held -= held
    if size > limit:
        raise BodyTooLargeError(f"a body has at most {limit} bytes")
    return b"".join(parts)
