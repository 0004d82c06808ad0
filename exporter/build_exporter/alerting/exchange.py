"""One request of HTTP/1.1 and its answer on an open connection."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import h11

from build_exporter.alerting.client import Answer

MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024


async def exchange(
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    method: str,
    target: str,
    headers: Sequence[tuple[str, str]],
    body: bytes,
) -> Answer:
    """Send a request and return the answer.

    Raises:
        OSError: the connection broke.
        ValueError: the answer is too long, or no HTTP.
    """
    reader, writer = streams
    link = h11.Connection(h11.CLIENT)
    try:
        request = h11.Request(method=method, target=target, headers=[*headers, ("Content-Length", str(len(body)))])
        data = (link.send(request) or b"") + (link.send(h11.Data(body)) or b"" if body else b"")
        writer.write(data + (link.send(h11.EndOfMessage()) or b""))
        await writer.drain()
        return await _answer(link, reader)
    except h11.ProtocolError as error:
        raise ValueError(str(error)) from None


async def _answer(link: h11.Connection, reader: asyncio.StreamReader) -> Answer:
    status, date, body, size = 0, "", [], 0
    while True:
        event = link.next_event()
        if event is h11.NEED_DATA:
            link.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Response):
            status = event.status_code
            date = next((value.decode("latin-1") for name, value in event.headers if name == b"date"), "")
        elif isinstance(event, h11.Data):
            body.append(bytes(event.data))
            size += len(event.data)
            if size > MAX_ANSWER_BYTES:
                raise ValueError(f"its answer is longer than {MAX_ANSWER_BYTES} bytes")
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            return Answer(status, b"".join(body), date)
