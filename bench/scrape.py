"""What a scrape takes: seen by its client, in CPU time of the exporter, and by a real Prometheus."""

from __future__ import annotations

import json
import os
import statistics
import time
from pathlib import Path
from urllib.parse import quote

from bench import workload
from bench.client import OPENMETRICS_GZIP, Client, series
from bench.figure import Figure, summary
from bench.harness import Process, client_library, exporter, mtail, node_exporter, prometheus, wait_until, workplace

SMALL = 2_000
LARGE = 10_000
MTAIL_STEPS = int(SMALL / (4 * 0.7))
"""Steps of which mtail shows about `SMALL` series: four of each step that has begun."""


def figures(*, quick: bool = False) -> list[Figure]:
    """Return the client's view at 2,000 series, then CPU and Prometheus' view at 10,000."""
    few, many = _exporter_series(100), _exporter_series(200)
    a_step = (many - few) / 100
    small, large = (100 + int((wanted - few) / a_step) for wanted in (SMALL, LARGE))
    return [_small(20 if quick else 400, small), *_large(3 if quick else 25, 20 if quick else 200, large)]


def _exporter_series(steps: int) -> int:
    with workplace() as place:
        _written(workload.journal_file(place), steps)
        with exporter(place) as process:
            return _count(process)


def _small(scrapes: int, steps: int) -> Figure:
    with workplace() as place:
        path = _written(workload.journal_file(place), steps)
        with exporter(place) as process:
            ours, count = _client_view(process, scrapes, path, steps)
    with workplace() as place:
        path = place / "lines.log"
        path.touch()
        with mtail(place, path) as process:
            # what a file held before mtail came it does not read
            _written(path, MTAIL_STEPS)
            wait_until(lambda: _count(process) > SMALL * 0.9, 30, "mtail shows the steps")
            peer, peer_count = _client_view(process, scrapes, path, MTAIL_STEPS)
        with node_exporter(place) as process:
            node, node_count = _client_view(process, scrapes, None, 0)
    detail = {"series": count, "ours": summary(ours), "mtail_series": peer_count, "mtail": summary(peer)}
    detail |= {"node_exporter_series": node_count, "node_exporter": summary(node)}
    return Figure(
        key="scrape_small",
        what=f"scrape of {count:,} series, p50, one step changing",
        unit="s",
        ours=statistics.median(ours),
        peer=f"mtail at {peer_count:,}",
        peer_value=statistics.median(peer),
        goal=0.002,
        detail=detail,
    )


def _written(path: Path, steps: int) -> Path:
    with path.open("ab") as file:
        file.write(workload.partly_done(steps))
    return path


def _count(process: Process) -> int:
    with Client(process.port) as client:
        return series(client.get())


def _client_view(process: Process, scrapes: int, path: Path | None, steps: int) -> tuple[list[float], int]:
    """Return the seconds of each scrape and the series of the last; one event is appended before each."""
    taken = []
    descriptor = -1 if path is None else os.open(path, os.O_WRONLY | os.O_APPEND)
    with Client(process.port) as client:
        body = client.get()
        for number in range(scrapes):
            if descriptor >= 0:
                os.write(descriptor, _one_change(steps, number))
            time.sleep(0.01)
            seconds, body = client.timed()
            taken.append(seconds)
    if descriptor >= 0:
        os.close(descriptor)
    return taken, series(body)


def _one_change(steps: int, number: int) -> bytes:
    return workload.progress(*workload.running_step(steps), time.time(), number + 2, 1000)


def _large(seconds: int, scrapes: int, steps: int) -> list[Figure]:
    with workplace() as place:
        path = _written(workload.journal_file(place), steps)
        with exporter(place) as process:
            ours, count = _cpu_a_scrape(process, scrapes, path, steps)
            seen = _seen_by_prometheus(place, process.port, seconds)
    with workplace() as place, client_library(place, LARGE) as process:
        peer, peer_count = _cpu_a_scrape(process, max(10, scrapes // 5), None, 0)
        peer_seen = _seen_by_prometheus(place, process.port, seconds)
    counts = {"series": count, "peer_series": peer_count}
    peer_name = "prometheus_client"
    return [
        Figure(
            key="scrape_large_cpu",
            what=f"scrape of {count:,} series, OpenMetrics and gzip, CPU of the exporter",
            unit="s",
            ours=ours,
            peer=peer_name,
            peer_value=peer,
            goal=0.005,
            detail=counts,
        ),
        Figure(
            key="scrape_large_prometheus",
            what="the same as Prometheus sees it, median",
            unit="s",
            ours=statistics.median(seen),
            peer=peer_name,
            peer_value=statistics.median(peer_seen),
            goal=0.040,
            detail=counts | {"ours": summary(seen), "peer": summary(peer_seen)},
        ),
    ]


def _cpu_a_scrape(process: Process, scrapes: int, path: Path | None, steps: int) -> tuple[float, int]:
    """Return the CPU seconds a scrape costs, idling taken off, and the series; one event is appended before each."""
    count = _count(process)
    descriptor = -1 if path is None else os.open(path, os.O_WRONLY | os.O_APPEND)
    with Client(process.port, headers=OPENMETRICS_GZIP) as client:
        client.get()
        began, before = time.monotonic(), process.cpu_seconds()
        time.sleep(1.0)
        idle = (process.cpu_seconds() - before) / (time.monotonic() - began)
        began, before = time.monotonic(), process.cpu_seconds()
        for number in range(scrapes):
            if descriptor >= 0:
                os.write(descriptor, _one_change(steps, number))
            client.get()
            time.sleep(0.005)
        spent = process.cpu_seconds() - before - idle * (time.monotonic() - began)
    if descriptor >= 0:
        os.close(descriptor)
    return spent / scrapes, count


def _seen_by_prometheus(place: Path, target: int, seconds: int) -> list[float]:
    """Return `scrape_duration_seconds` of so many scrapes by a real Prometheus, the first two left out."""
    query = f"scrape_duration_seconds{{job='measured'}}[{seconds + 60}s]"
    with prometheus(place, target) as server, Client(server.port, f"/api/v1/query?query={quote(query)}") as client:
        found: list[float] = []

        def has_scraped() -> bool:
            answer = json.loads(client.get())["data"]["result"]
            found[:] = [float(value) for result in answer for _, value in result["values"]][2:]
            return len(found) >= seconds

        wait_until(has_scraped, seconds + 60, "Prometheus scrapes each second", pause=0.5)
    return found
