"""Real Prometheus and Alertmanager on loopback with the shipped files, and a receiver of their messages."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
import yaml
from ports import free_port
from webhooks import Webhook

Json = dict[str, Any]

TOP: Final = Path(__file__).resolve().parents[2]


def generations() -> list[Any]:
    """Return each place of an Alertmanager: PATH as "", then the directories of `BUNDLE_TOOLS` that have one."""
    places = ["", *filter(None, os.environ.get("BUNDLE_TOOLS", "").split(os.pathsep))]
    found = [place for place in places if _program(place, "prometheus") and _alertmanager(place)]
    missing = pytest.param("", marks=pytest.mark.skip(reason="Prometheus and Alertmanager are not installed"))
    return found or [missing]


def _program(place: str, name: str) -> str | None:
    # a directory may hold one of the two only
    return shutil.which(name, path=place or None) or shutil.which(name)


def _alertmanager(place: str) -> str | None:
    names = ("alertmanager", "prometheus-alertmanager")
    return next((found for name in names if (found := shutil.which(name, path=place or None))), None)


class Receiver(Webhook):
    """A webhook of each receiver of Alertmanager: keeps what arrives, with the monotonic time of arrival."""

    def __init__(self, answer: int = 200) -> None:
        self.messages: list[tuple[float, str, Json]] = []
        super().__init__(answer)

    def received(self, path: str, headers: dict[str, str], body: bytes) -> None:
        """Keep a message."""
        self.messages.append((time.monotonic(), path.strip("/"), json.loads(body)))

    def alerts(self, name: str, status: str = "firing", **labels: str) -> list[Json]:
        """Return the alerts that arrived with a status, each with its receiver as `to` and its arrival as `at`."""
        return [
            {**alert, "to": to, "at": at}
            for at, to, message in list(self.messages)
            for alert in message["alerts"]
            if alert["labels"]["alertname"] == name
            and alert["status"] == status
            and labels.items() <= alert["labels"].items()
        ]


class Servers:
    """Prometheus and Alertmanager of one generation, each started and ended by itself."""

    def __init__(self, place: str, directory: Path, receiver: Receiver) -> None:
        self.place, self.directory = place, directory
        self.alertmanager = f"http://127.0.0.1:{free_port()}"
        self.prometheus = f"http://127.0.0.1:{free_port()}"
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        config = yaml.safe_load((TOP / "alertmanager/alertmanager.yml").read_text())
        config["templates"] = [str(TOP / "alertmanager/templates/*.tmpl")]
        for each in config["receivers"]:
            each["webhook_configs"] = [{"url": f"{receiver.url}/{each['name']}", "send_resolved": True}]
        for route in (config["route"], *config["route"]["routes"]):
            route.update({"group_wait": "0s", "group_interval": "1s"})
            # a test may be run at night
            route.pop("mute_time_intervals", None)
        self.config = config

    def also_report_to(self, exporter: str) -> None:
        """Let Alertmanager report to an exporter as well, as the shipped configuration does."""
        for each in self.config["receivers"]:
            each["webhook_configs"].append({"url": f"{exporter}/api/v1/alerts", "send_resolved": True})

    def start_alertmanager(self) -> None:
        """Start Alertmanager with the shipped routes, at once instead of in minutes; its storage is kept."""
        (self.directory / "alertmanager.yml").write_text(yaml.safe_dump(self.config))
        program = _alertmanager(self.place)
        assert program is not None
        flags = (f"--config.file={self.directory}/alertmanager.yml", f"--storage.path={self.directory}/alertmanager")
        self._start("alertmanager", program, self.alertmanager, *flags, "--cluster.listen-address=")

    def start_prometheus(self, exporter_port: int, interval: str = "1s") -> None:
        """Start Prometheus with the shipped rules and a scrape and evaluation each `interval`."""
        program = _program(self.place, "prometheus")
        assert program is not None
        config = yaml.safe_load((TOP / "prometheus/prometheus.yml").read_text())
        config["global"] = {"scrape_interval": interval, "scrape_timeout": "1s", "evaluation_interval": interval}
        config["rule_files"] = [str(TOP / "prometheus/rules/*.yml")]
        target = self.alertmanager.removeprefix("http://")
        config["alerting"]["alertmanagers"][0]["static_configs"] = [{"targets": [target]}]
        (job,) = [job for job in config["scrape_configs"] if job["job_name"] == "build-exporter"]
        job |= {"static_configs": [{"targets": [f"127.0.0.1:{exporter_port}"]}], "file_sd_configs": []}
        config["scrape_configs"] = [job]
        (self.directory / "prometheus.yml").write_text(yaml.safe_dump(config))
        flags = (f"--config.file={self.directory}/prometheus.yml", f"--storage.tsdb.path={self.directory}/tsdb")
        self._start("prometheus", program, self.prometheus, *flags, "--rules.alert.resend-delay=2s")

    def _start(self, name: str, program: str, url: str, *flags: str) -> None:
        log = (self.directory / f"{name}.log").open("ab")
        with log:
            command = [program, *flags, f"--web.listen-address={url.removeprefix('http://')}"]
            self._running[name] = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + 60
        while not self._answers(url):
            assert self._running[name].poll() is None, (self.directory / f"{name}.log").read_text()[-2000:]
            assert time.monotonic() < end, f"{name} did not become ready"
            time.sleep(0.05)

    @staticmethod
    def _answers(url: str) -> bool:
        try:
            urllib.request.urlopen(f"{url}/-/ready", timeout=5).close()
        except OSError:
            return False
        return True

    def stop(self, name: str, number: int = signal.SIGTERM) -> None:
        """End one of them."""
        process = self._running.pop(name, None)
        if process is not None:
            process.send_signal(number)
            process.wait(20)

    def stop_all(self) -> None:
        """End what runs."""
        for name in list(self._running):
            self.stop(name)

    def ask(self, path: str, body: object = None, method: str | None = None) -> Any:
        """Return what Alertmanager answers."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.alertmanager + path, data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text[:1] in (b"[", b"{") else text

    def query(self, expression: str) -> list[Json]:
        """Return the instant vector of a PromQL query."""
        url = f"{self.prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return list(json.load(answer)["data"]["result"])


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """What people would be sent."""
    made = Receiver()
    yield made
    made.close()


@pytest.fixture(params=generations())
def servers(request: pytest.FixtureRequest, tmp_path: Path, receiver: Receiver) -> Iterator[Servers]:
    """Prometheus and Alertmanager, each generation that is there; not started yet."""
    directory = tmp_path / "servers"
    directory.mkdir()
    made = Servers(request.param, directory, receiver)
    yield made
    made.stop_all()


@pytest.fixture
def stage(request: pytest.FixtureRequest, servers: Servers) -> SimpleNamespace:
    """Everything that a test with real servers uses, by name; `begin` starts Alertmanager and an exporter of it."""
    names = ("serve", "receiver", "live_run", "fail", "poll", "command", "journal")
    made = SimpleNamespace(servers=servers, **{name: request.getfixturevalue(name) for name in names})

    def begin(*flags: str) -> Any:
        made.servers.start_alertmanager()
        return made.serve("--alertmanager.url", made.servers.alertmanager, *flags)

    made.begin = begin
    return made


@pytest.fixture
def live_run(run_file: Callable[..., Any]) -> Callable[..., Any]:
    """Make run files whose events happen now."""

    def make(build: str = "lfs") -> Any:
        run = run_file(build, run=time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), clock=time.time())
        add = run.add

        def now(event: str, after: float = 0.0, **fields: object) -> None:
            run.clock = time.time()
            add(event, after, **fields)

        run.add = now
        return run

    return make


@pytest.fixture
def fail() -> Callable[..., float]:
    """Let a build fail now; return the monotonic time at which the event was written."""

    def write(run: Any, step: str = "813-gcc") -> float:
        run.add("step_started", phase="chapter-8", step=step)
        words = {"error_class": "compiler-error", "message": "a.c:1: error: x", "exit_code": 2}
        began = time.monotonic()
        run.add("step_finished", phase="chapter-8", step=step, status="failed", **words)
        return began

    return write
