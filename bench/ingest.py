"""Events posted over HTTP in batches of 100, until they are state: CPU of the exporter, and pushes to a pushgateway."""

from __future__ import annotations

import json
import shutil
import socket
import time
from pathlib import Path

from bench.client import Client
from bench.figure import Figure
from bench.harness import Process, exporter, free_port, wait_until, workplace

BATCH = 100
STEPS = 500


def figures(*, quick: bool = False) -> list[Figure]:
    """Return events accepted and applied a CPU second, and a wall second beside it."""
    batches = 50 if quick else 3000
    with workplace() as place:
        (place / "journal").mkdir()
        with exporter(place) as process:
            cpu, wall = _posted(process, batches)
    peer = _pushes(20 if quick else 2000)
    count = batches * BATCH
    return [
        Figure(
            key="http_ingest",
            what=f"events posted in batches of {BATCH}, accepted, journaled and applied, each CPU second",
            unit="1/s",
            ours=count / cpu,
            peer="pushgateway, pushes unchecked",
            peer_value=peer,
            goal=150_000,
            goal_ratio=7.3,
            higher_is_better=True,
            detail={"events": count, "wall_seconds": wall, "events_a_wall_second": count / wall},
        )
    ]


def _posted(process: Process, batches: int) -> tuple[float, float]:
    requests = [_request(_batch(number)) for number in range(batches)]
    with socket.create_connection(("127.0.0.1", process.port), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _post(connection, _request(_batch(-1)))
        began, before = time.monotonic(), process.cpu_seconds()
        for request in requests:
            _post(connection, request)
        with Client(process.port) as client:
            wanted = f'event="step_progress"}} {(batches + 1) * BATCH * 8 // 10}'.encode()
            wait_until(lambda: wanted in client.get(), 60, "the events are applied", pause=0.05)
        return process.cpu_seconds() - before, time.monotonic() - began


def _batch(number: int) -> bytes:
    """Return ten steps of ten events each."""
    lines = []
    for event in range(BATCH):
        nth, kind = divmod(event, 10)
        step = {"phase": "chapter-8", "step": f"{(number * 10 + nth) % STEPS:04d}-package"}
        fields: dict[str, object] = {
            "event": "step_progress",
            **step,
            "ratio": kind / 10,
            "message": "  CC      lib/x.o",
        }
        if kind == 0:
            fields = {"event": "step_started", **step, "package": "package", "version": "1.2.3"}
        elif kind == 9:
            fields = {"event": "step_finished", **step, "status": "succeeded", "exit_code": 0, "cpu_seconds": 1.5}
        when = round(1.78e9 + number * BATCH * 0.01 + event * 0.01, 3)
        lines.append(json.dumps({"time": when, "build": "remote", **fields}, separators=(",", ":")))
    return "\n".join(lines).encode() + b"\n"


def _request(body: bytes, path: str = "/api/v1/events") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _post(connection: socket.socket, request: bytes) -> None:
    connection.sendall(request)
    answer = connection.recv(65536)
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(65536)
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.split(b" ", 2)[1].startswith(b"2"):
        raise OSError(answer[:300].decode("utf-8", "replace"))
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)


def _pushes(count: int) -> float | None:
    """Return pushes a CPU second of one changed sample each, over 500 groups; None where there is no pushgateway."""
    program = shutil.which("prometheus-pushgateway") or shutil.which("pushgateway")
    if program is None:
        return None
    port = free_port()
    command = [program, f"--web.listen-address=127.0.0.1:{port}", "--push.disable-consistency-check"]
    with workplace() as place:
        process = Process(command, Path(place) / "pushgateway.log")
        try:
            process.port = port
            process.wait_answering("/-/ready")
            with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                before = process.cpu_seconds()
                for number in range(count):
                    body = f"build_step_progress_ratio {number / count:.4f}\n".encode()
                    _post(connection, _request(body, f"/metrics/job/build/instance/{number % STEPS}"))
                return count / (process.cpu_seconds() - before)
        finally:
            process.stop()
