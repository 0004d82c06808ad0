"""`watch`: the board in a terminal of any size, from an exporter or from the journal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ports import free_port
from zygote import forks

from build_exporter.journal.layout import pid_namespace

RunFiles = Callable[..., Any]
COMMAND = [sys.executable, "-m", "build_exporter", "watch"]


@pytest.fixture
def builds(journal: Path, run_file: RunFiles) -> Path:
    """A journal with a running build, one that failed, and one that succeeded."""
    now = time.time()
    plan = [{"phase": f"chapter-{n // 4 + 5}", "step": f"{n:03}-step", "expected_seconds": 60.0} for n in range(12)]
    lfs = run_file("lfs", "20260103T000000Z", clock=now - 300)
    lfs.add("build_started", after=0)
    lfs.add("plan", after=0, steps=plan)
    for row in plan[:4]:
        lfs.step(row["phase"], row["step"], 60)
    lfs.add("step_started", phase="chapter-6", step="004-step")
    blfs = run_file("blfs", "20260102T000000Z", clock=now - 600)
    blfs.add("build_started", after=0)
    blfs.step(
        "x",
        "\x1b[31mhostile\x1b]0;t\x07" + "n" * 100,
        10,
        "failed",
        message="x.c:1: error: boom",
        error_class="compiler-error",
    )
    done = run_file("done", "20260101T000000Z", clock=now - 900)
    done.add("build_started", after=0)
    done.step("p", "one", 10)
    done.add("build_finished", status="succeeded")
    return journal


def once(journal: Path, columns: int, *flags: str) -> str:
    """Return one frame."""
    environment = {**os.environ, "COLUMNS": str(columns), "LINES": "24", "NO_COLOR": "1"}
    done = forks().run(["watch", "--journal", str(journal), "--once", *flags], env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_frame_fits_and_says_what_matters(builds: Path, columns: int) -> None:
    """In 40 columns as in 200: state, progress, time left, the running step, the other builds; no line is wider."""
    shown = once(builds, columns, "--build", "lfs")
    assert max(map(len, shown.splitlines())) <= columns
    for words in ("lfs RUNNING", "4 of 12 steps", "ready", "004-step", "005-step", "blfs", "done"):
        assert words in shown


def test_a_failure_is_explained(builds: Path) -> None:
    """The failed build shows class, reason and hint; hostile text moves no cursor."""
    shown = once(builds, 80, "--build", "blfs")
    assert "blfs FAILED" in shown
    assert "compiler-error" in shown
    assert "x.c:1: error: boom" in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_a_failed_build_comes_first_and_an_idle_one_is_not_running(journal: Path, run_file: RunFiles) -> None:
    """As in `status`: a build whose writer is gone is idle, not running, and hides no failed one."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    failed = run_file("broken", clock=time.time() - 60)
    failed.add("build_started", after=0)
    failed.step("p", "one", 1, "failed")
    left = run_file("left", clock=time.time() - 10)
    left.add("build_started", after=0, pid=gone.pid, pid_namespace=pid_namespace())
    left.step("p", "one", 0)
    shown = once(journal, 80)
    assert "broken FAILED" in shown
    assert "○ left" in shown
    shown = once(journal, 80, "--build", "left")
    assert "left IDLE since" in shown
    assert "RUNNING" not in shown
    order = [
        line.split()[0] for line in forks().run(["status", "--short", "--journal", str(journal)]).stdout.splitlines()
    ]
    assert order == ["broken", "left"]


def test_no_build_and_a_wrong_name(builds: Path, tmp_path: Path) -> None:
    """An empty journal shows how to begin; a mistyped build is named with those there are, and ends with 2."""
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "build-exporter run --build" in once(empty, 80)
    done = forks().run(["watch", "--journal", str(builds), "--build", "lsf", "--once"])
    assert done.returncode == 2
    assert "lfs" in done.stderr


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_the_screen_is_filled_and_kept_within_through_a_resize(builds: Path, poll: Callable[..., None]) -> None:
    """As tmux shows it: 80x24 and 200x60 use their lines, the last line has the keys, a resize draws anew."""
    server = f"watch-{os.getpid()}"

    def tmux(*words: str) -> str:
        return subprocess.run(["tmux", "-L", server, *words], capture_output=True, text=True, check=True).stdout

    def screen() -> list[str]:
        return tmux("capture-pane", "-p").rstrip("\n").splitlines()

    def is_drawn(width: int, height: int) -> bool:
        lines = screen()
        has_all = any("lfs RUNNING" in line for line in lines) and any(line.startswith("host ") for line in lines)
        return has_all and "q quit" in lines[-1] and len(lines) <= height and max(map(len, lines)) <= width

    watching = f"{sys.executable} -m build_exporter watch --build lfs --interval 0.2 --journal {builds}"
    command = f"env -u COLUMNS -u LINES {watching}"
    try:
        tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", command)
        poll(lambda: is_drawn(80, 24), 60, "the small screen")
        assert len(screen()) >= 17
        assert any("004-step" in line for line in screen())
        tmux("resize-window", "-x", "200", "-y", "60")
        poll(lambda: is_drawn(200, 60) and any(len(line) > 150 for line in screen()), 60, "the large screen")
        assert any("blfs" in line and "done" in line for line in screen())
        tmux("resize-window", "-x", "40", "-y", "20")
        poll(lambda: is_drawn(40, 20), 60, "the narrow screen")
    finally:
        subprocess.run(["tmux", "-L", server, "kill-server"], capture_output=True, check=False)


