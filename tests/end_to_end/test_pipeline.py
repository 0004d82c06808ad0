"""The whole path with the real programs: a replayed build, Prometheus, its rules, Alertmanager, a receiver."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ports import free_port
from webhooks import Webhook

pytestmark = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("prometheus-alertmanager")),
    reason="Prometheus and Alertmanager are not installed",
)


class Receiver(Webhook):
    """A webhook receiver that keeps what it is sent."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        super().__init__()

    def received(self, path: str, headers: dict[str, str], body: bytes) -> None:
        """Keep a message."""
        self.messages.append(json.loads(body))

    def alerts(self, name: str, status: str = "firing") -> list[dict[str, Any]]:
        """Return the alerts of a name that were delivered with a status."""
        delivered = [alert for message in list(self.messages) for alert in message["alerts"]]
        return [a for a in delivered if a["labels"]["alertname"] == name and a["status"] == status]


class Stack:
    """Prometheus and Alertmanager with the repository's files, at test speed."""

    def __init__(self, repository: Path, directory: Path, exporter_port: int, receiver: Receiver) -> None:
        self.directory = directory
        self.prometheus = f"http://127.0.0.1:{free_port()}"
        self.alertmanager = f"http://127.0.0.1:{free_port()}"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._write_prometheus(repository, exporter_port)
        self._write_alertmanager(repository, receiver)

    def _write_prometheus(self, repository: Path, exporter_port: int) -> None:
        config = yaml.safe_load((repository / "prometheus" / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(repository / "prometheus" / "rules" / "*.yml")]
        config["alerting"]["alertmanagers"][0]["static_configs"] = [{"targets": [self._address(self.alertmanager)]}]
        config["scrape_configs"] = [
            {**job, "static_configs": [{"targets": [f"127.0.0.1:{exporter_port}"]}], "file_sd_configs": []}
            for job in config["scrape_configs"]
            if job["job_name"] == "build-exporter"
        ]
        (self.directory / "prometheus.yml").write_text(yaml.safe_dump(config))

    def _write_alertmanager(self, repository: Path, receiver: Receiver) -> None:
        config = yaml.safe_load((repository / "alertmanager" / "alertmanager.yml").read_text())
        config["templates"] = [str(repository / "alertmanager" / "templates" / "*.tmpl")]
        for each in config["receivers"]:
            each["webhook_configs"] = [{"url": receiver.url, "send_resolved": True}]
        for route in (config["route"], *config["route"]["routes"]):
            route["group_wait"] = "0s"
            route["group_interval"] = "1s"
            route.pop("mute_time_intervals", None)
        (self.directory / "alertmanager.yml").write_text(yaml.safe_dump(config))

    @staticmethod
    def _address(url: str) -> str:
        return url.removeprefix("http://")

    def start(self) -> None:
        """Start both programs."""
        self._run(
            "prometheus",
            f"--config.file={self.directory}/prometheus.yml",
            f"--storage.tsdb.path={self.directory}/tsdb",
            f"--web.listen-address={self._address(self.prometheus)}",
            # one sent before Alertmanager listened is sent again soon
            "--rules.alert.resend-delay=2s",
        )
        self._run(
            "prometheus-alertmanager",
            f"--config.file={self.directory}/alertmanager.yml",
            f"--storage.path={self.directory}/alertmanager",
            f"--web.listen-address={self._address(self.alertmanager)}",
            "--cluster.listen-address=",
        )

    def _run(self, *command: str) -> None:
        log = (self.directory / f"{command[0]}.log").open("wb")
        with log:
            self._processes.append(subprocess.Popen(command, stdout=log, stderr=log))

    def stop(self) -> None:
        """End both."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(20)

    def is_ready(self) -> bool:
        """Whether both answer."""
        try:
            for base in (self.prometheus, self.alertmanager):
                urllib.request.urlopen(f"{base}/-/ready", timeout=5).close()
        except OSError:
            return False
        return True

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the instant vector of a PromQL query."""
        address = f"{self.prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            found = json.load(answer)
        assert found["status"] == "success", found
        result: list[dict[str, Any]] = found["data"]["result"]
        return result


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A webhook receiver on loopback."""
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture
def stack(
    repository: Path, tmp_path: Path, serve: Callable[..., Any], receiver: Receiver, poll: Callable[..., None]
) -> Iterator[Stack]:
    """An exporter, and Prometheus and Alertmanager with the repository's own files, scraping it."""
    directory = tmp_path / "stack"
    directory.mkdir()
    stack = Stack(repository, directory, serve().port, receiver)
    stack.start()
    poll(stack.is_ready, 30, "Prometheus and Alertmanager are ready")
    yield stack
    stack.stop()


def test_a_failed_step_reaches_its_receiver_and_so_does_the_end_of_it(
    stack: Stack, receiver: Receiver, run_file: Callable[..., Any], poll: Callable[..., None]
) -> None:
    """A failing step becomes one critical alert that names step, class and first words; the retry resolves it."""
    run = run_file("lfs", run="20260102T030405Z", clock=time.time() - 60)
    run.add("build_started", after=0)
    run.add("plan", after=0, steps=[{"phase": "chapter-5", "step": "502-gcc-pass1", "sbu": 3.2}])
    run.add("step_started", phase="chapter-5", step="502-gcc-pass1")
    run.add(
        "step_finished",
        after=30,
        phase="chapter-5",
        step="502-gcc-pass1",
        status="failed",
        exit_code=2,
        error_class="compiler-error",
        message="foo.c:1: error: boom <b>&",
    )
    poll(lambda: receiver.alerts("BuildFailed"), 60, "the alert is delivered")
    (alert,) = [a for a in receiver.alerts("BuildFailed") if a["labels"]["tier"] == "1"][:1]
    assert alert["labels"] | {"build": "lfs", "severity": "critical"} == alert["labels"]
    assert "502-gcc-pass1" in alert["annotations"]["description"]
    assert "compiler-error" in alert["annotations"]["description"]
    assert "error: boom" in alert["annotations"]["description"]
    run.add("step_started", phase="chapter-5", step="502-gcc-pass1")
    run.add("step_finished", phase="chapter-5", step="502-gcc-pass1", status="succeeded")
    poll(lambda: receiver.alerts("BuildFailed", "resolved"), 90, "the end of it is delivered")


def test_the_dead_mans_switch_proves_the_path(stack: Stack, receiver: Receiver, poll: Callable[..., None]) -> None:
    """Something always fires, so silence means that alerting is broken."""
    poll(lambda: receiver.alerts("BuildDeadMansSwitch"), 60, "the dead man's switch is delivered")
    assert not receiver.alerts("BuildExporterDown")
