"""Faults that take minutes: run by `make soak`, not by the gate."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time

import pytest
from bench import workload
from bench.client import Client
from bench.harness import Process, exporter, wait_until, workplace

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

HOSTILE = (
    (b"\x00" * 500 + b"\n") * 16
    + b'{"time":1e999,"event":"step_started","build":"x"}\n' * 16
    + (b"[" * 20_000 + b"\n")
    + (b'{"time":1,"event":"step_progress","build":"' + b"x" * 60_000 + b'"}\n')
    + b"\xff\xfe not text at all\n" * 16
)
"""Fifty lines that are no events, 90 kB."""
PACE = 0.005
"""Seconds for fifty lines: 10,000 a second."""
SECONDS = float(os.environ.get("SOAK_SECONDS", "60"))


def _counted(process: Process, name: str) -> int:
    with Client(process.port) as client:
        found = re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$".encode(), client.get(), re.MULTILINE)
    return sum(int(float(value)) for value in found)


def test_a_minute_of_hostile_lines_beside_a_build_costs_it_nothing() -> None:
    """10,000 lines a second that are no events are counted; every event of the build is taken, memory stays."""
    with workplace() as place:
        path = workload.journal_file(place)
        path.write_bytes(workload.partly_done(150))
        with exporter(place) as process:
            before = process.memory()["rss"]
            events, blocks = _counted(process, "build_exporter_events_total"), int(SECONDS / PACE)
            began = time.monotonic()
            with path.open("ab", buffering=0) as file:
                for number in range(blocks):
                    file.write(HOSTILE)
                    if number % 10 == 0:
                        file.write(workload.progress(*workload.running_step(150), time.time(), number, 10**9))
                        events += 1
                    if number % 1000 == 0:
                        assert _counted(process, "build_exporter_events_total") > 0, "it answers meanwhile"
                    time.sleep(max(0.0, began + number * PACE - time.monotonic()))
            wait_until(lambda: _counted(process, "build_exporter_events_total") == events, 120, "every event")
            assert _counted(process, "build_exporter_lines_rejected_total") == 50 * blocks
            assert process.memory()["rss"] < before + 30e6


def test_a_machine_that_was_suspended_goes_on_with_everything() -> None:
    """What is written while the exporter stands still, as over a suspend, is taken when it goes on."""
    with workplace() as place:
        path = workload.journal_file(place)
        path.write_bytes(workload.partly_done(150))
        with exporter(place) as process:
            events = _counted(process, "build_exporter_events_total")
            os.kill(process.pid, signal.SIGSTOP)
            with path.open("ab", buffering=0) as file:
                for number in range(5000):
                    file.write(workload.progress(*workload.running_step(150), time.time(), number, 10**9))
            time.sleep(min(SECONDS, 20.0))
            os.kill(process.pid, signal.SIGCONT)
            wait_until(lambda: _counted(process, "build_exporter_events_total") == events + 5000, 60, "every event")


def test_within_limits_of_memory_and_descriptors_it_serves() -> None:
    """With 64 descriptors and one gigabyte of addresses the exporter follows a build of 10,000 steps and answers."""
    with workplace() as place:
        workload.journal_file(place).write_bytes(workload.partly_done(10_000))
        command = ["prlimit", "--nofile=64:64", f"--as={1 << 30}", "--pid"]
        with exporter(place, wait=120) as process:
            subprocess.run([*command, str(process.pid)], check=True)
            for path in ("/metrics", "/", f"/builds/{workload.BUILD}", "/api/v1/builds"):
                with Client(process.port, path) as client:
                    assert client.get()
            assert process.is_alive()
