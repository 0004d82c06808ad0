"""`/mcp` of a running exporter: the tools for language models by the protocol's streamable HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import Receive, Scope, Send

from build_exporter.cli.mcp_tools import announcing, tools_of
from build_exporter.mcp.server import Changes, make_server
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._manager.handle_request(scope, receive, send)

    async def run(self) -> None:
        """Keep sessions until cancelled."""
        with contextlib.suppress(asyncio.CancelledError):
            async with self._manager.run():
                await asyncio.Event().wait()
