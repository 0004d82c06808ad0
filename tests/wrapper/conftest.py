"""A journal, commands run through the wrapper, and terminals to run them at."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from build_exporter.model.events import AnyEvent

WRAPPER = (sys.executable, "-m", "build_exporter", "run")
DEADLINE_SECONDS = 20.0

Events = list[dict[str, Any]]


class Screen:
    """A program at a terminal of its own, and what it wrote there."""

    def __init__(self, command: list[str], environment: dict[str, str], rows: int = 24, columns: int = 80) -> None:
        self._master, slave = pty.openpty()
        self.resize(rows, columns)
        # setsid makes the terminal the controlling one, as a login does
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command], stdin=slave, stdout=slave, stderr=slave, env=environment
        )
        os.close(slave)
        self.text = b""
        self._seen = 0

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal another size, as a window does."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def settings(self) -> list[Any]:
        """Return the terminal's settings as `tcgetattr` does."""
        return termios.tcgetattr(self._master)

    def type(self, text: str) -> None:
        """Type at the keyboard."""
        os.write(self._master, text.encode())

    def expect(self, pattern: str) -> re.Match[bytes]:
        """Wait until what was written since the last match matches, and return the match."""
        end = time.monotonic() + DEADLINE_SECONDS
        while True:
            found = re.compile(pattern.encode()).search(self.text, self._seen)
            if found:
                self._seen = found.end()
                return found
            assert time.monotonic() < end, f"no {pattern!r} in {self.text[-1500:]!r}"
            assert self._read(), f"ended without {pattern!r}: {self.text[-1500:]!r}"

    def expect_job(self) -> None:
        """Wait until the shell has handed the terminal to a job and all of that runs."""
        end = time.monotonic() + DEADLINE_SECONDS
        while True:
            group = os.tcgetpgrp(self._master)
            asked = ["ps", "-e", "-o", "pgid=,stat="]
            rows = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
            states = [row.split()[1] for row in rows if int(row.split()[0]) == group]
            if group != self.process.pid and states and not any(state.startswith("T") for state in states):
                return
            assert time.monotonic() < end, f"group {group}: {states}"

    def end(self) -> int:
        """Read on until the program has ended and return its exit code."""
        while self._read():
            pass
        return self.process.wait(DEADLINE_SECONDS)

    def hang_up(self) -> None:
        """Take the terminal away, as a lost connection does."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def close(self) -> None:
        """Hang up and end the program."""
        self.hang_up()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE_SECONDS)

    def _read(self) -> bool:
        if not select.select([self._master], [], [], DEADLINE_SECONDS)[0]:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False
        self.text += data
        return bool(data)


@pytest.fixture(scope="session")
def wrapper() -> list[str]:
    """The words before the wrapper's options."""
    return [*WRAPPER]


@pytest.fixture
def environment(journal: Path) -> dict[str, str]:
    """An environment whose journal is the test's and that is in no run."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BUILD_EXPORTER_")}
    return {**inherited, "BUILD_EXPORTER_JOURNAL": str(journal)}


@pytest.fixture
def run(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run a command through the wrapper, as step `s` of build `b` unless `options` say other."""

    def call(
        *words: str, options: tuple[str, ...] = ("--build", "b", "--step", "s"), **more: Any
    ) -> subprocess.CompletedProcess[bytes]:
        settings: dict[str, Any] = {"env": environment, "capture_output": True, "timeout": 60, **more}
        return subprocess.run([*WRAPPER, *options, "--", *words], check=False, **settings)

    return call


@pytest.fixture
def events(journal: Path) -> Callable[..., Events]:
    """Read a build's events, oldest first, each checked to be one the journal's readers take."""
    decoder = msgspec.json.Decoder(AnyEvent)

    def read(build: str = "b") -> Events:
        found: Events = []
        for path in sorted((journal / build).glob("*.jsonl")):
            for line in path.read_bytes().splitlines():
                decoder.decode(line)
                found.append({**msgspec.json.decode(line), "file": path.name})
        return found

    return read


@pytest.fixture
def finished(events: Callable[..., Events]) -> Callable[..., dict[str, Any]]:
    """Return the one step_finished of a build."""

    def read(build: str = "b") -> dict[str, Any]:
        (found,) = (event for event in events(build) if event["event"] == "step_finished")
        return dict(found)

    return read


@pytest.fixture
def terminal(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Screen]]:
    """Start programs at terminals; an interactive bash with the prompt `$> ` unless a command is given."""
    screens: list[Screen] = []

    def start(*command: str, **options: Any) -> Screen:
        (tmp_path / "inputrc").write_text("set enable-bracketed-paste off\n")
        shell = {**environment, "PS1": "$> ", "TERM": "xterm", "HISTFILE": "", "RUN": " ".join(WRAPPER)}
        shell["INPUTRC"] = str(tmp_path / "inputrc")
        screens.append(Screen([*command] or ["bash", "--norc", "--noprofile", "-i"], shell, **options))
        if not command:
            screens[-1].expect(r"\$> ")
        return screens[-1]

    yield start
    for screen in screens:
        screen.close()


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a wrapper that runs on, leading a process group of its own that is ended with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def call(*words: str, options: tuple[str, ...] = ("--build", "b", "--step", "s"), **more: Any) -> Any:
        settings: dict[str, Any] = {"env": environment, "stdout": subprocess.PIPE, "process_group": 0, **more}
        started.append(subprocess.Popen([*WRAPPER, *options, "--", *words], **settings))
        return started[-1]

    yield call
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(DEADLINE_SECONDS)
        if process.stdout:
            process.stdout.close()
