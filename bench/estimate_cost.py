"""CPU of estimates: of a build of 1,000 steps as a whole, of the same refreshed, of a graph of 10,000 tasks."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench import workload
from bench.figure import Figure
from build_exporter.estimate import Estimator
from build_exporter.journal.decode import Decoder
from build_exporter.tracker import Build, Run, Tracker

RUN = "20260102T030405Z"


def figures(*, quick: bool = False) -> list[Figure]:
    """Return the least CPU seconds of several estimates each."""
    rounds = 1 if quick else 10
    steps, tasks = (100, 200) if quick else (1000, 10_000)
    sequence = _read(workload.partly_done(steps))
    whole, refreshed = _spent(sequence, workload.START + steps * 42.0, rounds)
    graph, _ = _spent(_read(_graph(tasks)), workload.START + 100.0, rounds)
    return [
        Figure(
            "estimate_whole", f"estimate of a build of {steps:,} steps after a step's end, CPU", "s", whole, goal=0.005
        ),
        Figure("estimate_refreshed", "the same refreshed for a scrape, CPU", "s", refreshed, goal=0.001),
        Figure("estimate_graph", f"estimate of a graph of {tasks:,} tasks, eight at once, CPU", "s", graph, goal=0.1),
    ]


def _read(journal: bytes) -> Tracker:
    tracker = Tracker()
    tracker.feed(workload.BUILD, RUN, Decoder().decode(journal, workload.BUILD), from_start=True)
    return tracker


def _spent(tracker: Tracker, now: float, rounds: int) -> tuple[float, float]:
    """Return the least CPU seconds of an estimate made anew and of one made again."""
    build = tracker.builds[workload.BUILD]
    found = [_once(build, tracker.builds, now + number) for number in range(rounds)]
    return min(first for first, _ in found), min(again for _, again in found)


def _once(build: Build, builds: dict[str, Build], now: float) -> tuple[float, float]:
    run: Run | None = build.current
    assert run is not None
    estimator = Estimator(builds)
    began = time.process_time()
    assert estimator(run, now) is not None
    between = time.process_time()
    estimator(run, now + 0.5)
    return between - began, time.process_time() - between


def _graph(tasks: int) -> bytes:
    return b"".join(_lines(tasks))


def _lines(tasks: int) -> Iterator[bytes]:
    """Yield a plan in which each task needs two before it, and eight tasks that run."""
    yield workload.line("build_started", workload.START - 1, run=RUN, source="bitbake", jobs=8)
    for first in range(0, tasks, 400):
        steps = [
            {
                "phase": "tasks",
                "step": f"task-{number}",
                "expected_seconds": 1.0 + number % 17,
                "after": sorted({f"task-{max(0, number - 7)}", f"task-{number // 2}"} - {f"task-{number}"}),
            }
            for number in range(first, min(first + 400, tasks))
        ]
        yield workload.line("plan", workload.START, steps=steps, **({"continues": True} if first else {}))
    for number in range(8):
        yield workload.line("step_started", workload.START + 1, phase="tasks", step=f"task-{number}")
