"""50,000 lines of progress and one failure after them, appended at once: until the failure is in the metrics."""

from __future__ import annotations

import os
import statistics
import time

from bench import workload
from bench.client import Client
from bench.figure import Figure, summary
from bench.harness import exporter, workplace

STEPS = 150
LINES = 50_000


def figures(*, quick: bool = False) -> list[Figure]:
    """Return the median of several bursts."""
    lines, bursts = (2000, 1) if quick else (LINES, 7)
    with workplace() as place:
        path = workload.journal_file(place)
        path.write_bytes(workload.partly_done(STEPS))
        with exporter(place) as process, Client(process.port) as client:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
            taken = [_burst(client, descriptor, number, lines) for number in range(bursts)]
            os.close(descriptor)
    return [
        Figure(
            key="burst",
            what=f"{lines:,} lines of progress and a failure at once: failure shown",
            unit="s",
            ours=statistics.median(taken),
            goal=0.02,
            detail=summary(taken),
        )
    ]


def _burst(client: Client, descriptor: int, number: int, lines: int) -> float:
    phase, step = workload.running_step(STEPS)
    clock = workload.START + 1e5 + number * 1e4
    started = workload.started(phase, step, clock)
    progress = b"".join(workload.progress(phase, step, clock + n * 1e-3, n + 1, lines) for n in range(lines))
    failed = workload.finished(phase, step, clock + lines * 1e-3, "failed")
    os.write(descriptor, started)
    client.get()
    wanted = f'step="{step}"}} 3\n'.encode()
    began = time.perf_counter()
    os.write(descriptor, progress + failed)
    while wanted not in client.get():
        pass
    return time.perf_counter() - began
