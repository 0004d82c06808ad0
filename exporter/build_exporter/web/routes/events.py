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
from build_exporter.web.messages import Answer, ClientGoneError, Request, Response
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


class _Intake:
    """Takes batches of events, one after the other."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._ingest = Ingest(service.monitor.follower.root)
        self._lock = asyncio.Lock()

    def __call__(self, request: Request) -> Answer:
        """Return the answer to a batch, at once where nothing has to be waited for."""
        if request.header(b"content-encoding", "identity") != "identity":
            return error(415, "unsupported-encoding", "send the body without content-encoding")
        body = request.at_once()
        if body is None or len(body) > self._service.max_body_bytes:
            return self._take_later(request)
        batch = self._read(request, body)
        if isinstance(batch, Response):
            return batch
        try:
            return self._answer(batch) if self._is_written(batch) else self._write(batch)
        except OSError as problem:
            return _unwritable(problem)

    async def _take_later(self, request: Request) -> Response:
        try:
            batch = self._read(request, await body_of(request, self._service.max_body_bytes))
        except (BodyTooLargeError, BusyBodiesError) as problem:
            return refused_body(problem)
        except BadRequestError as problem:
            return error(400, "not-json", str(problem))
        return batch if isinstance(batch, Response) else await self._write(batch)

    def _read(self, request: Request, body: bytes) -> Batch | Response:
        try:
            lines = lines_of(body, request.header(b"content-type"))
        except TooManyEventsError as problem:
            return error(413, "too-many-events", str(problem))
        except BadRequestError as problem:
            return error(400, "not-json", str(problem))
        return read_batch(lines, self._service.monitor.clock() + FUTURE_TOLERANCE_SECONDS)

    def _is_written(self, batch: Batch) -> bool:
        """Append a batch of one piece to an open run; return whether it could be done without waiting."""
        if self._lock.locked() or len(batch.pieces) != 1 or not self._ingest.append_at_once(batch.pieces[0]):
            return False
        self._expect(batch)
        return True

    async def _write(self, batch: Batch) -> Response:
        try:
            async with self._lock:
                self._expect(batch)
                for piece in batch.pieces:
                    if not self._ingest.append_at_once(piece):
                        # it may have to wait for the build's lock
                        await asyncio.to_thread(self._ingest.append, piece)
        except OSError as problem:
            return _unwritable(problem)
        return self._answer(batch)

    def _expect(self, batch: Batch) -> None:
        if batch.events:
            self._service.monitor.decoder.expect(batch.pieces[0].lines, batch.pieces[0].build, batch.events)

    def _answer(self, batch: Batch) -> Response:
        answer, counts = batch.answer, self._service.counts.ingested
        counts["accepted"] += answer.accepted
        counts["rejected"] += answer.rejected
        if answer.rejected and not answer.accepted:
            return error(422, "no-event-accepted", "no event of the batch could be accepted", answer)
        return JsonResponse(answer, 207 if answer.rejected else 200)


def _unwritable(problem: OSError) -> Response:
    log.warning("posted events can't be written", extra={"error": problem.strerror or str(problem)})
    return error(507, "journal-not-writable", f"the journal can't be written: {problem.strerror}")


ENDPOINTS: Final = (
    Endpoint(
        "/api/v1/events",
        "Appends events to the runs of their builds.",
        Nothing,
        Ingested,
        method="POST",
        body=list[AnyEvent],
        handler=_Intake,
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
