"""CPU while nothing happens: a build waits, the host is sampled each second, and no one or Prometheus looks."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator

from bench import workload
from bench.client import OPENMETRICS_GZIP, Client
from bench.figure import Figure
from bench.harness import Process, exporter, mtail, node_exporter, workplace

STEPS = 150
TREE = 200


def figures(*, quick: bool = False) -> list[Figure]:
    """Return shares of one core: unseen, and scraped each second."""
    seconds = 2 if quick else 20
    with workplace() as place, tree() as root:
        path = workload.journal_file(place)
        done = workload.partly_done(STEPS)
        phase, step = workload.names(STEPS)[int(STEPS * 0.7) + 1]
        path.write_bytes(done + workload.line("step_started", time.time(), phase=phase, step=step, pid=root))
        with exporter(place) as process:
            with Client(process.port) as client:
                time.sleep(2.0)
                body = client.get()
            # nobody asks from here on: samples are taken less often after 20 seconds
            time.sleep(0.0 if quick else 25.0)
            alone = _share(process, seconds)
            scraped = _share(process, seconds, scraped=True)
    with workplace() as place:
        path = place / "lines.log"
        path.touch()
        with mtail(place, path) as process:
            path.write_bytes(done)
            peer = _share(process, seconds)
        with node_exporter(place) as process:
            node = _share(process, seconds, scraped=True)
    detail = {"process_tree": _has_tree(body), "tree_processes": TREE}
    return [
        Figure(
            key="idle",
            what=f"CPU idle, host sampled each second, {TREE} processes in the tree",
            unit="ratio",
            ours=alone,
            peer="mtail, which samples nothing",
            peer_value=peer,
            goal=0.004,
            goal_before=2.15,
            detail=detail,
        ),
        Figure(
            key="idle_scraped",
            what="the same, scraped each second",
            unit="ratio",
            ours=scraped,
            peer="node_exporter",
            peer_value=node,
            detail=detail,
        ),
    ]


def _has_tree(body: bytes) -> bool:
    return b"\nbuild_process_processes{" in body


@contextlib.contextmanager
def tree() -> Iterator[int]:
    """Keep a tree of so many processes that do nothing; give the pid of its root."""
    script = f"for i in $(seq {TREE - 1}); do sleep 600 & done; wait"
    with subprocess.Popen(["sh", "-c", script], start_new_session=True) as root:
        try:
            yield root.pid
        finally:
            # its group holds nothing but what was started here
            os.killpg(root.pid, signal.SIGKILL)


def _share(process: Process, seconds: float, *, scraped: bool = False) -> float:
    with Client(process.port, headers=OPENMETRICS_GZIP) as client:
        began, before = time.monotonic(), process.cpu_seconds()
        while (passed := time.monotonic() - began) < seconds:
            if scraped:
                client.get()
            time.sleep(min(1.0, seconds - passed))
        return (process.cpu_seconds() - before) / (time.monotonic() - began)
