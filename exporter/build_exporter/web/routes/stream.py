"""`/api/v1/stream`: WebSocket, and server-sent events on the same path."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from build_exporter.journal.positions import Cursor, CursorError, decode_cursor
from build_exporter.queries.context import BadRequestError
from build_exporter.web.endpoint import parameters_of
from build_exporter.web.errors import error
from build_exporter.web.service import Service
from build_exporter.web.stream.messages import Filter, StreamParameters, filter_of
from build_exporter.web.stream.sse import SseOutlet

PATH: Final = "/api/v1/stream"
EVENT_STREAM: Final = "text/event-stream"


def routes(service: Service) -> list[Route | WebSocketRoute]:
    """Return the routes of the stream."""

    async def websocket(client: WebSocket) -> None:
        try:
            wanted, after = _asked(client)
        except BadRequestError as problem:
            await client.send_denial_response(error(400, "bad-request", str(problem)))
            return
        if service.hub.is_full:
            await client.send_denial_response(_full())
            return
        # its libraries take memory that is not needed before the first client
        from build_exporter.web.stream.websocket import EXTENSION, WebSocketOutlet  # noqa: PLC0415

        await client.accept()
        outlet = WebSocketOutlet(client.scope["extensions"][EXTENSION], wanted)
        try:
            await service.hub.join(outlet, after)
            while (await client.receive())["type"] != "websocket.disconnect":
                pass
        finally:
            service.hub.leave(outlet)

    async def events(request: Request) -> Response:
        accept = request.headers.get("accept", "*/*")
        if EVENT_STREAM not in accept and "*/*" not in accept and "text/*" not in accept:
            return error(406, "not-acceptable", f"the stream is WebSocket or {EVENT_STREAM}")
        try:
            wanted, after = _asked(request)
        except BadRequestError as problem:
            return error(400, "bad-request", str(problem))
        if service.hub.is_full:
            return _full()
        outlet = SseOutlet(wanted)
        joining = asyncio.create_task(service.hub.join(outlet, after))

        async def leave() -> None:
            joining.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await joining
            service.hub.leave(outlet)

        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return _Leaving(outlet, leave, headers)

    return [WebSocketRoute(PATH, websocket), Route(PATH, events)]


class _Leaving(StreamingResponse):
    """A streaming response that does something once it is over, however it ends."""

    def __init__(self, outlet: SseOutlet, leave: Callable[[], Awaitable[None]], headers: dict[str, str]) -> None:
        super().__init__(outlet.chunks(), headers=headers, media_type=EVENT_STREAM)
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the client or the outlet ends."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._leave()


def _asked(client: HTTPConnection) -> tuple[Filter, Cursor | None]:
    wanted = parameters_of(client, StreamParameters)
    # a browser says after a break where it was
    after = client.headers.get("last-event-id", "") or wanted.after
    try:
        return filter_of(wanted), decode_cursor(after) if after else None
    except CursorError as problem:
        raise BadRequestError(f"after: {problem}") from None


def _full() -> Response:
    return error(503, "too-many-clients", "the stream has as many clients as `web.max_stream_clients` allows")
