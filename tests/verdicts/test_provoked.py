"""Verdicts of real processes, each provoked, as a running exporter shows them."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

COMMAND = (sys.executable, "-m", "build_exporter")
DEADLOCK = "import threading; lock = threading.Lock(); lock.acquire(); lock.acquire()"
PIPES = "import os; a, b = os.pipe(); os.fork() or os._exit(os.read(a, 1) and 0); os.wait()"
COMPILE = "while :; do gcc -O2 -c x.c; done"
SOURCE = "#include <stdio.h>\n#include <math.h>\n" + "\n".join(
    f"double f{n}(double x) {{ return sin(x) + {n}; }}" for n in range(3000)
)

STEPS = {
    "waiting-for-input": ["sh", "-c", "read answer"],
    "idle": ["sleep", "600"],
    "stuck": [sys.executable, "-c", DEADLOCK],
    "suspended": ["sh", "-c", "kill -STOP $$"],
    "compiling": ["sh", "-c", COMPILE],
}


@pytest.fixture
def steps(journal: Path, tmp_path: Path) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """A step for each verdict, run by the wrapper; the one that asks has a terminal."""
    (tmp_path / "x.c").write_text(SOURCE)
    terminal, slave = pty.openpty()
    started = {}
    for verdict, command in {**STEPS, "stuck-pipe": [sys.executable, "-c", PIPES]}.items():
        words = [sys.executable, "-m", "build_exporter", "run", "--journal", str(journal), "--build", verdict]
        started[verdict] = subprocess.Popen(
            [*words, "--phase", "p", "--step", "s", "--", *command],
            stdin=slave if verdict == "waiting-for-input" else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=tmp_path,
            start_new_session=True,
        )
    yield started
    for process in started.values():
        for number in (signal.SIGCONT, signal.SIGKILL):
            os.killpg(process.pid, number)
        process.wait(10)
    os.close(terminal)
    os.close(slave)


@pytest.mark.timeout(180)
def test_each_is_named_within_half_a_minute(
    steps: dict[str, subprocess.Popen[bytes]],
    serve: Callable[..., Any],
    poll: Callable[..., None],
    journal: Path,
    verdict_on: Callable[[Any, str], str],
) -> None:
    """A step left at a prompt, a deadlock, a sleeper, a stopped one and a compiler are distinguished, with evidence."""
    exporter = serve()
    verdict = partial(verdict_on, exporter)
    for build in STEPS:
        poll(lambda build=build: verdict(build) == build, 60, f"{build} is {verdict(build)}")
    poll(lambda: verdict("stuck-pipe") == "stuck", 60, "two ends of one pipe")
    assert verdict("compiling") == "compiling"
    assert verdict("idle") == "idle", "a sleeper wakes by itself"
    words = ["status", "--journal", str(journal), "--build", "suspended", "--exporter", exporter.url]
    shown = subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False).stdout
    assert "p/s, " in shown
    assert ", suspended\n             its only process is stopped" in shown
    found = json.loads(subprocess.run([*COMMAND, *words, "--output", "json"], capture_output=True, check=False).stdout)
    assert found[0]["running"][0]["verdict"] == "suspended"
