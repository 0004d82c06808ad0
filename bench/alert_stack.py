"""An exporter with a real Prometheus and Alertmanager, the shipped rules and routes, and a receiver of messages."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import yaml

from bench.harness import REPOSITORY, Process, exporter, free_port, wait_until, workplace


@dataclass(frozen=True)
class Arrival:
    """An alert of a message: when it arrived (monotonic seconds), at which receiver, and what it says."""

    at: float
    receiver: str
    alert: dict[str, Any]

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        return dict(self.alert["labels"])


class Receiver:
    """A webhook for each receiver of Alertmanager, by the path; keeps what arrives."""

    def __init__(self) -> None:
        self.arrived: list[Arrival] = []
        arrived = self.arrived

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                now = time.monotonic()
                arrived.extend(Arrival(now, self.path.strip("/"), alert) for alert in message["alerts"])
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Keep quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, build: str, status: str = "firing") -> list[Arrival]:
        """Return what arrived about a build with a status."""
        return [
            each for each in list(self.arrived) if each.labels.get("build") == build and each.alert["status"] == status
        ]

    def close(self) -> None:
        """Stop listening."""
        self.server.shutdown()
        self.server.server_close()


@dataclass(frozen=True)
class Stack:
    """What runs: the exporter over `place/journal`, what people would be sent, and Prometheus' port."""

    place: Path
    exporter: Process
    receiver: Receiver
    prometheus: int

    def fires(self, alert: str) -> bool:
        """Return whether Prometheus' own rule of an alert fires."""
        return _has_result(self.prometheus, f'ALERTS{{alertname="{alert}",alertstate="firing"}}')

    def append(self, build: str, event: str, **fields: object) -> float:
        """Append an event that happens now; return the monotonic time just before."""
        path = self.place / "journal" / build / "20260102T030405Z.jsonl"
        path.parent.mkdir(exist_ok=True)
        began = time.monotonic()
        line = {"time": time.time(), "event": event, "build": build, **fields}
        with path.open("ab", buffering=0) as file:
            file.write(json.dumps(line).encode() + b"\n")
        return began


@dataclass(frozen=True)
class Setting:
    """How the servers differ from the shipped files.

    Attributes:
        config: the exporter's configuration; `{alertmanager}` in it is Alertmanager's address.
        group_wait: of each route; None: as shipped.
        group_interval: of each route.
        hold: each `for` of the rules; None: as shipped.
        tools: the directory of Prometheus and Alertmanager; empty: PATH.
    """

    config: str = ""
    group_wait: str | None = None
    group_interval: str = "5s"
    hold: str | None = None
    tools: str = ""
    flags: tuple[str, ...] = field(default=())


def program(name: str, tools: str = "") -> str | None:
    """Return a program of a directory or PATH; Debian gives Alertmanager another name."""
    names = (name, f"prometheus-{name}")
    return next((found for each in names if (found := shutil.which(each, path=tools or None))), None)


_PROBLEM: Final = "Prometheus and Alertmanager are not installed"


@contextlib.contextmanager
def alert_stack(setting: Setting) -> Iterator[Stack]:
    """Run everything until left.

    Raises:
        FileNotFoundError: a program is missing.
    """
    prometheus, alertmanager = program("prometheus", setting.tools), program("alertmanager", setting.tools)
    if prometheus is None or alertmanager is None:
        raise FileNotFoundError(_PROBLEM)
    receiver, port = Receiver(), free_port()
    with workplace() as place:
        (place / "journal").mkdir()
        config = place / "config.yml"
        config.write_text(setting.config.replace("{alertmanager}", f"http://127.0.0.1:{port}"))
        flags = [*(["--config", str(config)] if setting.config else []), *setting.flags]
        flags = [flag.replace("{alertmanager}", f"http://127.0.0.1:{port}") for flag in flags]
        with (
            exporter(place, *flags) as process,
            _alertmanager(alertmanager, place, port, (receiver.url, f"http://127.0.0.1:{process.port}"), setting),
            _prometheus(prometheus, place, process.port, port, setting) as scraper,
        ):
            wait_until(lambda: _has_result(scraper, "up == 1"), 60, "Prometheus scrapes", pause=0.1)
            yield Stack(place, process, receiver, scraper)
    receiver.close()


@contextlib.contextmanager
def _alertmanager(command: str, place: Path, port: int, urls: tuple[str, str], setting: Setting) -> Iterator[int]:
    config = yaml.safe_load((REPOSITORY / "alertmanager/alertmanager.yml").read_text())
    config["templates"] = [str(REPOSITORY / "alertmanager/templates/*.tmpl")]
    for each in config["receivers"]:
        own = {"url": f"{urls[0]}/{each['name']}", "send_resolved": True}
        each["webhook_configs"] = [own, {"url": f"{urls[1]}/api/v1/alerts", "send_resolved": True}]
    for route in (config["route"], *config["route"]["routes"]):
        # as shipped, but for the night, and a tick of seconds instead of a minute
        route.pop("mute_time_intervals", None)
        route["group_interval"] = setting.group_interval
        if setting.group_wait is not None:
            route["group_wait"] = setting.group_wait
    (place / "alertmanager.yml").write_text(yaml.safe_dump(config))
    flags = (f"--config.file={place}/alertmanager.yml", f"--storage.path={place}/am", "--cluster.listen-address=")
    yield from _served([command, *flags, f"--web.listen-address=127.0.0.1:{port}"], place / "alertmanager.log", port)


@contextlib.contextmanager
def _prometheus(command: str, place: Path, exporter_port: int, alertmanager: int, setting: Setting) -> Iterator[int]:
    port = free_port()
    rules = place / "rules"
    rules.mkdir()
    for file in (REPOSITORY / "prometheus/rules").glob("*.yml"):
        text = file.read_text()
        (rules / file.name).write_text(
            re.sub(r"^( +for:) .*$", rf"\1 {setting.hold}", text, flags=re.MULTILINE) if setting.hold else text
        )
    config = yaml.safe_load((REPOSITORY / "prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(rules / "*.yml")]
    config["alerting"]["alertmanagers"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{alertmanager}"]}]
    target = {"targets": [f"127.0.0.1:{exporter_port}"]}
    config["scrape_configs"] = [{"job_name": "build-exporter", "static_configs": [target]}]
    (place / "prometheus.yml").write_text(yaml.safe_dump(config))
    flags = (f"--config.file={place}/prometheus.yml", f"--storage.tsdb.path={place}/tsdb")
    yield from _served([command, *flags, f"--web.listen-address=127.0.0.1:{port}"], place / "prometheus.log", port)


def _has_result(port: int, query: str) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?query={quote(query)}", timeout=10) as answer:
        return bool(json.load(answer)["data"]["result"])


def _served(command: list[str], log: Path, port: int) -> Iterator[int]:
    process = Process(command, log)
    process.port = port
    try:
        process.wait_answering("/-/ready")
        yield port
    finally:
        process.stop()
