"""From an event's append until a scrape shows its value, while other steps write 10,000 events a second."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import workload
from bench.client import Client
from bench.figure import Figure, percentile, summary
from bench.harness import Process, exporter, mtail, workplace

STEPS = 100
RATE = 10_000
_PROBE = ("chapter-5", "9999-probe")
_PAUSE_SECONDS = 0.003


def figures(*, quick: bool = False) -> list[Figure]:
    """Return p99 with and without the background; p50 and the peers' other setting are in the details."""
    samples = 20 if quick else 1000
    idle, busy = _ours(samples, 0), _ours(samples, RATE)
    peer_idle, peer_busy = _mtail(samples, 0, "5ms"), _mtail(samples, RATE, "5ms")
    default = _mtail(max(10, samples // 20), RATE, "250ms")
    return [
        Figure(
            key="latency_busy",
            what="append to visible, p99, 10,000 events/s beside",
            unit="s",
            ours=percentile(busy, 0.99),
            peer="mtail, polling each 5 ms",
            peer_value=percentile(peer_busy, 0.99),
            goal=0.003,
            goal_ratio=6.3,
            detail={"ours": summary(busy), "peer": summary(peer_busy), "peer_default": summary(default)},
        ),
        Figure(
            key="latency_idle",
            what="append to visible, p99, nothing beside",
            unit="s",
            ours=percentile(idle, 0.99),
            peer="mtail, polling each 5 ms",
            peer_value=percentile(peer_idle, 0.99),
            detail={"ours": summary(idle), "peer": summary(peer_idle)},
        ),
    ]


def _ours(samples: int, rate: int) -> list[float]:
    with workplace() as place:
        path = _prepared(workload.journal_file(place))
        with exporter(place) as process, _background(path, rate):
            return _visible(process, path, b"build_step_progress_ratio", samples)


def _mtail(samples: int, rate: int, poll: str) -> list[float]:
    with workplace() as place:
        path = place / "lines.log"
        path.touch()
        with mtail(place, path, f"--poll_interval={poll}", f"--poll_log_interval={poll}") as process:
            _prepared(path)
            with _background(path, rate):
                return _visible(process, path, b"step_progress_ratio", samples)


def _prepared(path: Path) -> Path:
    clock = time.time()
    lines = [workload.opening(STEPS), *(workload.started(*name, clock) for name in workload.names(STEPS))]
    with path.open("ab") as file:
        file.write(b"".join([*lines, workload.started(*_PROBE, clock)]))
    return path


@contextmanager
def _background(path: Path, rate: int) -> Iterator[None]:
    if not rate:
        yield
        return
    command = [sys.executable, str(Path(__file__).with_name("background.py")), str(path), str(rate), str(STEPS)]
    writer = Process(command, path.with_name("writer.log"))
    try:
        time.sleep(0.5)
        yield
        if not writer.is_alive():
            raise RuntimeError(f"the background ended: {writer.log.read_text(errors='replace')}")
    finally:
        writer.stop()


def _visible(process: Process, path: Path, family: bytes, samples: int) -> list[float]:
    """Append one event after the other, each with a ratio of its own, and scrape until it shows."""
    taken: list[float] = []
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    with Client(process.port) as client:
        client.get()
        for number in range(samples):
            done = 100_001 + 2 * number
            ratio = f"{done / 1_000_000}".encode()
            event = workload.progress(*_PROBE, time.time(), done, 1_000_000)
            began = time.perf_counter()
            os.write(descriptor, event)
            while not _shows(client.get(), family, ratio):
                if time.perf_counter() - began > 10:
                    raise TimeoutError(f"{ratio.decode()} was not shown within 10 s")
            taken.append(time.perf_counter() - began)
            time.sleep(_PAUSE_SECONDS)
    os.close(descriptor)
    return taken


def _shows(body: bytes, family: bytes, ratio: bytes) -> bool:
    at = body.find(b'step="9999-probe"', body.find(b"\n" + family + b"{"))
    line = body[body.rfind(b"\n", 0, at) + 1 : body.find(b"\n", at)]
    return line.startswith(family) and line.endswith(b" " + ratio)
