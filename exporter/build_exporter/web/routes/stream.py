"""`/api/v1/stream`: WebSocket, and server-sent events on the same path."""

from __future__ import annotations

import asyncio
from typing import Final

from build_exporter.journal.positions import Cursor, CursorError, decode_cursor
from build_exporter.queries.context import BadRequestError
from build_exporter.web.endpoint import parameters_of, refused
from build_exporter.web.errors import error
from build_exporter.web.messages import Request, Response, Streamed, Upgraded
from build_exporter.web.routing import Route
from build_exporter.web.service import Service
from build_exporter.web.stream.hub import Hub
from build_exporter.web.stream.messages import Filter, StreamParameters, filter_of
from build_exporter.web.stream.sse import SseOutlet

PATH: Final = "/api/v1/stream"
EVENT_STREAM: Final = "text/event-stream"


def routes(service: Service) -> list[Route]:
    """Return the route of the stream."""

    def stream(request: Request) -> Response:
        if not request.is_upgrade and request.header(b"sec-websocket-key"):
            message = "a WebSocket is opened by GET with Connection and Upgrade: a proxy in front has to pass them on"
            return error(426, "upgrade-required", message, headers={"upgrade": "websocket"})
        accept = request.header(b"accept", "*/*")
        if not request.is_upgrade and not any(each in accept for each in (EVENT_STREAM, "*/*", "text/*")):
            return error(406, "not-acceptable", f"the stream is WebSocket or {EVENT_STREAM}")
        try:
            wanted, after = _asked(request)
        except BadRequestError as problem:
            return refused(problem)
        if service.hub.is_full:
            return error(503, "too-many-clients", "the stream has as many clients as `web.max_stream_clients` allows")
        answer = _websocket if request.is_upgrade else _events
        return answer(request, service.hub, wanted, after)

    return [Route(PATH, stream)]


def _websocket(request: Request, hub: Hub, wanted: Filter, after: Cursor | None) -> Response:
    # its libraries take memory that is not needed before the first client
    from build_exporter.web.stream.websocket import Connection, WebSocketOutlet  # noqa: PLC0415

    connection = Connection(request)
    if connection.refusal is not None:
        return connection.refusal
    outlet = WebSocketOutlet(connection, wanted)

    async def run() -> None:
        try:
            await hub.join(outlet, after)
            await connection.lost.wait()
        finally:
            hub.leave(outlet)

    return Upgraded(connection.connect, run)


def _events(request: Request, hub: Hub, wanted: Filter, after: Cursor | None) -> Response:
    outlet = SseOutlet(wanted)
    joining = asyncio.get_running_loop().create_task(hub.join(outlet, after))

    def leave() -> None:
        joining.cancel()
        hub.leave(outlet)

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return Streamed(outlet.chunks(), leave, 200, headers, EVENT_STREAM)


def _asked(client: Request) -> tuple[Filter, Cursor | None]:
    wanted = parameters_of(client, StreamParameters)
    # a browser says after a break where it was
    after = client.header(b"last-event-id") or wanted.after
    try:
        return filter_of(wanted), decode_cursor(after) if after else None
    except CursorError as problem:
        raise BadRequestError(f"after: {problem}") from None
