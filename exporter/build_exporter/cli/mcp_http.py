"""`/mcp` of a running exporter: the tools for language models by the protocol's streamable HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, Final

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings

from build_exporter.cli.mcp_tools import announcing, tools_of
from build_exporter.mcp.server import Changes, make_server
from build_exporter.web.messages import ClientGoneError, Request, Response, Streamed
from build_exporter.web.service import Service

MAX_BODY_BYTES: Final = 1_000_000
MAX_SESSIONS: Final = 50
IDLE_SECONDS: Final = 1800.0


class McpEndpoint:
    """Answers the protocol; the checks of host, origin and credentials come before it, as for the API."""

    def __init__(self, service: Service, *, allow_acknowledge: bool) -> None:
        monitor = service.monitor

        @asynccontextmanager
        async def lifespan(changes: Changes) -> AsyncIterator[None]:
            async with announcing(monitor, changes):
                yield

        tools = tools_of(service.context, monitor.follower.root, allow_acknowledge=allow_acknowledge)
        server = make_server(tools, lifespan)
        # made for its session manager; the application around it is ours
        server.streamable_http_app(
            max_request_body_size=MAX_BODY_BYTES,
            max_sessions=MAX_SESSIONS,
            session_idle_timeout=IDLE_SECONDS,
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        self._manager: StreamableHTTPSessionManager = server.session_manager

    async def __call__(self, request: Request) -> Response:
        """Return the answer to a request: the library speaks ASGI."""
        call = _Call(request)
        task = asyncio.create_task(self._manager.handle_request(call.scope, call.receive, call.send))
        task.add_done_callback(lambda _: call.sent.put_nowait({"type": "end"}))
        start = await call.sent.get()
        if start["type"] == "end":
            raise task.exception() or RuntimeError("the library gave no answer")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
        # whether the connection goes on is the server's to say
        headers.pop("connection", None)
        if headers.pop("content-length", None) is None:
            return Streamed(call.parts(), task.cancel, start["status"], headers)
        return Response(b"".join([part async for part in call.parts()]), start["status"], headers)

    async def run(self) -> None:
        """Keep sessions until cancelled."""
        with contextlib.suppress(asyncio.CancelledError):
            async with self._manager.run():
                await asyncio.Event().wait()


Message = MutableMapping[str, Any]


class _Call:
    """One request in the terms of ASGI: its scope, and the messages to and from an application."""

    def __init__(self, request: Request) -> None:
        self._body = request.body
        self._is_read = False
        self.sent: asyncio.Queue[Message] = asyncio.Queue()
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "https" if request.is_secure else "http",
            "method": request.method,
            "path": request.path,
            "raw_path": request.raw_path,
            "query_string": request.query_string,
            "root_path": "",
            "headers": request.headers,
            "server": request.server,
            "client": (request.peer, 0),
        }

    async def receive(self) -> Message:
        """Return the next part of the body; after it wait, until the answer or the connection ends."""
        try:
            async for part in self._body:
                return {"type": "http.request", "body": part, "more_body": True}
        except ClientGoneError:
            return {"type": "http.disconnect"}
        if self._is_read:
            await asyncio.Event().wait()
        self._is_read = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Message) -> None:
        """Take a part of the answer."""
        await self.sent.put(message)

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield the parts of the body."""
        while (message := await self.sent.get())["type"] == "http.response.body":
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body"):
                return
