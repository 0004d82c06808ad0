"""A real Alertmanager on loopback with the shipped configurations at test speed, and servers that take its messages."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from ports import free_port
from webhooks import Webhook

Json = dict[str, Any]

TOP: Final = Path(__file__).resolve().parents[3]

FAILED: Final = {
    "summary": "A build has failed and stopped.",
    "description": "Build lfs-12.4 failed at chapter-8 / 813-gcc.",
    "failed_step": "chapter-8 / 813-gcc",
    "failure_class": "compiler-error",
    "excerpt": "a.c:1: error: <script>alert(1)</script> & more",
    "runbook_url": "http://localhost:10110/runbook#buildfailed",
    "dashboard_url": "http://localhost:3000/d/build-now?var-build=lfs-12.4",
}

HISTORY: Final = "http://localhost:10110/api/v1/alerts"
"""Where every shipped configuration reports to as well; no exporter runs in these tests."""


def programs() -> list[Any]:
    """Return each Alertmanager at hand: on PATH, where Debian calls it otherwise, and in `BUNDLE_TOOLS`."""
    places = [None, *os.environ.get("BUNDLE_TOOLS", "").split(os.pathsep)]
    names = ("alertmanager", "prometheus-alertmanager")
    found = [shutil.which(name, path=place) for place in places for name in names]
    missing = pytest.param("", marks=pytest.mark.skip(reason="Alertmanager is not installed"))
    return list(dict.fromkeys(program for program in found if program)) or [missing]


class Recorder(Webhook):
    """An HTTP server that keeps what it is sent: path, headers in lower case, body; and answers `answer`."""

    def __init__(self, answer: bytes = b"ok", kind: str = "text/plain") -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        super().__init__(200, answer, kind)

    def received(self, path: str, headers: dict[str, str], body: bytes) -> None:
        """Keep a request."""
        self.requests.append((path, headers, body))

    def messages(self, path: str) -> list[Json]:
        """Return the JSON documents sent to a path."""
        return [json.loads(body) for sent_to, _, body in list(self.requests) if sent_to == path]

    def notified(self, path: str, status: str = "firing") -> set[tuple[str, str]]:
        """Return alert and tier of what was sent to a path with a status."""
        return {
            (alert["labels"]["alertname"], alert["labels"].get("tier", ""))
            for message in self.messages(path)
            for alert in message["alerts"]
            if alert["status"] == status
        }


class Running:
    """A running Alertmanager."""

    def __init__(self, program: str, directory: Path, config: Json) -> None:
        self.directory = directory
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = directory / "alertmanager.log"
        self.configure(config)
        command = [
            program,
            f"--config.file={directory}/alertmanager.yml",
            f"--storage.path={directory}/data",
            f"--web.listen-address={self.url.removeprefix('http://')}",
            "--web.external-url=http://localhost:9093/",
            "--cluster.listen-address=",
        ]
        keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true"}
        with self.log.open("wb") as log:
            environment = {**os.environ, **keys}
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=directory, env=environment)
        self.wait(self._is_ready, "Alertmanager is ready")

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self._ask("GET", "/-/ready") is not None
        except OSError:
            return False

    def configure(self, config: Json) -> None:
        """Write the configuration."""
        (self.directory / "alertmanager.yml").write_text(yaml.safe_dump(config))

    def reload(self, config: Json) -> None:
        """Take another configuration, as `systemctl reload` does."""
        self.configure(config)
        self.process.send_signal(signal.SIGHUP)

    def wait(self, check: Callable[[], object], what: str, seconds: float = 30.0) -> None:
        """Poll until something holds; fail with Alertmanager's log when it does not."""
        end = time.monotonic() + seconds
        while not check():
            assert time.monotonic() < end, f"did not come: {what}\n{self.log.read_text()[-3000:]}"
            time.sleep(0.02)

    def post(self, name: str, annotations: Json | None = None, *, over: bool = False, **labels: str) -> None:
        """Send one alert, as Prometheus does; `over` ends it."""
        now = datetime.now(UTC)
        alert = {
            "labels": {"alertname": name, **labels},
            "annotations": FAILED if annotations is None else annotations,
            "startsAt": (now - timedelta(minutes=1)).isoformat(),
            "endsAt": (now - timedelta(seconds=1) if over else now + timedelta(minutes=10)).isoformat(),
        }
        self._ask("POST", "/api/v2/alerts", [alert])

    def silence(self, **matching: str) -> None:
        """Acknowledge: silence what has these labels, for an hour."""
        now = datetime.now(UTC)
        matchers = [{"name": k, "value": v, "isRegex": False, "isEqual": True} for k, v in matching.items()]
        times = {"startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat()}
        self._ask("POST", "/api/v2/silences", {"matchers": matchers, "createdBy": "me", "comment": "seen", **times})

    def states(self) -> dict[tuple[str, str], str]:
        """Return the state of each alert by name and tier: active, suppressed or unprocessed."""
        found = self._ask("GET", "/api/v2/alerts")
        return {(a["labels"]["alertname"], a["labels"].get("tier", "")): a["status"]["state"] for a in found}

    def counted(self, family: str, integration: str) -> float:
        """Return a counter of its own, summed over reasons and receivers."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        mine = [x for x in lines if x.startswith(f"{family}{{") and f'integration="{integration}"' in x]
        return sum(float(line.rpartition(" ")[2]) for line in mine)

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                pytest.fail(f"{method} {path}: {error.code} {error.read().decode()}")
        return json.loads(text) if text[:1] in (b"[", b"{") else text

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(15)


def shipped(name: str) -> Json:
    """Return a shipped configuration (`alertmanager`, or an example's name), telling at once instead of in minutes."""
    directory = TOP / "alertmanager"
    path = directory / "alertmanager.yml" if name == "alertmanager" else directory / "examples" / f"{name}.yml"
    config: Json = yaml.safe_load(path.read_text())
    for route in (config["route"], *config["route"]["routes"]):
        route.update({"group_wait": "0s", "group_interval": "1s"})
        # a test may be run at night
        route.pop("mute_time_intervals", None)
    for receiver in config["receivers"]:
        hooks = receiver.get("webhook_configs", [])
        others = [hook for hook in hooks if hook["url"] != HISTORY]
        assert len(others) == len(hooks) - 1, "each receiver also reports to the exporter"
        receiver["webhook_configs"] = others
    return config


@pytest.fixture
def configuration() -> Callable[[str], Json]:
    """A shipped configuration, at test speed."""
    return shipped


@pytest.fixture(params=programs())
def alertmanager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[Json], Running]]:
    """Start Alertmanager, each version that is there, with a configuration; ended with the test."""
    started: list[Running] = []
    shutil.copytree(TOP / "alertmanager/templates", tmp_path / "templates")
    (tmp_path / "secrets").mkdir()

    def start(config: Json) -> Running:
        started.append(Running(request.param, tmp_path, config))
        return started[-1]

    yield start
    for running in started:
        running.stop()


@pytest.fixture
def recorder() -> Iterator[Callable[..., Recorder]]:
    """Start HTTP servers that keep what they are sent."""
    started: list[Recorder] = []

    def start(*args: Any) -> Recorder:
        started.append(Recorder(*args))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def port() -> Callable[[], int]:
    """Find free ports."""
    return free_port
