"""One real Prometheus that holds two days of three builders, and every query of every dashboard to be asked there."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from dashboard_world import World, blocks
from ports import free_port

_INTERVAL: Final = 120.0
_RARELY: Final = 600.0
"""Seconds between samples of the days before; queries over all of it look at the same moments."""


class Prometheus:
    """A running Prometheus over finished blocks."""

    def __init__(self, directory: Path) -> None:
        config = directory / "prometheus.yml"
        config.write_text("global: {}\n")
        self.url = f"http://127.0.0.1:{free_port()}"
        flags = (
            f"--config.file={config}",
            f"--storage.tsdb.path={directory}/tsdb",
            "--storage.tsdb.retention.time=50y",
            f"--web.listen-address={self.url.removeprefix('http://')}",
        )
        with (directory / "log").open("wb") as log:
            self.process = subprocess.Popen(("prometheus", *flags), stdout=log, stderr=log)

    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            urllib.request.urlopen(f"{self.url}/-/ready", timeout=5).close()
        except OSError:
            return False
        return True

    def _ask(self, path: str, **parameters: object) -> tuple[list[dict[str, Any]], float]:
        began = time.perf_counter()
        address = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{parameters['query']}: {error.read().decode()[:400]}") from None
        assert not found.get("warnings"), (parameters["query"], found["warnings"])
        result: list[dict[str, Any]] = found["data"]["result"]
        return result, time.perf_counter() - began

    def at(self, query: str, moment: float) -> tuple[list[dict[str, Any]], float]:
        """Return what a query gives at a time, and how long that took."""
        return self._ask("query", query=query, time=moment)

    def over(self, query: str, moment: float, seconds: float) -> tuple[list[dict[str, Any]], float]:
        """Return what a query gives over the time before a moment, at 100 points, and how long that took."""
        return self._ask("query_range", query=query, start=moment - seconds, end=moment, step=max(seconds / 100, 15))


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus with the world of the dashboards, four moments of a build and three builders."""
    if not (shutil.which("prometheus") and shutil.which("promtool")):
        pytest.skip("Prometheus is not installed")
    directory = tmp_path_factory.mktemp("prometheus")
    blocks(World(directory / "journals").fill(_INTERVAL, _RARELY), directory)
    server = Prometheus(directory)
    end = time.monotonic() + 60
    while not server.is_ready():
        assert time.monotonic() < end, (directory / "log").read_text()
        time.sleep(0.05)
    yield server
    server.process.terminate()
    server.process.wait(20)
