"""What is measured: processes on free loopback ports, their CPU seconds and memory."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.client import Client

REPOSITORY = Path(__file__).resolve().parent.parent
EXPORTER = (sys.executable, "-m", "build_exporter")
PROGRAM = Path(__file__).with_name("build.mtail")
other_version: dict[str, str] = {}
BYTECODE = {
    "PYTHONDONTWRITEBYTECODE": "",
    "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir(), "build-exporter-bytecode")),
}
"""Modules are compiled once, as an installer does, whatever the environment says, and for a read-only version too."""


def wait_until(check: Callable[[], bool], seconds: float = 60.0, what: str = "", pause: float = 0.005) -> None:
    """Look again and again until `check` holds.

    Raises:
        TimeoutError: it did not within `seconds`.
    """
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            raise TimeoutError(f"did not come within {seconds} s: {what}")
        time.sleep(pause)


def free_port() -> int:
    """Return a port no one listens on now."""
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return int(each.getsockname()[1])


class Process:
    """A started program. Ended by its own pid."""

    def __init__(self, command: Sequence[str], log: Path, environment: dict[str, str] | None = None) -> None:
        self.log = log
        with log.open("wb") as stream:
            self._popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                cwd=REPOSITORY,
                env={**os.environ, **BYTECODE, **(environment or {})},
            )
        self.pid = self._popen.pid
        self.port = 0

    def cpu_seconds(self) -> float:
        """Return the CPU time of all its threads so far, exactly: by the clock the kernel keeps for the process."""
        # CPUCLOCK_SCHED of another process, see clock_getcpuclockid(3)
        return time.clock_gettime((~self.pid << 3) | 2)

    def memory(self) -> dict[str, int]:
        """Return resident, proportional and peak memory in bytes."""
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text(encoding="ascii")
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = dict(re.findall(r"^(Rss|Pss|VmHWM):\s+(\d+) kB", rollup + status, re.MULTILINE))
        return {name.lower(): int(kilobytes) * 1024 for name, kilobytes in found.items()}

    def is_alive(self) -> bool:
        """Return whether it still runs."""
        return self._popen.poll() is None

    def wait_answering(self, path: str = "/metrics", seconds: float = 60.0) -> None:
        """Wait until it answers on its port."""

        def answers() -> bool:
            if not self.is_alive():
                raise RuntimeError(f"ended at once: {self.log.read_text(errors='replace')[-2000:]}")
            try:
                with Client(self.port, path) as client:
                    client.get()
            except OSError:
                return False
            return True

        wait_until(answers, seconds, f"{self.log.name} answers")

    def stop(self) -> None:
        """End it and wait for it."""
        if self.is_alive():
            self._popen.terminate()
            try:
                self._popen.wait(15)
            except subprocess.TimeoutExpired:
                self._popen.kill()
        self._popen.wait()


@contextlib.contextmanager
def version(repository: Path) -> Iterator[None]:
    """Measure the exporter of another version of this repository, whose top folder it is, until the block ends."""
    other_version["PYTHONPATH"] = str(repository / "exporter")
    try:
        yield
    finally:
        other_version.clear()


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """Give a directory that is gone afterwards, in memory where there is a file system for it."""
    memory = Path("/dev/shm")
    usable = memory.is_dir() and shutil.disk_usage(memory).free > 2 << 30
    path = Path(tempfile.mkdtemp(prefix="build-exporter-bench-", dir=memory if usable else None))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _running(process: Process) -> Iterator[Process]:
    try:
        yield process
    finally:
        process.stop()


@contextlib.contextmanager
def exporter(place: Path, *flags: str, wait: float = 60.0) -> Iterator[Process]:
    """Run `build-exporter serve` over `place/journal` with its default collectors, ready."""
    command = [*EXPORTER, "serve", "--journal", str(place / "journal"), "--web.listen-address", "127.0.0.1:0", *flags]
    # what other exporters of this user could not write is not this one's to recover
    environment = {"XDG_RUNTIME_DIR": str(place), **other_version}
    with _running(Process(command, place / "exporter.log", environment)) as process:

        def is_listening() -> bool:
            text = process.log.read_text(errors="replace")
            if not process.is_alive():
                raise RuntimeError(f"the exporter ended at once: {text[-2000:]}")
            found = re.search(r"listen=127\.0\.0\.1:(\d+)", text)
            process.port = int(found[1]) if found else 0
            return process.port > 0

        wait_until(is_listening, wait, "the exporter listens", pause=0.001)
        process.wait_answering("/-/ready", wait)
        yield process


@contextlib.contextmanager
def mtail(place: Path, logs: Path, *flags: str) -> Iterator[Process]:
    """Run mtail with the program that shows the same builds, over a log that is there already."""
    port = free_port()
    command = ["mtail", "--address", "127.0.0.1", "--port", str(port), "--progs", str(PROGRAM), "--logs", str(logs)]
    with _running(Process([*command, "--logtostderr", *flags], place / "mtail.log")) as process:
        process.port = port
        process.wait_answering()
        yield process


@contextlib.contextmanager
def node_exporter(place: Path) -> Iterator[Process]:
    """Run node_exporter with its default collectors."""
    port = free_port()
    command = ["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{port}"]
    with _running(Process(command, place / "node_exporter.log")) as process:
        process.port = port
        process.wait_answering()
        yield process


@contextlib.contextmanager
def client_library(place: Path, series: int) -> Iterator[Process]:
    """Run a server of prometheus_client that shows `series` gauges by its own `start_http_server`."""
    port = free_port()
    command = [sys.executable, str(Path(__file__).with_name("client_library.py")), str(port), str(series)]
    with _running(Process(command, place / "client_library.log")) as process:
        process.port = port
        process.wait_answering()
        yield process


PROMETHEUS_CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: measured
    static_configs: [{{targets: ["127.0.0.1:{target}"]}}]
"""


@contextlib.contextmanager
def prometheus(place: Path, target: int) -> Iterator[Process]:
    """Run a Prometheus that scrapes a port each second."""
    port = free_port()
    config = place / "prometheus.yml"
    config.write_text(PROMETHEUS_CONFIG.format(target=target), encoding="ascii")
    command = ["prometheus", f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}"]
    data = Path(tempfile.mkdtemp(prefix="tsdb-", dir=place))
    with _running(Process([*command, f"--storage.tsdb.path={data}"], place / "prometheus.log")) as process:
        process.port = port
        process.wait_answering("/-/ready")
        yield process
