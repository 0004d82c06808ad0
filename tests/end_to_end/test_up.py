"""`make up`: everything started, a recorded build replayed, everything stopped."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("ports of the bundle")  # one at a time

PORTS = {"exporter": 10110, "prometheus": 9090, "alertmanager": 9093}


def is_listening(port: int) -> bool:
    """Whether something listens on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def clone(repository: Path, tmp_path: Path) -> Path:
    """What a clone holds of the bundle, in a directory of its own, with the command on the path."""
    if not (shutil.which("prometheus") and shutil.which("prometheus-alertmanager")):
        pytest.skip("Prometheus and Alertmanager are not installed")
    taken = [f"{name} {port}" for name, port in PORTS.items() if is_listening(port)]
    if taken:
        pytest.skip(f"ports in use on this machine: {', '.join(taken)}")
    top = tmp_path / "clone"
    for name in ("prometheus", "alertmanager", "examples/recorded"):
        shutil.copytree(repository / name, top / name)
    (top / "exporter").mkdir()
    shutil.copy(repository / "exporter" / "up.py", top / "exporter")
    shutil.copy(repository / "Procfile", top)
    return top


@pytest.fixture
def up(clone: Path) -> Iterator[subprocess.Popen[str]]:
    """`exporter/up.py` running, its output in `up.log`."""
    journal = str(clone / "var" / "journal")
    environment = {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "DOCKER_HOST": "unix:///nowhere",
        "BUILD_EXPORTER_JOURNAL": journal,
    }
    with (clone / "up.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "exporter/up.py"], cwd=clone, stdout=log, stderr=log, text=True, env=environment
        )
    yield process
    if process.poll() is None:
        process.terminate()
        process.wait(30)


def test_everything_starts_shows_a_build_and_stops(
    clone: Path, up: subprocess.Popen[str], poll: Callable[..., None]
) -> None:
    """One command on a bare machine: Prometheus shows the replayed build, Ctrl-C leaves nothing behind."""

    def has_build() -> bool:
        assert up.poll() is None, (clone / "up.log").read_text()
        try:
            query = "http://127.0.0.1:9090/api/v1/query?query=build_info"
            with urllib.request.urlopen(query, timeout=5) as answer:
                return bool(json.load(answer)["data"]["result"])
        except OSError:
            return False

    poll(has_build, 60, "Prometheus has scraped the replayed build")
    reported = (clone / "up.log").read_text()
    for address in ("http://localhost:10110/", "http://localhost:9090/"):
        assert address in reported
    for address in re.findall(r"http://localhost:\S+", reported):
        with urllib.request.urlopen(address, timeout=5) as answer:
            assert "does not include a web" not in answer.read().decode(), f"{address} is of no use"
    assert "build-exporter run --build my-build -- make" in reported
    up.send_signal(signal.SIGINT)
    assert up.wait(30) == 0
    assert not any(is_listening(port) for port in PORTS.values())
    events = [json.loads(line) for path in (clone / "var").rglob("*.jsonl") for line in path.read_text().splitlines()]
    assert events[-1]["event"] == "build_finished", "the replay ends its run too"
