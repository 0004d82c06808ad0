"""Signals that reach the wrapper reach the command, once; death on either side is reported to the other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Start = Callable[..., subprocess.Popen[bytes]]
Read = Callable[..., list[dict[str, Any]]]
Poll = Callable[..., None]

COUNTING = """
import os, signal, sys, time
def report(number, frame):
    # not print: the next signal may come while it still flushes
    os.write(1, b"%d\\n" % number)
    if number == signal.SIGTERM:
        sys.exit(5)
for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
    signal.signal(number, report)
print("ready", os.getpid(), os.getpgrp(), flush=True)
while True:
    signal.pause()
"""

SENT = [
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGPIPE,
    signal.SIGWINCH, signal.SIGTSTP, signal.SIGRTMIN, signal.SIGRTMAX,
]  # fmt: skip


@pytest.mark.parametrize("log", [False, True], ids=["plain", "logged"])
def test_signals_sent_to_the_wrapper(start: Start, events: Read, log: bool, tmp_path: Path) -> None:
    """Each signal sent to the wrapper alone comes to the command once; how the command ends on TERM is how it ends."""
    options = ("--build", "b", "--step", "s", *(("--log", str(tmp_path / "log")) if log else ()))
    process = start(sys.executable, "-c", COUNTING, options=options)
    assert process.stdout
    assert process.stdout.readline().startswith(b"ready")
    for number in SENT:
        process.send_signal(number)
        assert int(process.stdout.readline()) == number
    process.send_signal(signal.SIGTERM)
    assert int(process.stdout.readline()) == signal.SIGTERM
    assert process.wait(20) == 5
    assert process.stdout.read() == b""
    assert events()[-1]["status"] == "interrupted"


def test_ignored_signal_stays_ignored(wrapper: list[str], environment: dict[str, str]) -> None:
    """What the wrapper's caller ignores, as nohup does SIGHUP, ends neither the wrapper nor the command."""
    command = [*wrapper, "--build", "b", "--step", "s", "--", "sh", "-c", "echo ready; read line; exit 4"]
    with subprocess.Popen(
        ["nohup", *command], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGHUP)
        process.stdin.write(b"\n")
        process.stdin.close()
        assert process.wait(20) == 4


def test_command_that_signals_its_own_group(start: Start) -> None:
    """`kill 0` within the command comes back to it once, not a second time by the wrapper."""
    program = (
        "import os, signal, time\n"
        "heard = []\n"
        "signal.signal(signal.SIGUSR1, lambda *_: heard.append(1))\n"
        "for _ in range(10):\n"
        "    os.kill(0, signal.SIGUSR1)\n"
        "    time.sleep(0.05)\n"
        "print(len(heard))\n"
    )
    process = start(sys.executable, "-c", program)
    assert process.stdout
    assert process.stdout.read() == b"10\n"
    assert process.wait(20) == 0


def test_timer_set_for_the_command(wrapper: list[str], environment: dict[str, str]) -> None:
    """An alarm set before the wrapper was executed, which a fork does not inherit, still goes off in the command."""
    program = "import os, signal, sys; signal.setitimer(signal.ITIMER_REAL, 1); os.execvp(sys.argv[1], sys.argv[1:])"
    words = [*wrapper, "--build", "b", "--step", "s", "--", "sleep", "30"]
    done = subprocess.run([sys.executable, "-c", program, *words], env=environment, timeout=20, check=False)
    assert done.returncode == -signal.SIGALRM


def test_killed_wrapper_leaves_the_command_alone(start: Start, events: Read, journal: Path, poll: Poll) -> None:
    """After kill -9 of the wrapper the command runs on to its end, and the journal is whole lines."""
    process = start("sh", "-c", f"echo $$; read line <{journal}/fifo; echo done >{journal}/end; echo out")
    os.mkfifo(journal / "fifo")
    assert process.stdout
    pid = int(process.stdout.readline())
    process.kill()
    assert process.wait(20) == -signal.SIGKILL
    os.kill(pid, 0)
    assert [event["event"] for event in events()] == ["build_started", "step_started"]
    (journal / "fifo").write_text("\n")
    poll((journal / "end").exists)
    assert process.stdout.read() == b"out\n"


def test_stop_and_continue_of_the_group(start: Start, poll: Poll, events: Read) -> None:
    """A group stopped and continued as a whole, as by a batch system, continues and ends as usual."""
    process = start("sh", "-c", "echo $$; read line; exit 6", stdin=subprocess.PIPE)
    assert process.stdout
    assert process.stdin
    child = int(process.stdout.readline())
    for number in (signal.SIGSTOP, signal.SIGTSTP):
        os.killpg(process.pid, number)
        poll(lambda: _state(process.pid) == _state(child) == "T")
        os.killpg(process.pid, signal.SIGCONT)
        poll(lambda: "T" not in (_state(process.pid), _state(child)))
    process.stdin.write(b"\n")
    process.stdin.close()
    assert process.wait(20) == 6
    assert events()[-1]["exit_code"] == 6


def test_command_stopped_alone(start: Start, wrapper: list[str], poll: Poll, events: Read) -> None:
    """Below make or a script, where no shell would wake it, the wrapper does not stop with a command stopped alone."""
    words = [*wrapper, "--phase", "p", "--", "sh", "-c", "echo $$; read line; exit 6"]
    script = start("sh", "-c", '"$@"; exit $?', "sh", *words, options=("--build", "b"), stdin=subprocess.PIPE)
    assert script.stdout
    assert script.stdin
    child = int(script.stdout.readline())
    parent = int(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[1])
    for number in (signal.SIGSTOP, signal.SIGTSTP):
        os.kill(child, number)
        poll(lambda: _state(child) == "T")
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            assert _state(parent) in "SR"
        os.kill(child, signal.SIGCONT)
    script.stdin.write(b"\n")
    script.stdin.close()
    assert script.wait(20) == 6


def test_job_stopped_by_its_command(start: Start, poll: Poll) -> None:
    """As a shell's job the wrapper stops when its command does, and wakes the command when it is woken."""
    process = start("sh", "-c", "echo $$; kill -STOP $$; exit 6")
    assert process.stdout
    child = int(process.stdout.readline())
    poll(lambda: _state(process.pid) == _state(child) == "T")
    process.send_signal(signal.SIGCONT)
    assert process.wait(20) == 6


def test_nothing_is_left_behind(start: Start, events: Read) -> None:
    """A process the command leaves in the background runs on, and does not hold the wrapper up."""
    process = start("sh", "-c", "sleep 30 >/dev/null & echo $!")
    assert process.stdout
    left = int(process.stdout.readline())
    assert process.wait(20) == 0
    os.kill(left, 0)
    assert events()[-1]["seconds"] < 10


def test_events_are_whole_while_signals_pour_in(start: Start, journal: Path) -> None:
    """However many signals come, the journal has the step's two lines, whole."""
    process = start("sh", "-c", "trap : USR1; i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; exit 3")
    while process.poll() is None:
        process.send_signal(signal.SIGWINCH)
    assert process.returncode == 3
    (path,) = journal.glob("b/*.jsonl")
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()][1:] == [
        "step_started",
        "step_finished",
    ]


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
