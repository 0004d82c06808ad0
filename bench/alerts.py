"""From a build's failure to the receiver of its message: by the fast path, by Prometheus alone; and failures repeated.

Real Prometheus and Alertmanager with the shipped rules and routes, scraped and evaluated each second, in the same run.
"""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import yaml

from bench.figure import Figure, percentile, summary
from bench.harness import REPOSITORY, Process, exporter, free_port, wait_until, workplace

FAILURES: Final = 50
BUILDS: Final = 30
ROUNDS: Final = 4


class Receiver:
    """A webhook: the alerts that arrived, with the monotonic time of their arrival."""

    def __init__(self) -> None:
        self.arrived: list[tuple[float, dict[str, Any]]] = []
        arrived = self.arrived

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                now = time.monotonic()
                arrived.extend((now, alert) for alert in message["alerts"])
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Keep quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, status: str) -> list[tuple[float, str, str]]:
        """Return arrival, build and number of the first tier's failures that arrived with a status."""
        return [
            (at, alert["labels"]["build"], alert["labels"]["failure"])
            for at, alert in list(self.arrived)
            if alert["labels"].get("alertname") == "BuildFailed" and alert["labels"].get("tier") == "1"
            if alert["status"] == status
        ]


def figures(*, quick: bool = False) -> list[Figure]:
    """Return p99 by both ways, and the share of repeated failures that were reported exactly once."""
    if not (shutil.which("prometheus") and shutil.which("prometheus-alertmanager")):
        return []
    fast, slow = _reported(5 if quick else FAILURES, fast=True), _reported(3 if quick else 20, fast=False)
    once, times = _repeated(3 if quick else BUILDS, 2 if quick else ROUNDS)
    return [
        Figure(
            key="alert",
            what="failure to receiver, p99",
            unit="s",
            ours=percentile(fast, 0.99),
            peer="Prometheus + Alertmanager, each second",
            peer_value=percentile(slow, 0.99),
            goal=0.1,
            goal_ratio=20.0,
            detail={"ours": summary(fast), "peer": summary(slow)},
        ),
        Figure(
            key="alert_repeated",
            what="failures of builds that fail again and again, reported exactly once",
            unit="",
            ours=once,
            higher_is_better=True,
            goal=1.0,
            detail={"builds": BUILDS, "rounds": ROUNDS, "ours": summary(times)},
        ),
    ]


def _reported(count: int, *, fast: bool) -> list[float]:
    with _stack(fast=fast) as (place, receiver):
        taken = []
        for number in range(count):
            build = f"b{number}"
            began = _fail(place, build)
            taken.append(_arrival(receiver, build) - began)
        return taken


def _arrival(receiver: Receiver, build: str) -> float:
    """Return when the first message on a build came."""
    wait_until(lambda: any(row[1] == build for row in receiver.of("firing")), 60, "message")
    return next(row[0] for row in receiver.of("firing") if row[1] == build)


def _repeated(builds: int, rounds: int) -> tuple[float, list[float]]:
    """Let builds fail, be fixed and fail again, a quarter of the second failures acknowledged; count the messages."""
    chance = random.Random(16)
    with _stack(fast=True) as (place, receiver):
        began: dict[str, list[float]] = {f"b{number}": [] for number in range(builds)}
        agenda = sorted(
            (start + turn * 8.0, build, turn)
            for build in began
            for start in (chance.uniform(0, 8),)
            for turn in range(rounds)
        )
        zero = time.monotonic()
        for due, build, turn in agenda:
            time.sleep(max(0.0, zero + due - time.monotonic()))
            began[build].append(_fail(place, build))
            threading.Timer(chance.uniform(1.5, 5), _fix, (place, build)).start()
            if turn == 1 and chance.random() < 0.25:
                threading.Timer(0.7, _acknowledge, (place, build)).start()
        wanted = builds * rounds
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: len(set(receiver.of("resolved"))) >= wanted, 90, "every end", pause=0.1)
        firing = Counter(row[1:] for row in receiver.of("firing"))
        resolved = Counter(row[1:] for row in receiver.of("resolved"))
        exactly = sum(count == 1 and resolved[key] == 1 for key, count in firing.items())
        times = []
        for build, starts in began.items():
            arrivals = sorted(row[0] for row in receiver.of("firing") if row[1] == build)
            times += [at - start for start, at in zip(starts, arrivals, strict=False)]
        return exactly / wanted, times


