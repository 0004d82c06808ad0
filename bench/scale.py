"""One exporter with a build of 100,000 steps, and one with 100 builds: start, memory, series and cost of a scrape."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from bench import workload
from bench.client import OPENMETRICS_GZIP, Client, series
from bench.figure import Figure
from bench.harness import exporter, workplace


def figures(*, quick: bool = False) -> list[Figure]:
    """Return start, cost of a scrape and memory of both; a goal has the memory of the large build alone."""
    steps, builds = (1000, 5) if quick else (100_000, 100)
    with workplace() as place:
        workload.journal_file(place).write_bytes(_many_steps(steps))
        one = _seen(place)
    with workplace() as place:
        for build in _many_builds(builds):
            path = (
                place / "journal" / build.split(b'"build":"', 1)[1].split(b'"', 1)[0].decode() / f"{workload.RUN}.jsonl"
            )
            path.parent.mkdir(parents=True)
            path.write_bytes(build)
        many = _seen(place)
    return [
        *_figures("scale_steps", f"a build of {steps:,} steps", one, goal=120e6),
        *_figures("scale_builds", f"{builds} builds", many),
    ]


def _figures(key: str, what: str, seen: dict[str, float], goal: float | None = None) -> list[Figure]:
    shown = f"{seen['series']:,.0f} series"
    return [
        Figure(key=f"{key}_start", what=f"{what}: start to ready", unit="s", ours=seen["start"]),
        Figure(key=f"{key}_scrape", what=f"{what}: CPU of a scrape, {shown}", unit="s", ours=seen["scrape_cpu"]),
        Figure(
            key=f"{key}_memory", what=f"{what}: resident memory", unit="bytes", ours=seen["rss"], goal=goal, detail=seen
        ),
    ]


def _many_steps(steps: int) -> bytes:
    return workload.partly_done(steps, 0.95)


def _many_builds(builds: int) -> Iterator[bytes]:
    whole = workload.partly_done(150)
    for number in range(builds):
        yield whole.replace(f'"build":"{workload.BUILD}"'.encode(), f'"build":"build-{number:03d}"'.encode())


def _seen(place: Path, scrapes: int = 30) -> dict[str, float]:
    began = time.perf_counter()
    with exporter(place, wait=300) as process:
        start = time.perf_counter() - began
        with Client(process.port) as client:
            first, body = client.timed()
        with Client(process.port, headers=OPENMETRICS_GZIP) as client:
            client.get()
            before, idle_began = process.cpu_seconds(), time.monotonic()
            time.sleep(1.0)
            idle = (process.cpu_seconds() - before) / (time.monotonic() - idle_began)
            before, scraping_began = process.cpu_seconds(), time.monotonic()
            for _ in range(scrapes):
                client.get()
            spent = process.cpu_seconds() - before - idle * (time.monotonic() - scraping_began)
        return {
            "start": start,
            "first_scrape": first,
            "scrape_cpu": spent / scrapes,
            "series": series(body),
            "idle": idle,
            **process.memory(),
        }
