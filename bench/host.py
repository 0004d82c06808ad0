"""What sampling the machine and a build's process tree takes, beside node_exporter and psutil in the same run.

python -m bench.host [--quick] [--json FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from bench.client import Client
from bench.figure import Figure, table
from bench.harness import Process, free_port, wait_until, workplace
from build_exporter.collectors.host.process_tree import ProcessTrees
from build_exporter.collectors.registry import HOST_COLLECTORS
from build_exporter.collectors.runners import BackgroundRunner, Collector
from build_exporter.collectors.scrape import Scrape
from build_exporter.exposition import TEXT, render

PROCESSES = 200
NEW_EACH_SECOND = 100

SAME_TOPICS = (
    "cpu", "cpufreq", "diskstats", "filesystem", "hwmon", "loadavg", "meminfo", "netdev", "pressure", "stat",
    "thermal_zone", "time", "uname", "vmstat",
)  # fmt: skip
"""node_exporter's collectors of the topics ours has."""

FOREST = "i=1; while [ $i -lt $1 ]; do sleep 3600 & i=$((i + 1)); done; wait"
CHURN = "while :; do i=0; while [ $i -lt $1 ]; do sleep 0.9 & i=$((i + 1)); done; sleep 1; wait; done"


def measure(*, quick: bool = False) -> dict[str, object]:
    """Return all figures by their key, each with ours, the peer's and the details."""
    return {figure.key: figure.as_json() for figure in figures(quick=quick)}


def figures(*, quick: bool = False) -> list[Figure]:
    """Return CPU a sample of the host, of a tree of 200 processes still and busy, and the whole share of a core."""
    rounds = 20 if quick else 200
    return [_host(rounds), *_tree(rounds), _all_in(5 if quick else 30)]


def _host(rounds: int) -> Figure:
    collectors = {row.name: row.make() for row in HOST_COLLECTORS}
    each = {name: _cpu_a_call(_sampler(collector), rounds) for name, collector in collectors.items()}
    rendered = b"".join(render(collector.collect(), TEXT) for collector in collectors.values())
    lean, lean_series = _node_exporter(
        rounds, "--collector.disable-defaults", *(f"--collector.{n}" for n in SAME_TOPICS)
    )
    bare, _ = _node_exporter(rounds, "--collector.disable-defaults", "--collector.uname")
    default, default_series = _node_exporter(rounds)
    return Figure(
        key="host_sample",
        what="CPU of sampling the host, all collectors at once",
        unit="s",
        ours=sum(each.values()),
        peer="node_exporter, same topics, less its bare scrape",
        peer_value=max(lean - bare, 0.0),
        detail={
            "each": each,
            "a_second": sum(each[row.name] / row.interval for row in HOST_COLLECTORS),
            "series": sum(not line.startswith(b"#") for line in rendered.splitlines()),
            "node_exporter_same_topics": {"scrape": lean, "series": lean_series},
            "node_exporter_bare": {"scrape": bare},
            "node_exporter_default": {"scrape": default, "series": default_series},
        },
    )


def _tree(rounds: int) -> Iterator[Figure]:
    with _shell(FOREST, PROCESSES) as root:
        trees = ProcessTrees(lambda: {"bench": [root]})
        with contextlib.closing(trees):
            still = _cpu_a_call(_sampler(trees), rounds)
        peer = _cpu_a_call(lambda: _by_psutil(root), max(5, rounds // 10))
    yield Figure(
        key="tree_sample",
        what=f"CPU of sampling a tree of {PROCESSES} processes",
        unit="s",
        ours=still,
        peer="psutil",
        peer_value=peer,
        detail={"machine_processes": len(psutil.pids())},
    )
    with _shell(FOREST, PROCESSES - NEW_EACH_SECOND) as root, _shell(CHURN, NEW_EACH_SECOND) as busy:
        trees = ProcessTrees(lambda: {"bench": [root, busy]})
        with contextlib.closing(trees):
            sample = _sampler(trees)
            sample()
            spent = []
            for _ in range(max(3, rounds // 20)):
                time.sleep(1)
                began = time.process_time()
                sample()
                spent.append(time.process_time() - began)
    yield Figure(
        key="tree_sample_busy",
        what=f"CPU of sampling it, {NEW_EACH_SECOND} of them new each second",
        unit="s",
        ours=sum(spent) / len(spent),
        detail={"samples": spent},
    )


def _all_in(seconds: float) -> Figure:
    with _shell(FOREST, PROCESSES) as root:
        trees = ProcessTrees(lambda: {"bench": [root]})
        tree = BackgroundRunner(trees, 1.0)
        scrape = Scrape(
            [*(BackgroundRunner(row.make(), row.interval, thread=row.thread) for row in HOST_COLLECTORS), tree]
        )
        scrape.start()
        wait_until(lambda: all(each.success for each in scrape.collectors), what="first samples")
        cpu, wall = time.process_time(), time.monotonic()
        time.sleep(seconds)
        share = (time.process_time() - cpu) / (time.monotonic() - wall)
        failed = [each.name for each in scrape.collectors if not each.success]
        scrape.stop()
    if failed:
        raise RuntimeError(f"these did not succeed: {failed}")
    return Figure(
        key="sampling_idle",
        what=f"share of a core: host and a tree of {PROCESSES} processes, each second",
        unit="ratio",
        ours=share,
        goal=0.015,
        detail={"seconds": seconds},
    )


def _sampler(collector: Collector) -> Callable[[], object]:
    """Return the function that does what the sampling thread does for a sample."""
    return lambda: list(collector.collect())


def _cpu_a_call(function: Callable[[], object], rounds: int) -> float:
    """Return the CPU seconds a call takes; threads it starts are of this process and counted."""
    function()
    began = time.process_time()
    for _ in range(rounds):
        function()
    return (time.process_time() - began) / rounds


def _by_psutil(root: int) -> None:
    parent = psutil.Process(root)
    for process in (parent, *parent.children(recursive=True)):
        with process.oneshot():
            process.cpu_times()
            process.memory_info()
            process.io_counters()


def _node_exporter(rounds: int, *flags: str) -> tuple[float, int]:
    """Return the CPU seconds a scrape of node_exporter takes, and its series."""
    binary = shutil.which("prometheus-node-exporter") or shutil.which("node_exporter")
    if binary is None:
        raise FileNotFoundError("node_exporter is not installed")
    port = free_port()
    with workplace() as place:
        process = Process([binary, f"--web.listen-address=127.0.0.1:{port}", *flags], place / "node_exporter.log")
        process.port = port
        try:
            process.wait_answering()
            with Client(port) as client:
                body = client.get()
                began = process.cpu_seconds()
                for _ in range(rounds):
                    client.get()
                return (process.cpu_seconds() - began) / rounds, sum(b[:1] != b"#" for b in body.splitlines())
        finally:
            process.stop()


@contextlib.contextmanager
def _shell(script: str, count: int) -> Iterator[int]:
    """Run a shell script that has `count` processes, itself included; give its pid once they are there."""
    with subprocess.Popen(["sh", "-c", script, "sh", str(count)], start_new_session=True) as process:
        try:
            wanted = count * 0.9
            wait_until(lambda: len(psutil.Process(process.pid).children()) >= wanted, what="the processes", pause=0.05)
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def main() -> None:
    """Measure, print a table and write the figures where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds: whether it works, not how fast it is")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the figures")
    arguments = parser.parse_args()
    found = figures(quick=arguments.quick)
    print(table(found))
    if arguments.json is not None:
        document = {figure.key: figure.as_json() for figure in found}
        arguments.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
