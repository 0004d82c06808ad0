"""Under make and around make: the jobserver, -j, nested makes, their failures."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[bytes]]
Read = Callable[..., list[dict[str, Any]]]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")

MAKEFILE = """
all: one two three
one two three:
	@+$(RUN) --phase p --step $@ $(LOG) -- $(MAKE) -s -f Makefile.sub NAME=$@
"""

SUB = """
all: a b
a b:
	@echo $(NAME) $@ $(words $(filter --jobserver-auth=% --jobserver-fds=%,$(MAKEFLAGS)))
"""


@pytest.fixture
def tree(tmp_path: Path, wrapper: list[str]) -> Path:
    """A directory with makefiles whose recipes are wrapped steps that call make."""
    (tmp_path / "Makefile").write_text(f"RUN = {' '.join(wrapper)}\n{MAKEFILE}")
    (tmp_path / "Makefile.sub").write_text(SUB)
    return tmp_path


@pytest.mark.parametrize("log", [False, True], ids=["plain", "logged"])
def test_jobserver(run: Run, tree: Path, events: Read, log: bool) -> None:
    """`make -j2` reaches the makes inside its wrapped steps: they share its slots and warn of nothing."""
    words = ("make", "-s", "-j2", "-C", str(tree), *(["LOG=--log $@.log"] if log else []))
    done = run(*words, options=("--build", "b"))
    assert (done.returncode, done.stderr) == (0, b"")
    assert sorted(done.stdout.splitlines()) == sorted(
        f"{n} {s} 1".encode() for n in ("one", "two", "three") for s in "ab"
    )
    finished = [event for event in events() if event["event"] == "step_finished"]
    assert [event["step"] for event in finished][-1] == "make"
    assert {event["step"] for event in finished} == {"one", "two", "three", "make"}
    assert {event["status"] for event in finished} == {"succeeded"}
    assert len({event["file"] for event in events()}) == 1


def test_slots_are_kept(run: Run, tmp_path: Path, wrapper: list[str]) -> None:
    """No more than the two jobs of -j2 run at once through wrapped sub-makes, and two do."""
    (tmp_path / "Makefile").write_text(
        f"all: one two\none two:\n\t@+{' '.join(wrapper)} --phase p --step $@ -- $(MAKE) -s -f sub NAME=$@\n"
    )
    (tmp_path / "sub").write_text(
        "all: a b c\na b c:\n\t@mkdir $(NAME)$@; ls -d one? two? 2>/dev/null | wc -l; sleep 0.2; rmdir $(NAME)$@\n"
    )
    done = run("make", "-s", "-j2", options=("--build", "b"), cwd=tmp_path)
    counts = [int(line) for line in done.stdout.split()]
    assert len(counts) == 6
    assert max(counts) == 2


def test_failing_step(run: Run, tmp_path: Path, wrapper: list[str], events: Read) -> None:
    """make stops at a failing step as without the wrapper, and says the same: for an exit code and for a signal."""
    for recipe, said in (("exit 3", b"Error 3"), ("kill -SEGV $$$$", b"Segmentation fault")):
        text = f"all:\n\t@{{}} sh -c '{recipe}'\n"
        (tmp_path / "bare").write_text(text.format(""))
        (tmp_path / "wrapped").write_text(text.format(f"{' '.join(wrapper)} --step one --build b --"))
        bare, wrapped = (
            subprocess.run(["make", "-f", name], cwd=tmp_path, capture_output=True, check=False, env=_environment(run))
            for name in ("bare", "wrapped")
        )
        assert wrapped.returncode == bare.returncode == 2
        assert wrapped.stderr == bare.stderr.replace(b"bare", b"wrapped")
        assert said in wrapped.stderr
        assert events()[-1]["status"] == "failed"


def _environment(run: Run) -> dict[str, str]:
    return dict(line.split("=", 1) for line in run("env").stdout.decode().splitlines() if "=" in line)


def test_make_ends_its_steps(
    start: Callable[..., subprocess.Popen[bytes]], wrapper: list[str], tmp_path: Path, events: Read
) -> None:
    """TERM to make is passed on by it to the wrapped steps, which pass it on and are recorded as interrupted."""
    step = f"{' '.join(wrapper)} --step $@ -- sh -c 'echo ready; exec sleep 60'"
    (tmp_path / "Makefile").write_text(f"all: a b\na b:\n\t@{step}\n")
    process = start("make", "-j2", options=("--build", "b"), cwd=tmp_path)
    assert process.stdout
    assert [process.stdout.readline(), process.stdout.readline()] == [b"ready\n"] * 2
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == -signal.SIGTERM
    ended = {event["step"]: event["status"] for event in events() if event["event"] == "step_finished"}
    assert ended == {"a": "interrupted", "b": "interrupted", "make": "interrupted"}
    assert events()[-1]["status"] == "interrupted"


@pytest.mark.parametrize("log", ["", "--log $@.log"], ids=["plain", "logged"])
def test_ctrl_c_and_ctrl_z_at_make(
    terminal: Callable[..., Any],
    poll: Callable[..., None],
    wrapper: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    log: str,
) -> None:
    """At a terminal Ctrl-Z stops make with all its wrapped steps, fg continues them, and Ctrl-C ends them."""
    monkeypatch.chdir(tmp_path)
    step = f"{' '.join(wrapper)} --build b --step $@ {log} -- sh -c 'echo ready $@; exec sleep 60'"
    (tmp_path / "Makefile").write_text(f"all: a b\na b:\n\t@{step}\n")
    shell = terminal()
    for _ in range(2):
        shell.type("make -j2\n")
        shell.expect(r"(?s)ready .\r\n.*ready .\r\n")
        shell.type("\x1a")
        shell.expect(r"(?s)Stopped.*?\$> ")
        poll(lambda: {_state(pid) for pid in _group_of(shell.process.pid)} == {"T"})
        shell.type("fg\n")
        shell.expect(r"make -j2\r\n")
        shell.expect_job()
        shell.type("\x03")
        shell.expect(r"(?s)(Interrupt|Error 130).*?\$> ")
        shell.type("echo code $?\n")
        shell.expect(r"\ncode (130|2)\r\n\$> ")


def _group_of(shell: int) -> list[int]:
    """Return the processes below a shell, sessions of their own aside."""
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid=,sid="], capture_output=True, text=True, check=True).stdout
    rows = [tuple(map(int, line.split())) for line in listed.splitlines()]
    below, found = {shell}, []
    while new := [pid for pid, parent, _ in rows if parent in below and pid not in below]:
        below.update(new)
        found += new
    return [pid for pid in found if os.getsid(pid) == os.getsid(shell)]


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