def test_a_dumb_terminal_gets_one_plain_frame(builds: Path) -> None:
    """Where the cursor cannot be moved, one frame is printed, without codes, and the command ends."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "dumb", "COLUMNS": "60"}
    command = [*COMMAND, "--journal", str(builds)]
    try:
        done = subprocess.run(command, stdin=slave, stdout=slave, stderr=slave, env=environment, timeout=60, check=True)
        assert done.returncode == 0
        assert b"\x1b" not in os.read(master, 65536)
    finally:
        os.close(slave)
        os.close(master)


@pytest.mark.parametrize("words", ["status", "progress"])
def test_what_was_scrolled_off_stays(builds: Path, words: str) -> None:
    """With --watch a terminal is erased from its top on, and what is above it is kept."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color"}
    command = [*COMMAND[:-1], words, "--watch", "--journal", str(builds)]
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment) as process:
        try:
            shown = b""
            while b"lfs" not in shown:
                assert select.select([master], [], [], 30.0)[0], shown
                shown += os.read(master, 65536)
        finally:
            process.kill()
            os.close(slave)
            os.close(master)
    assert shown.startswith(b"\x1b[H\x1b[J")
    assert b"[3J" not in shown
    assert b"[2J" not in shown


class Terminal:
    """`watch` in a terminal."""

    def __init__(self, journal: Path, *flags: str) -> None:
        self.master, slave = pty.openpty()
        self.resize(24, 80)
        environment = {**os.environ, "TERM": "xterm-256color"}
        environment.pop("COLUMNS", None)
        command = [*COMMAND, "--journal", str(journal), "--interval", "0.2", *flags]
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
        os.close(slave)
        self.output = ""

    def resize(self, rows: int, columns: int) -> None:
        """Set the terminal's size."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self.master, keys.encode())

    def wait_for(self, words: str, seconds: float = 30.0) -> None:
        """Read until the screen has shown words after what was read before."""
        begin, end = len(self.output), time.monotonic() + seconds
        while words not in self.output[begin:]:
            assert time.monotonic() < end, f"{words!r} is not in {self.output[-2000:]!r}"
            if select.select([self.master], [], [], 0.2)[0]:
                self.output += os.read(self.master, 65536).decode("utf-8", "replace")


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    """Start `watch` in terminals."""
    started: list[Terminal] = []

    def start(*arguments: Any) -> Terminal:
        started.append(Terminal(*arguments))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait(10)
        os.close(each.master)


def test_keys_choose_a_build_and_end(builds: Path, terminal: Callable[..., Terminal], run_file: RunFiles) -> None:
    """The board follows the journal, n shows the next build, a resize changes the width, q ends it with 0."""
    watching = terminal(builds, "--build", "lfs")
    watching.wait_for("4 of 12 steps")
    run_file("lfs", "20260103T000000Z", clock=time.time()).add(
        "step_finished", after=0, phase="chapter-6", step="004-step", status="succeeded"
    )
    watching.wait_for("5 of 12 steps")
    watching.press("n")
    watching.wait_for("FAILED")
    watching.resize(50, 160)
    watching.press("p")
    watching.wait_for("RUNNING")
    for state in ("FAILED", "SUCCEEDED", "RUNNING"):
        watching.press("n")
        watching.wait_for(state)
    watching.press("q")
    assert watching.process.wait(15) == 0


def test_the_journal_stands_in_while_the_exporter_is_gone(
    builds: Path, terminal: Callable[..., Terminal], serve: Callable[..., Any]
) -> None:
    """Asked from an exporter, the board goes on from the journal when that ends, and asks it again once it is back."""
    address = f"127.0.0.1:{free_port()}"
    exporter = serve("--web.listen-address", address)
    watching = terminal(builds, "--exporter", f"http://{address}")
    watching.wait_for("exporter http")
    exporter.kill()
    watching.wait_for(f"journal {builds}"[:40])
    serve("--web.listen-address", address)
    watching.wait_for("exporter http")
    watching.press("q")
    assert watching.process.wait(15) == 0


def test_an_exporter_that_was_named_must_answer(builds: Path) -> None:
    """`--exporter` with a wrong address ends with a sentence and 2: the journal is not shown in its place."""
    address = f"http://127.0.0.1:{free_port()}"
    done = forks().run(["watch", "--once", "--journal", str(builds), "--exporter", address])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"build-exporter watch: {address}")
    assert done.stderr.count("\n") == 1