@contextlib.contextmanager
def _stack(*, fast: bool) -> Iterator[tuple[Path, Receiver]]:
    receiver = Receiver()
    alertmanager = free_port()
    flags = ["--alertmanager.url", f"http://127.0.0.1:{alertmanager}"] if fast else []
    with workplace() as place:
        (place / "journal").mkdir()
        with (
            exporter(place, *flags) as process,
            _alertmanager(place, alertmanager, receiver),
            _prometheus(place, process.port, alertmanager),
        ):
            yield place, receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@contextlib.contextmanager
def _alertmanager(place: Path, port: int, receiver: Receiver) -> Iterator[None]:
    config = yaml.safe_load((REPOSITORY / "alertmanager/alertmanager.yml").read_text())
    config["templates"] = [str(REPOSITORY / "alertmanager/templates/*.tmpl")]
    for each in config["receivers"]:
        each["webhook_configs"] = [{"url": receiver.url, "send_resolved": True}]
    for route in (config["route"], *config["route"]["routes"]):
        # as shipped, but for the night, and a tick of 5 s instead of a minute
        route.pop("mute_time_intervals", None)
        route["group_interval"] = "5s"
    (place / "alertmanager.yml").write_text(yaml.safe_dump(config))
    flags = (f"--config.file={place}/alertmanager.yml", f"--storage.path={place}/am", "--cluster.listen-address=")
    command = ["prometheus-alertmanager", *flags, f"--web.listen-address=127.0.0.1:{port}"]
    yield from _served(command, place / "alertmanager.log", port)


@contextlib.contextmanager
def _prometheus(place: Path, exporter_port: int, alertmanager: int) -> Iterator[None]:
    port = free_port()
    config = yaml.safe_load((REPOSITORY / "prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(REPOSITORY / "prometheus/rules/*.yml")]
    config["alerting"]["alertmanagers"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{alertmanager}"]}]
    target = {"targets": [f"127.0.0.1:{exporter_port}"]}
    config["scrape_configs"] = [{"job_name": "build-exporter", "static_configs": [target]}]
    (place / "prometheus.yml").write_text(yaml.safe_dump(config))
    flags = (f"--config.file={place}/prometheus.yml", f"--storage.tsdb.path={place}/tsdb")
    command = ["prometheus", *flags, f"--web.listen-address=127.0.0.1:{port}"]
    yield from _served(command, place / "prometheus.log", port)


def _served(command: list[str], log: Path, port: int) -> Iterator[None]:
    process = Process(command, log)
    process.port = port
    try:
        process.wait_answering("/-/ready")
        yield
    finally:
        process.stop()


def _append(place: Path, build: str, event: str, **fields: object) -> None:
    path = place / "journal" / build / "20260102T030405Z.jsonl"
    path.parent.mkdir(exist_ok=True)
    with path.open("ab", buffering=0) as file:
        file.write(json.dumps({"time": time.time(), "event": event, "build": build, **fields}).encode() + b"\n")


def _fail(place: Path, build: str) -> float:
    _append(place, build, "step_started", phase="p", step="gcc")
    began = time.monotonic()
    _append(place, build, "step_finished", phase="p", step="gcc", status="failed", message="a.c:1: error: x")
    return began


def _fix(place: Path, build: str) -> None:
    _append(place, build, "step_started", phase="p", step="gcc")
    _append(place, build, "step_finished", phase="p", step="gcc", status="succeeded")


def _acknowledge(place: Path, build: str) -> None:
    path = place / "journal" / build / "20260102T030405Z.jsonl"
    failed = [json.loads(line) for line in path.read_text().splitlines() if '"failed"' in line]
    if failed:
        seconds, milliseconds = divmod(round(failed[-1]["time"] * 1000), 1000)
        number = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}.{milliseconds:03d}Z"
        _append(place, build, "acknowledged", name="BuildFailed", failure=number, by="bench")
