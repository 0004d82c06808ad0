"""CPU of sampling and judging a step of 200 processes each second, beside sampling alone."""

from __future__ import annotations

import contextlib
import time

from bench import workload
from bench.figure import Figure
from bench.harness import workplace
from bench.idle import TREE, tree
from build_exporter.collectors.host.process_tree import ProcessTrees
from build_exporter.monitor import read_builds
from build_exporter.verdicts import Verdicts

STEPS = 150


def figures(*, quick: bool = False) -> list[Figure]:
    """Return shares of one core, of a tree that waits."""
    samples = 15 if quick else 60
    with workplace() as place, tree() as root:
        now = time.time()
        phase, step = workload.running_step(STEPS)
        started = workload.line("step_started", now, phase=phase, step=step, pid=root)
        workload.journal_file(place).write_bytes(workload.partly_done(STEPS) + started)
        tracker = read_builds(str(place / "journal"))
        verdicts = Verdicts(lambda: [build.current for build in tracker.builds.values() if build.current is not None])
        roots = {workload.BUILD: {root: now}}
        alone = ProcessTrees(lambda: roots)
        judged = ProcessTrees(lambda: roots, observe=verdicts.observe)
        with contextlib.closing(alone), contextlib.closing(judged):
            spent = _spent([alone, judged], samples, pause=0.0 if quick else 0.5)
    return [
        Figure(
            key="verdict",
            what=f"share of a core: tree of {TREE} processes sampled and judged each second",
            unit="ratio",
            ours=spent[1],
            peer="sampled alone",
            peer_value=spent[0],
            goal=0.003,
        )
    ]


def _spent(sampled: list[ProcessTrees], samples: int, pause: float) -> list[float]:
    """Return the CPU seconds of a sample of each, taken in turn, once the processes have been still for a while."""
    for _ in range(12):
        for each in sampled:
            list(each.collect())
    spent = [0.0 for _ in sampled]
    for _ in range(samples):
        time.sleep(pause)
        for number, each in enumerate(sampled):
            began = time.thread_time()
            list(each.collect())
            spent[number] += time.thread_time() - began
    return [seconds / samples for seconds in spent]
