"""Many builders in one real Prometheus, and through a Prometheus agent's remote_write in a real VictoriaMetrics.

python -m bench.fleet [--builders 50] [--steps 150] [--interval 5] [--seconds 60] [--json FILE]

Each builder is what a real exporter answers of a build of so many steps, with figures that move at each scrape; every
tenth has failed. All builders call their build alike. docs/scaling.md rests on what this prints.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import shutil
import threading
import time
import urllib.parse
import urllib.request
import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from bench import workload
from bench.client import OPENMETRICS_GZIP, Client
from bench.harness import REPOSITORY, Process, exporter, free_port, wait_until, workplace

FAILED_EVERY: Final = 10
MOVING: Final = (
    b"build_host_",
    b"build_process_",
    b"build_exporter_",
    b"process_",
    b"build_progress",
    b"build_estimated",
)
"""Beginnings of families whose values differ from scrape to scrape while a build runs."""

QUESTIONS: Final = {
    "builders that answer": 'count(up{job="build-exporter"} == 1)',
    "builds by state": "sum by (state) (build_state)",
    "builders whose build has failed": 'count(max by (builder) (build_state{state="failed"}) == 1)',
    "steps done of all": 'sum(build_steps{state="succeeded"})',
    "last to end": 'max(max by (builder, build) (build_estimated_remaining_seconds{percentile="90"}))',
    "least free memory": "min by (builder) (build_host_memory_available_bytes)",
    "slowest step of any builder": "topk(1, max by (builder, step) (build_step_duration_seconds))",
}
"""What one asks of a fleet; the answers of Prometheus and VictoriaMetrics are compared."""

DASHBOARD: Final = REPOSITORY / "grafana" / "dashboards" / "build-fleet.json"

Json = dict[str, Any]


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet: whoever scrapes ends its connections as it ends."""


