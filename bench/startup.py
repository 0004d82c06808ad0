"""From the command to ready, with the journal of a small build and with one of a million events."""

from __future__ import annotations

import time

from bench import workload
from bench.figure import Figure
from bench.harness import exporter, mtail, workplace


def figures(*, quick: bool = False) -> list[Figure]:
    """Return seconds from start to `/-/ready` answering 200; CPU seconds are in the details."""
    repeats = 1 if quick else 5
    events = 20_000 if quick else 1_000_000
    small = _best(workload.partly_done(150), repeats)
    large = _best(b"".join(workload.steady(events, 500)), 1 if quick else 2)
    with workplace() as place:
        path = place / "lines.log"
        path.touch()
        began = time.perf_counter()
        with mtail(place, path):
            peer = time.perf_counter() - began
    return [
        Figure(
            key="start",
            what="start to ready, 150-step build",
            unit="s",
            ours=small["seconds"],
            peer="mtail, which reads nothing old",
            peer_value=peer,
            detail=small,
        ),
        Figure(
            key="start_large",
            what=f"start to ready, {events:,} events to read",
            unit="s",
            ours=large["seconds"],
            goal_before=2.0,
            detail=large,
        ),
    ]


def _best(journal: bytes, repeats: int) -> dict[str, float]:
    """Return the quickest start's seconds and CPU seconds."""
    found = []
    with workplace() as place:
        workload.journal_file(place).write_bytes(journal)
        for _ in range(repeats):
            began = time.perf_counter()
            with exporter(place) as process:
                found.append((time.perf_counter() - began, process.cpu_seconds(), process.memory()["rss"]))
    seconds, cpu, rss = min(found)
    return {"seconds": seconds, "cpu_seconds": cpu, "rss": rss}
