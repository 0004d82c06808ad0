"""The peer of the stream: uvicorn and Starlette as their documentation broadcasts, over lines appended to a file.

python bench/starlette_broadcast.py PORT FILE
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

POLL_SECONDS = 0.005


def make_app(path: Path) -> Starlette:
    """Return the application."""
    clients: set[WebSocket] = set()

    async def stream(websocket: WebSocket) -> None:
        await websocket.accept()
        clients.add(websocket)
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await websocket.receive_text()
        clients.discard(websocket)

    async def ready(request: Request) -> Response:
        return PlainTextResponse("ready\n")

    async def broadcast() -> None:
        with path.open("rb") as file:
            while True:
                for line in file.read().split(b"\n")[:-1]:
                    text = '{"type":"event","event":' + line.decode() + "}"
                    for client in list(clients):
                        await client.send_text(text)
                await asyncio.sleep(POLL_SECONDS)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(broadcast())
        yield
        task.cancel()

    routes = [WebSocketRoute("/api/v1/stream", stream), Route("/-/ready", ready)]
    return Starlette(routes=routes, lifespan=lifespan)


if __name__ == "__main__":
    uvicorn.run(
        make_app(Path(sys.argv[2])), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False
    )