class Builders:
    """Serves the answers of many builders at `/N/metrics`, as an exporter serves them."""

    def __init__(self, running: bytes, failed: bytes, count: int) -> None:
        ticks = [itertools.count() for _ in range(count)]
        kinds = [[_parts(line) for line in body.splitlines(keepends=True)] for body in (running, failed)]

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                builder = int(self.path.split("/")[1])
                tick = next(ticks[builder])
                lines = kinds[builder % FAILED_EVERY == FAILED_EVERY - 1]
                body = b"".join(_moved(line, tick * 0.37 + builder) for line in lines)
                packed = zlib.compress(body, 1, wbits=31)
                self.send_response(200)
                self.send_header("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
                self.send_header("Content-Encoding", "gzip")
                self.send_header("Content-Length", str(len(packed)))
                self.end_headers()
                self.wfile.write(packed)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Keep quiet."""

        self.series = sum(not line.startswith(b"#") for line in running.splitlines())
        self.bytes = len(running)
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


def _parts(line: bytes) -> bytes | tuple[bytes, float]:
    name, _, value = line.rpartition(b" ")
    return (name + b" ", float(value)) if line.startswith(MOVING) and not name.endswith(b'"]') else line


def _moved(line: bytes | tuple[bytes, float], by: float) -> bytes:
    return line if isinstance(line, bytes) else b"%b%r\n" % (line[0], line[1] + by)


def answers(place: Path, process: Process, steps: int) -> tuple[bytes, bytes]:
    """Return what a real exporter answers Prometheus while a build runs, and once its running step has failed."""
    workload.START = time.time() - steps * 61.0
    path = workload.journal_file(place)
    path.write_bytes(workload.partly_done(steps))
    with Client(process.port, headers={"Accept": OPENMETRICS_GZIP["Accept"]}) as client:
        wait_until(lambda: b'state="running"} 1' in client.get(), what="the build is shown")
        running = client.get()
        with path.open("ab") as file:
            file.write(workload.finished(*workload.running_step(steps), time.time(), "failed"))
            file.write(workload.line("build_finished", time.time(), status="failed"))
        wait_until(lambda: b'state="failed"} 1' in client.get(), what="the failure is shown")
        return running, client.get()


def ask(port: int, path: str, **parameters: str) -> Any:
    """Return the answer of a server's JSON API."""
    url = f"http://127.0.0.1:{port}{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=120) as answer:
        return json.load(answer)["data"]


def values(port: int, query: str) -> dict[str, float]:
    """Return what a query gives: values by their labels as text."""
    found = ask(port, "/api/v1/query", query=query)["result"]
    return {json.dumps(each["metric"], sort_keys=True): float(each["value"][1]) for each in found}


def panels() -> list[str]:
    """Return the queries of the fleet's dashboard, those of alerts left out: an agent evaluates no rules."""
    text = DASHBOARD.read_text().replace("$__rate_interval", "1m").replace("$instance", ".+")
    targets = [target for panel in json.loads(text)["panels"] for target in panel.get("targets", ())]
    return list(dict.fromkeys(target["expr"] for target in targets if "ALERTS" not in target["expr"]))


def counted(queries: list[str], *ports: int) -> dict[str, list[int]]:
    """Return of each query how many series each server answers with."""
    return {query: [len(values(port, query)) for port in ports] for query in queries}


def value(port: int, query: str) -> float:
    """Return the one value of a query, 0 without one."""
    return next(iter(values(port, query).values()), 0.0)


@contextlib.contextmanager
def started(name: str, command: list[str], place: Path, ready: str) -> Iterator[Process]:
    """Run a server that listens on `{port}` of its command, ready."""
    port = free_port()
    process = Process([word.format(port=port) for word in command], place / f"{name}.log")
    process.port = port
    try:
        process.wait_answering(ready)
        yield process
    finally:
        process.stop()


def configuration(place: Path, builders: Builders, count: int, interval: float) -> Json:
    """Return Prometheus' configuration for the builders, which a file of `file_sd` lists by their names."""
    groups = [
        {
            "targets": [f"127.0.0.1:{builders.port}"],
            "labels": {"builder": f"b{n}", "instance": f"b{n}:10110", "__metrics_path__": f"/{n}/metrics"},
        }
        for n in range(count)
    ]
    (place / "builders.json").write_text(json.dumps(groups))
    each = f"{interval:g}s"
    return {
        "global": {"scrape_interval": each, "scrape_timeout": each, "evaluation_interval": f"{max(interval, 5):g}s"},
        "scrape_configs": [
            {"job_name": "build-exporter", "file_sd_configs": [{"files": [str(place / "builders.json")]}]}
        ],
    }


@contextlib.contextmanager
def fleet(
    place: Path, own: int, builders: Builders, count: int, interval: float
) -> Iterator[tuple[Process, Process, Process]]:
    """Run Prometheus with the shipped rules, an agent that sends the same to VictoriaMetrics, and that.

    Prometheus also finds the real exporter at the port `own` by what that says of itself, and keeps `up` of it alone.
    """
    config = configuration(place, builders, count, interval)
    store = ["victoria-metrics", f"-storageDataPath={place}/vm", "-httpListenAddr=127.0.0.1:{port}",
             "-search.latencyOffset=0s", "-memory.allowedBytes=1GB", "-retentionPeriod=1y"]  # fmt: skip
    with contextlib.ExitStack() as stack:
        victoria = stack.enter_context(started("victoria", store, place, "/health"))
        rules = {"rule_files": [f"{REPOSITORY}/prometheus/rules/*.yml"]}
        remote = {"remote_write": [{"url": f"http://127.0.0.1:{victoria.port}/api/v1/write"}]}
        discovered = {
            "job_name": "discovered",
            "http_sd_configs": [{"url": f"http://127.0.0.1:{own}/api/v1/sd"}],
            "metric_relabel_configs": [{"action": "drop", "source_labels": ["__name__"], "regex": ".+"}],
        }
        jobs = {"scrape_configs": [*config["scrape_configs"], discovered]}
        (place / "server.yml").write_text(json.dumps(config | rules | jobs))
        (place / "agent.yml").write_text(json.dumps(config | remote))
        common = ["prometheus", "--web.listen-address=127.0.0.1:{port}"]
        agent = ["--enable-feature=agent", f"--storage.agent.path={place}/agent", f"--config.file={place}/agent.yml"]
        server = [f"--storage.tsdb.path={place}/tsdb", f"--config.file={place}/server.yml", "--web.enable-admin-api"]
        yield (
            stack.enter_context(started("server", [*common, *server], place, "/-/ready")),
            stack.enter_context(started("agent", [*common, *agent], place, "/-/ready")),
            victoria,
        )


def measure(builders: int, steps: int, interval: float, seconds: float) -> Json:
    """Return what a fleet costs and answers.

    Raises:
        TimeoutError: not all builders came to be seen on both ways.
    """
    with workplace() as place, contextlib.ExitStack() as stack:
        own = stack.enter_context(exporter(place))
        source = Builders(*answers(place, own, steps), builders)
        stack.callback(source.close)
        server, agent, victoria = stack.enter_context(fleet(place, own.port, source, builders, interval))
        empty = {name: each.memory()["rss"] for name, each in (("server", server), ("victoria", victoria))}
        for each in (server, victoria):
            query = partial(value, each.port, QUESTIONS["builders that answer"])
            wait_until(lambda query=query: query() == builders, 120, "all are seen", 0.2)  # type: ignore[misc]
        failed = len(range(FAILED_EVERY - 1, builders, FAILED_EVERY))
        alerts = 'count by (builder) (ALERTS{alertname="BuildFailed",alertstate="firing"})'
        wait_until(lambda: len(values(server.port, alerts)) == failed, 120, "each failure is an alert", 0.2)
        discovered = partial(values, server.port, 'up{job="discovered"} == 1')
        wait_until(lambda: bool(discovered()), 120, "the exporter is found by http_sd", 0.2)
        shown: dict[str, list[int]] = {}

        def alike() -> bool:
            shown.update(counted(panels(), server.port, victoria.port))
            # rates need a second scrape
            return all(ours == theirs for ours, theirs in shown.values()) and [builders] * 2 in (
                count for query, count in shown.items() if "rate(" in query
            )

        wait_until(alike, 120, "the dashboard is answered alike", 0.2)
        processes = {"server": server, "agent": agent, "victoria": victoria}
        before = {name: each.cpu_seconds() for name, each in processes.items()}
        began = time.monotonic()
        # a measurement takes its time, the only thing here that does not wait for something
        time.sleep(seconds)
        took = max(time.monotonic() - began, 1e-9)
        cores = {name: (each.cpu_seconds() - before[name]) / took for name, each in processes.items()}
        samples = builders * source.series / interval
        head = _own(server, "prometheus_tsdb_head_series")
        return {
            "builders": builders,
            "series_a_builder": source.series,
            "bytes_a_scrape": source.bytes,
            "samples_a_second": samples,
            "scrape_seconds": {
                "mean": value(server.port, "avg(scrape_duration_seconds)"),
                "most": value(server.port, "max(scrape_duration_seconds)"),
            },
            "rules_seconds": _rules(server.port),
            "cores": cores,
            "cpu_us_a_sample": {name: each / samples * 1e6 for name, each in cores.items()},
            "memory": {name: each.memory()["rss"] for name, each in processes.items()},
            "memory_a_series": {
                "server": (server.memory()["rss"] - empty["server"]) / head,
                "victoria": (victoria.memory()["rss"] - empty["victoria"]) / (builders * source.series),
            },
            "disk_bytes_a_sample": _disk(server, place) if seconds else None,
            "found_by_http_sd": [json.loads(each)["builder"] for each in discovered()],
            "alerts_by_builder": sorted(json.loads(each)["builder"] for each in values(server.port, alerts)),
            "answers": {"server": _asked(server.port), "victoria": _asked(victoria.port)},
            "dashboard": shown,
            "names": {"server": _names(server.port), "victoria": _names(victoria.port)},
        }  # fmt: skip


def _rules(port: int) -> dict[str, float]:
    groups = ask(port, "/api/v1/rules")["groups"]
    return {group["name"]: round(group["evaluationTime"], 3) for group in groups}


def _names(port: int) -> list[str]:
    return list(ask(port, "/api/v1/label/__name__/values"))


def _asked(port: int) -> Json:
    return {question: values(port, query) for question, query in QUESTIONS.items()}


def _own(process: Process, name: str) -> float:
    with Client(process.port) as client:
        line = next(line for line in client.get().splitlines() if line.startswith(name.encode() + b" "))
    return float(line.split()[1])


def _disk(server: Process, place: Path) -> float:
    """Return the bytes that a sample takes in a block, which the head is written as."""
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}/api/v1/admin/tsdb/snapshot", method="POST")
    with urllib.request.urlopen(request, timeout=300) as answer:
        snapshot = place / "tsdb" / "snapshots" / json.load(answer)["data"]["name"]
    blocks = list(snapshot.glob("*/meta.json"))
    samples: int = sum(json.loads(meta.read_text())["stats"]["numSamples"] for meta in blocks)
    size: int = sum(path.stat().st_size for meta in blocks for path in meta.parent.rglob("*") if path.is_file())
    return size / max(samples, 1)


def missing() -> list[str]:
    """Return the programs that are not installed."""
    return [name for name in ("prometheus", "victoria-metrics") if not shutil.which(name)]


def _print(found: Mapping[str, Any]) -> None:
    for key, what in found.items():
        if key not in ("answers", "dashboard", "names"):
            print(f"{key:20} {what}")


def main() -> None:
    """Measure and print; keep everything as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("builders", 50), ("steps", 150), ("interval", 5), ("seconds", 60)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if missing():
        raise SystemExit(f"not installed: {', '.join(missing())}")
    found = measure(given.builders, given.steps, given.interval, given.seconds)
    _print(found)
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
