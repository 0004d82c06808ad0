"""Journal events taken in a second of CPU time, from an append to the metrics, beside mtail on the same lines."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import workload
from bench.client import Client
from bench.figure import Figure
from bench.harness import Process, exporter, mtail, wait_until, workplace

STEPS = 500
BLOCK_BYTES = 1 << 20
_COUNTED = re.compile(rb"^(?:build_exporter_)?events_total\{.*\} (\d+)$", re.MULTILINE)


def figures(*, quick: bool = False) -> list[Figure]:
    """Return the rate with a run as it mostly is, and with one of nothing but steps that start and end."""
    events, repeats = (10_000, 1) if quick else (1_000_000, 3)
    steady = _compare("throughput", "journal events a CPU-second", workload.steady(events, STEPS), repeats)
    turning = _compare(
        "throughput_turning",
        "the same, nothing but steps that start and end",
        workload.turning(events // 4, STEPS),
        repeats,
    )
    return [Figure(**steady, goal=400_000, goal_ratio=6.8), Figure(**turning, goal=250_000, goal_ratio=3.1)]  # type: ignore[arg-type]


def _compare(key: str, what: str, pieces: Iterator[bytes], repeats: int) -> dict[str, object]:
    data = b"".join(pieces)
    lines = data.count(b"\n")
    ours, peers = [], []
    for _ in range(repeats):
        ours.append(lines / _exporter_seconds(data, lines))
        peers.append(lines / _mtail_seconds(data, lines))
    return {
        "key": key,
        "what": what,
        "unit": "events/s",
        "higher_is_better": True,
        "ours": statistics.median(ours),
        "peer": "mtail",
        "peer_value": statistics.median(peers),
        "detail": {"lines": lines, "bytes_a_line": len(data) / lines, "ours": ours, "peer": peers},
    }


def _exporter_seconds(data: bytes, lines: int) -> float:
    with workplace() as place:
        path = workload.journal_file(place)
        path.touch()
        with exporter(place) as process:
            return _taken(process, path, data, lines)


def _mtail_seconds(data: bytes, lines: int) -> float:
    with workplace() as place:
        path = place / "lines.log"
        path.touch()
        with mtail(place, path) as process:
            return _taken(process, path, data, lines)


def _taken(process: Process, path: Path, data: bytes, lines: int) -> float:
    """Return the CPU seconds from the first append until the metrics count every line, less what idling costs."""
    idle_began, cpu_began = time.monotonic(), process.cpu_seconds()
    time.sleep(1.0)
    idle = (process.cpu_seconds() - cpu_began) / (time.monotonic() - idle_began)
    with Client(process.port) as client:
        before, began = process.cpu_seconds(), time.monotonic()
        with path.open("ab", buffering=0) as file:
            for first in range(0, len(data), BLOCK_BYTES):
                file.write(data[first : first + BLOCK_BYTES])
        wait_until(_all_counted(client, lines), 300, "every line is counted", pause=0.1)
        return process.cpu_seconds() - before - idle * (time.monotonic() - began)


def _all_counted(client: Client, lines: int) -> Callable[[], bool]:
    return lambda: sum(int(count) for count in _COUNTED.findall(client.get())) >= lines
