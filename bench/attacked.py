"""What `break_in.py` attacks: an exporter of any version, over a journal of builds, and its connections."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bench.harness import BYTECODE, wait_until

PATIENCE = 10.0
"""Seconds after which an answer counts as none."""
NEVER = 999.0


class Row(NamedTuple):
    """What was seen, and the most that is right."""

    what: str
    value: float
    limit: float


@dataclass(slots=True)
class Target:
    """A version to attack: the folder its package is in."""

    source: Path
    quick: bool = False

    @contextlib.contextmanager
    def serve(self, place: Path, *flags: str, prefix: tuple[str, ...] = ()) -> Iterator[Served]:
        """Run the exporter of this version over `place/journal`."""
        log = place / f"exporter-{time.monotonic_ns()}.log"
        command = [*prefix, sys.executable, "-m", "build_exporter", "serve", "--journal", str(place / "journal")]
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [*command, "--web.listen-address", "127.0.0.1:0", *flags],
                stderr=stream,
                stdout=stream,
                env={**os.environ, **BYTECODE, "PYTHONPATH": str(self.source)},
            )
        served = Served(process, log)
        try:
            wait_until(served.is_listening, 60, "the exporter listens", pause=0.02)
            wait_until(lambda: served.ask("/-/ready")[0] == 200, 120, "the exporter is ready", pause=0.05)
            yield served
        finally:
            process.kill()
            process.wait()


class Served:
    """A running exporter."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self.log, self.port = process, log, 0

    def is_listening(self) -> bool:
        """Return whether it has logged its port."""
        text = self.log.read_text(errors="replace")
        if self.process.poll() is not None:
            raise RuntimeError(f"the exporter ended: {text[-1000:]}")
        found = re.search(r"listen=127\.0\.0\.1:(\d+)", text)
        self.port = int(found[1]) if found else 0
        return self.port > 0

    def ask(self, path: str, who: tuple[str, str] = ("", ""), patience: float = PATIENCE) -> tuple[int, bytes, float]:
        """Return status (0: no answer), body, and the seconds it took."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        if who[0]:
            credential = base64.b64encode(":".join(who).encode()).decode()
            request.add_header("Authorization", f"Basic {credential}")
        began = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=patience) as answer:
                return answer.status, answer.read(), time.monotonic() - began
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), time.monotonic() - began
        except OSError:
            return 0, b"", NEVER

    def seconds_for(self, path: str, who: tuple[str, str] = ("", "")) -> float:
        """Return how long an answer takes, `NEVER` where it is not 200."""
        status, _, seconds = self.ask(path, who)
        return seconds if status == 200 else NEVER

    def megabytes(self) -> float:
        """Return its resident memory."""
        found = re.search(r"^VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text(), re.MULTILINE)
        return int(found[1]) / 1000 if found else 0.0

    def descriptors(self) -> int:
        """Return how many it has open."""
        return sum(1 for _ in Path(f"/proc/{self.process.pid}/fd").iterdir())

    def cpu_seconds(self) -> float:
        """Return the CPU time it has used."""
        return time.clock_gettime((~self.process.pid << 3) | 2)


@contextlib.contextmanager
def connections(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Open so many connections, or as many as there may be, and close them in the end."""
    opened: list[socket.socket] = []
    try:
        with contextlib.suppress(OSError):
            for _ in range(count):
                opened.append(socket.create_connection(("127.0.0.1", port), timeout=5))  # noqa: PERF401 - may end early
        yield opened
    finally:
        for each in opened:
            each.close()


def write_builds(place: Path, count: int) -> None:
    """Write a journal of so many builds, each with one step that runs."""
    for number in range(count):
        directory = place / "journal" / f"build-{number:04}"
        directory.mkdir(parents=True)
        lines = [
            {"time": 1.78e9, "event": "build_started", "build": directory.name},
            {"time": 1.78e9 + 1, "event": "step_started", "build": directory.name, "phase": "p", "step": "s"},
        ]
        (directory / "20260101T000000Z.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
