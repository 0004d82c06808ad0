"""Machines for the host collectors: one planted as files, and the real one as node_exporter sees it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from build_exporter.exposition import TEXT, Family, render

Samples = dict[str, float]


@pytest.fixture
def samples_of() -> Callable[[Iterable[Family]], Samples]:
    """Return the function that turns families into values by `name{label="value",…}`, as they are exposed."""

    def samples(families: Iterable[Family]) -> Samples:
        lines = render(families, TEXT).decode().splitlines()
        pairs = [line.rpartition(" ") for line in lines if not line.startswith("#")]
        found = {series: float(value) for series, _, value in pairs}
        assert len(found) == len(pairs), "a series stands there twice"
        return found

    return samples


@pytest.fixture
def machine() -> Iterator[Path]:
    """Return a directory with the `proc` and `sys` of the machine in machine.txt, readable by everyone."""
    root = Path(tempfile.mkdtemp(prefix="machine-"))
    root.chmod(0o755)
    text = Path(__file__).with_name("machine.txt").read_text(encoding="utf-8")
    for block in text.split("\n=== ")[1:]:
        head, _, content = block.partition("\n")
        name, _, target = head.partition(" -> ")
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if target:
            path.symlink_to(target)
        else:
            path.write_text(content if content.endswith("\n") else content + "\n", encoding="utf-8")
    yield root
    shutil.rmtree(root)


@pytest.fixture
def psutil_reads(machine: Path) -> Iterator[Path]:
    """Let psutil read the planted machine for the time of a test."""
    real = psutil.PROCFS_PATH
    _forget_counters()
    psutil.PROCFS_PATH = str(machine / "proc")
    yield machine
    psutil.PROCFS_PATH = real
    _forget_counters()


def _forget_counters() -> None:
    psutil.disk_io_counters.cache_clear()
    psutil.net_io_counters.cache_clear()


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """Run a test as a user who may not read everything, whoever runs the tests."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


class Peer:
    """A node_exporter on this machine."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}/metrics"

    def scrape(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        """Return labels and value of each sample, by name."""
        with urllib.request.urlopen(self._address, timeout=10) as answer:
            text = answer.read().decode()
        found: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
        return found


@pytest.fixture(scope="session")
def node_exporter() -> Iterator[Peer]:
    """Return a running node_exporter on a free loopback port."""
    binary = shutil.which("prometheus-node-exporter") or shutil.which("node_exporter")
    if binary is None:
        pytest.skip("node_exporter is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [binary, f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    peer = Peer(port)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                peer.scrape()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield peer
    finally:
        process.terminate()
        process.wait(10)
