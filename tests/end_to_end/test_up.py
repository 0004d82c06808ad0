"""`make up`: everything started, a recorded build replayed, everything stopped."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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
    variables = {
        "PYTHONUNBUFFERED": "1",
        "DOCKER_HOST": "unix:///nowhere",
        "BUILD_EXPORTER_JOURNAL": str(clone / "own"),
    }
    environment = {**os.environ, **variables}
    with (clone / "up.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "exporter/up.py"], cwd=clone, stdout=log, stderr=log, text=True, env=environment
        )
    yield process
    if process.poll() is None:
        process.terminate()
        process.wait(30)


def ask(url: str) -> Any:
    """Return an answer's JSON, None where there is no answer."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)
    except OSError:
        return None


def test_everything_starts_shows_a_build_and_stops(
    clone: Path, up: subprocess.Popen[str], poll: Callable[..., None]
) -> None:
    """One command on a bare machine: a replayed build until there is one of your own; your journal has nothing else."""
    exporter = f"http://127.0.0.1:{PORTS['exporter']}/api/v1/builds"

    def builds() -> list[str]:
        return [row["build"] for row in (ask(exporter) or {"builds": ()})["builds"]]

    def has_scraped() -> bool:
        assert up.poll() is None, (clone / "up.log").read_text()
        found = ask("http://127.0.0.1:9090/api/v1/query?query=build_info")
        return bool(found and found["data"]["result"])

    poll(has_scraped, 60, "Prometheus has scraped the replayed build")
    reported = (clone / "up.log").read_text()
    for address in ("http://localhost:10110/", "http://localhost:9090/"):
        assert address in reported
    for address in re.findall(r"http://localhost:\S+", reported):
        with urllib.request.urlopen(address, timeout=5) as answer:
            assert "does not include a web" not in answer.read().decode(), f"{address} is of no use"
    assert "build-exporter run --build my-build -- make" in reported
    assert builds() == ["mini-lfs"]
    poll(lambda: (ask(f"{exporter}/mini-lfs/log?step=501-binutils-pass1") or {}).get("size", 0) > 0, 60, "a log")
    assert not (clone / "own").exists()
    environment = {**os.environ, "BUILD_EXPORTER_JOURNAL": str(clone / "own")}
    subprocess.run(
        [sys.executable, "-m", "build_exporter", "run", "--build", "mine", "--", "true"], env=environment, check=True
    )
    poll(lambda: builds() == ["mine"], 60, "one's own build is shown in place of the recorded one")
    assert not (clone / "var" / "demo").exists()
    up.send_signal(signal.SIGINT)
    assert up.wait(30) == 0
    assert not any(is_listening(port) for port in PORTS.values())
    assert [path.parent.name for path in clone.rglob("*.jsonl") if "examples" not in path.parts] == ["mine"]


def test_what_was_posted_to_the_recorded_build_stays(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recorded build goes with the journal that was made for it; other builds in that are kept."""
    monkeypatch.chdir(clone)
    up = runpy.run_path(str(clone / "exporter" / "up.py"))
    for build in ("mini-lfs", "posted"):
        (clone / "var" / "demo" / build).mkdir(parents=True)
        (clone / "var" / "demo" / build / "20260101T000000Z.jsonl").write_text(f"{build}\n")
    up["_remove_demo"](clone / "own")
    assert not (clone / "var" / "demo").exists()
    assert [path.read_text() for path in (clone / "own").rglob("*.jsonl")] == ["posted\n"]
