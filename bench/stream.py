"""500 clients of the stream at 100 events a second: from an event's append to each client's having it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from bench.figure import Figure, percentile, summary
from bench.harness import Process, exporter, free_port, workplace

CLIENTS = 500
EVENTS_A_SECOND = 100
_UPGRADE = (
    b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
_TIME = b'"time":'


def figures(*, quick: bool = False) -> list[Figure]:
    """Return the 99th percentile of all deliveries, and CPU of the server in the details."""
    clients, seconds = (20, 1.0) if quick else (CLIENTS, 10.0)
    with workplace() as place:
        path = place / "journal" / "lfs" / "20260102T030405Z.jsonl"
        path.parent.mkdir(parents=True)
        path.write_bytes(_line(0))
        with exporter(place) as process:
            ours, cpu = asyncio.run(_measured(process, path, clients, seconds))
    with workplace() as place:
        path = place / "events.jsonl"
        path.touch()
        program = Path(__file__).with_name("starlette_broadcast.py")
        port = free_port()
        process = Process([sys.executable, str(program), str(port), str(path)], place / "peer.log")
        try:
            process.port = port
            process.wait_answering("/-/ready")
            peer, peer_cpu = asyncio.run(_measured(process, path, clients, seconds))
        finally:
            process.stop()
    return [
        Figure(
            key="stream",
            what=f"{clients} stream clients at {EVENTS_A_SECOND} events/s, event appended to delivered, p99",
            unit="s",
            ours=percentile(ours, 0.99),
            peer="uvicorn and starlette, a send each",
            peer_value=percentile(peer, 0.99),
            goal=0.25,
            detail={"ours": summary(ours), "peer": summary(peer), "cpu": cpu, "peer_cpu": peer_cpu},
        )
    ]


class _Client(asyncio.Protocol):
    """Counts messages and notes how old each event was when it came."""

    def __init__(self, ages: list[float]) -> None:
        self.ages = ages
        self.messages = 0
        self._data = b""
        self._upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(_UPGRADE)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        now = time.time()
        data = self._data + data
        if not self._upgraded:
            _, end, data = data.partition(b"\r\n\r\n")
            self._upgraded = bool(end)
        position = 0
        while len(data) - position >= 4:
            length, begin = data[position + 1], position + 2
            if length == 126:
                length, begin = int.from_bytes(data[begin : begin + 2], "big"), begin + 2
            elif length == 127:
                length, begin = int.from_bytes(data[begin : begin + 8], "big"), begin + 8
            if len(data) < begin + length:
                break
            message = data[begin : begin + length]
            position = begin + length
            if b'"note"' in message:
                self.messages += 1
                at = message.rindex(_TIME) + len(_TIME)
                self.ages.append(now - float(message[at : at + 24].lstrip().split(b",")[0].rstrip(b"}")))
        self._data = data[position:]


def _line(number: int) -> bytes:
    return json.dumps({"event": "note", "build": "lfs", "message": f"{number}", "time": time.time()}).encode() + b"\n"


async def _measured(process: Process, path: Path, clients: int, seconds: float) -> tuple[list[float], float]:
    """Return the age of each delivery, and the CPU seconds of the server a second."""
    loop = asyncio.get_running_loop()
    ages: list[float] = []
    made = [await loop.create_connection(lambda: _Client(ages), "127.0.0.1", process.port) for _ in range(clients)]
    await asyncio.sleep(2.0)
    ages.clear()
    for _, client in made:
        client.messages = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    count = int(seconds * EVENTS_A_SECOND)
    began, before = time.monotonic(), process.cpu_seconds()
    for number in range(count):
        os.write(descriptor, _line(number))
        await asyncio.sleep(max(0.0, began + (number + 1) / EVENTS_A_SECOND - time.monotonic()))
    os.close(descriptor)
    cpu = (process.cpu_seconds() - before) / (time.monotonic() - began)
    end = time.monotonic() + 60
    while any(client.messages < count for _, client in made) and time.monotonic() < end:
        await asyncio.sleep(0.05)
    missing = sum(count - client.messages for _, client in made)
    for transport, _ in made:
        transport.abort()
    if missing:
        raise RuntimeError(f"{missing} of {count * clients} messages never came")
    return ages, cpu
