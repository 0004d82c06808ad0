"""Memory after some minutes' worth of use: a 150-step build, host collectors on, scraped and looked at."""

from __future__ import annotations

from bench import workload
from bench.client import OPENMETRICS_GZIP, Client
from bench.figure import Figure
from bench.harness import Process, exporter, mtail, node_exporter, wait_until, workplace

STEPS = 150


def figures(*, quick: bool = False) -> list[Figure]:
    """Return resident memory; proportional and peak memory are in the details."""
    scrapes = 10 if quick else 200
    with workplace() as place:
        workload.journal_file(place).write_bytes(workload.partly_done(STEPS))
        with exporter(place) as process:
            ours = _used(process, scrapes, page=True)
    with workplace() as place:
        path = place / "lines.log"
        path.touch()
        with mtail(place, path) as process:
            path.write_bytes(workload.partly_done(STEPS))
            with Client(process.port) as client:
                wait_until(lambda: b"step_status{" in client.get(), 30, "mtail shows the steps")
            peer = _used(process, scrapes)
        with node_exporter(place) as process:
            node = _used(process, scrapes)
    return [
        Figure(
            key="memory",
            what=f"resident memory, {STEPS}-step build, host collectors",
            unit="bytes",
            ours=ours["rss"],
            peer="node_exporter",
            peer_value=node["rss"],
            goal=42e6,
            detail={"ours": ours, "node_exporter": node, "mtail": peer},
        )
    ]


def _used(process: Process, scrapes: int, *, page: bool = False) -> dict[str, int]:
    with Client(process.port, headers=OPENMETRICS_GZIP) as client:
        for _ in range(scrapes):
            client.get()
    if page:
        with Client(process.port, "/") as client:
            for _ in range(scrapes // 5):
                client.get()
    return process.memory()
