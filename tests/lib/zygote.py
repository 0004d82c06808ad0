"""Processes of `build-exporter` at a hundredth of the cost: forked from one that has loaded the package before.

Loading Python and the package takes a second of processor time, far more than most commands take. A test process starts
one zygote, which forks a process for each call, with its own arguments, environment, directory and streams. What
depends on a start from nothing (memory, loaded modules, variables read by Python itself) is started by `subprocess`.
"""

from __future__ import annotations

import array
import contextlib
import gc
import json
import os
import random
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import IO, Any, Final, cast

FROM_START: Final = ("PYTHON", "LC_", "LANG", "LD_", "COVERAGE", "MALLOC_")
"""Beginnings of the variables that Python and the C library read when they start."""


def is_usual(environment: dict[str, str]) -> bool:
    """Return whether a process with these variables may be forked: Python's own are those of this process."""
    names = (environment.keys() | os.environ.keys()) if environment else set[str]()
    return all(environment.get(name) == os.environ.get(name) for name in names if name.startswith(FROM_START))


class Zygote:
    """The process that forks; started when it is first needed, ended with this process."""

    def __init__(self) -> None:
        self._path = f"{tempfile.mkdtemp(prefix='zygote')}/s"
        reading, self._life = os.pipe()
        words = [sys.executable, __file__, self._path, str(reading)]
        self._process = subprocess.Popen(words, pass_fds=[reading], stdin=subprocess.DEVNULL)
        os.close(reading)
        while not Path(self._path).exists():
            assert self._process.poll() is None, "the zygote has ended"
            time.sleep(0.01)

    def start(
        self, words: list[str], streams: list[int], environment: dict[str, str], directory: str | None = None
    ) -> Forked:
        """Start `build-exporter` with words, on three descriptors."""
        return _start(self._path, words, streams, environment, str(directory or Path.cwd()))

    def install(self, launcher: Path) -> None:
        """Write a program `build-exporter` for shell scripts; what builds wait for is started from nothing."""
        launcher.write_text(
            f'#!/bin/sh\ncase "$1" in run | emit) exec "{sys.executable}" -m build_exporter "$@" ;; esac\n'
            f'exec "{sys.executable}" -I -S "{__file__}" call "{self._path}" "$@"\n'
        )
        launcher.chmod(0o755)

    def run(self, words: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run it to its end, as `subprocess.run` does with `capture_output` and `text`."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(options.get("input", "").encode())
            given.seek(0)
            files: list[IO[bytes]] = [given, out, err]
            environment = options.get("env") or dict(os.environ)
            forked = self.start(words, [each.fileno() for each in files], environment, options.get("cwd"))
            try:
                code = forked.wait(options.get("timeout", 60))
            except BaseException:
                forked.kill()
                raise
            shown = []
            for each in (out, err):
                each.seek(0)
                shown.append(each.read().decode().replace("\r\n", "\n"))
            return subprocess.CompletedProcess(words, code, *shown)


class Forked:
    """One forked process, with what tests use of `subprocess.Popen`."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.returncode: int | None = None
        self.pid = int.from_bytes(self._read(), "big")

    def _read(self) -> bytes:
        found = self._connection.recv(4, socket.MSG_WAITALL)
        if len(found) < 4:
            raise OSError("the zygote has ended")
        return found

    def poll(self) -> int | None:
        """Return the exit code, that of a signal negative; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code."""
        if self.returncode is None:
            self._connection.settimeout(timeout)
            try:
                self.returncode = int.from_bytes(self._read(), "big", signed=True)
            except (BlockingIOError, TimeoutError):
                raise subprocess.TimeoutExpired("build-exporter", timeout or 0.0) from None
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


@cache
def forks() -> Zygote:
    """Return the zygote of this process."""
    return Zygote()


def _start(path: str, words: list[str], streams: list[int], environment: dict[str, str], directory: str) -> Forked:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    asked = json.dumps([words, environment, directory]).encode()
    fds = array.array("i", streams)
    connection.sendmsg([len(asked).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
    connection.sendall(asked)
    return Forked(connection)


def _call(path: str, words: list[str]) -> None:
    """Stand for a forked process in a script: hand signals on, and end as it ends."""
    forked = _start(path, words, [0, 1, 2], dict(os.environ), str(Path.cwd()))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: os.kill(forked.pid, number))
    code = forked.wait()
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def _load() -> None:
    for room in ("cli", "web", "collectors"):
        package = import_module(f"build_exporter.{room}")
        for found in iter_modules(package.__path__, f"{package.__name__}."):
            if found.name.rpartition(".")[2] not in ("__main__", "mcp"):
                import_module(found.name)
    import_module("jinja2")
    gc.collect()
    gc.freeze()


def _receive(connection: socket.socket) -> tuple[list[str], dict[str, str], str, list[int]]:
    head, ancillary, _, _ = connection.recvmsg(4, socket.CMSG_LEN(3 * 4))
    fds = array.array("i")
    fds.frombytes(ancillary[0][2])
    length, asked = int.from_bytes(head, "big"), b""
    while len(asked) < length:
        asked += connection.recv(length - len(asked))
    return (*cast("tuple[list[str], dict[str, str], str]", json.loads(asked)), list(fds))


def _become(words: list[str], environment: dict[str, str], directory: str, streams: list[int]) -> None:
    # an exit passes on to the end of this process, as from any other program
    for target, each in enumerate(streams):
        os.dup2(each, target)
    os.closerange(3, 1024)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    time.tzset()
    random.seed()
    sys.argv = ["build-exporter", *words]
    import_module("build_exporter.__main__").main()


def _fork(connection: socket.socket, others: Iterable[socket.socket]) -> int:
    words, environment, directory, streams = _receive(connection)
    pid = os.fork()
    if not pid:
        for each in (connection, *others):
            # its descriptor is closed, and its number will be another file's
            each.detach()
        _become(words, environment, directory, streams)
        sys.exit()
    for stream in streams:
        os.close(stream)
    connection.sendall(pid.to_bytes(4, "big"))
    return pid


def main(path: str, life: int) -> None:
    """Fork whatever is asked for, and report how it ends."""
    _load()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{path}-")
    listener.listen(64)
    Path(f"{path}-").rename(path)
    waking, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    children: dict[int, socket.socket] = {}
    with selectors.PollSelector() as selector:
        for each in (listener.fileno(), waking, life):
            selector.register(each, selectors.EVENT_READ)
        while True:
            ready = {key.fd for key, _ in selector.select()}
            if life in ready:
                for pid in children:
                    os.kill(pid, signal.SIGKILL)
                with contextlib.suppress(OSError):
                    Path(path).unlink()
                    Path(path).parent.rmdir()
                return
            if listener.fileno() in ready:
                connection = listener.accept()[0]
                children[_fork(connection, (listener, *children.values()))] = connection
            if waking in ready:
                os.read(waking, 4096)
            while children and (ended := os.waitpid(-1, os.WNOHANG))[0]:
                with children.pop(ended[0]) as connection, contextlib.suppress(OSError):
                    connection.sendall(os.waitstatus_to_exitcode(ended[1]).to_bytes(4, "big", signed=True))


if __name__ == "__main__":
    if sys.argv[1] == "call":
        _call(sys.argv[2], sys.argv[3:])
    main(sys.argv[1], int(sys.argv[2]))
