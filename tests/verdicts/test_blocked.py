"""What real processes wait for: a person, one another, time, or somebody outside the step."""

from __future__ import annotations

import fcntl
import os
import platform
import pty
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from build_exporter.verdicts.blocked import _CALLS as CALLS
from build_exporter.verdicts.blocked import Waits, waits_of

Start = Callable[..., Callable[[], Waits]]

READLINE = "import readline; input('name: ')"
EPOLL = "import select, sys; e = select.epoll(); e.register(sys.stdin, 1); e.poll()"
POLL = "import select, sys; p = select.poll(); p.register(sys.stdin, 1); p.poll()"
SOCKET_TOO = "import select, socket, sys; select.select([sys.stdin, socket.create_server(('127.0.0.1', 0))], [], [])"
TYPIST = "import os, pty, time; pid, fd = pty.fork(); pid or os.read(0, 1); time.sleep(600)"
RELAY = """
import os, pty, select, sys
pid, fd = pty.fork()
if not pid:
    os.read(0, 1)
while True:
    select.select([0, fd], [], [])
    os.read(fd, 9)
"""
FULL = "import subprocess as s; s.Popen(['head', '-c', '1000000', '/dev/zero'], stdout=s.PIPE).wait()"
WORKER = "import subprocess as s, time; s.Popen(['cat'], stdin=s.PIPE); time.sleep(600)"
POLLED = "import select as s, subprocess as p; c = p.Popen(['cat'], stdin=-1, stdout=-1); s.select([c.stdout], [], [])"
SERVER = "import os, select, socket; s = socket.create_server(('127.0.0.1', 0)); os.fork(); select.select([s], [], [])"
WAKES = "import os, select; os.fork(); e = select.epoll(); e.register(os.eventfd(0), 1); e.poll()"


@pytest.fixture
def terminal() -> Iterator[int]:
    """A terminal that a person sits at."""
    master, slave = pty.openpty()
    yield slave
    os.close(master)
    os.close(slave)


@pytest.fixture
def start(terminal: int, tmp_path: Path) -> Iterator[Start]:
    """Start a command, of Python where it is one word; return what gives the waits of its processes."""
    started: list[subprocess.Popen[bytes]] = []

    def call(*words: str, **streams: int) -> Callable[[], Waits]:
        command = words if len(words) > 1 else (sys.executable, "-c", *words)
        options = {"stdin": terminal, "stdout": subprocess.DEVNULL} | streams
        process = subprocess.Popen(command, cwd=tmp_path, start_new_session=True, **options)  # type: ignore[call-overload]
        started.append(process)
        return lambda: waits_of(_tree(process.pid))

    yield call
    for process in started:
        top = psutil.Process(process.pid)
        for each in [*top.children(recursive=True), top]:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait(10)


class _Seen:
    ticks = 0

    def __init__(self, process: psutil.Process) -> None:
        self.pid, self.parent, self.name = process.pid, process.ppid(), process.name()


def _tree(root: int) -> dict[int, _Seen]:
    with suppress(psutil.NoSuchProcess):
        top = psutil.Process(root)
        return {each.pid: _Seen(each) for each in (top, *top.children(recursive=True))}
    return {}


@pytest.mark.parametrize("program", [READLINE, EPOLL, POLL, RELAY])
def test_a_prompt_is_seen_however_it_waits(program: str, start: Start, poll: Callable[..., None]) -> None:
    """A prompt of readline, a menu, or one below `script` waits for a person, though nothing is being read."""
    seen = start(program)
    poll(lambda: seen().reading.startswith("python"), 30, f"{seen()}")


def test_one_who_asks_beside_work_in_the_background(start: Start, poll: Callable[..., None]) -> None:
    """A shell that asks is seen though a child of it goes on."""
    seen = start("sh", "-c", "sleep 600 & read answer")
    poll(lambda: seen().reading == "sh", 30, f"{seen()}")


@pytest.mark.parametrize(("program", "words"), [(SOCKET_TOO, "waits for events"), (TYPIST, "reads from the terminal")])
def test_no_person_is_asked(program: str, words: str, start: Start, poll: Callable[..., None]) -> None:
    """A client that relays to a server, and a program that `expect` types for, do not wait for a person."""
    seen = start(program)
    poll(lambda: any(each.endswith(words) for each in seen().words), 30, f"{seen()}")
    assert seen().reading == ""
    assert not seen().is_closed


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ((FULL,), "head writes to a pipe"),
        ((POLLED,), "cat reads from a pipe"),
        (("sh", "-c", "exec 9>lock; flock 9; flock lock true; true"), "flock waits for a lock of a file"),
        (("sh", "-c", "mkfifo fifo; cat fifo; true"), "cat waits for the other end of a pipe"),
    ],
)
def test_a_deadlock(command: tuple[str, ...], words: str, start: Start, poll: Callable[..., None]) -> None:
    """Processes that wait for one another alone are a deadlock, named by what they wait for."""
    seen = start(*command, stdin=subprocess.DEVNULL)
    poll(lambda: seen().words == (words,), 30, f"{seen()}")
    poll(lambda: seen().is_closed, 30, f"{seen()}")


@pytest.mark.parametrize("program", [SERVER, WAKES])
def test_what_several_hold_is_no_deadlock(program: str, start: Start, poll: Callable[..., None]) -> None:
    """Workers of a server that share its socket wait for a client, and two programs that wait for events for theirs."""
    seen = start(program, stdin=subprocess.DEVNULL)
    poll(lambda: any(each.endswith("waits for events") for each in seen().words), 30, f"{seen()}")
    assert not seen().is_closed


def test_make_waits_for_its_jobs(start: Start, poll: Callable[..., None], tmp_path: Path) -> None:
    """A make with further jobs to start waits for a token, which its deadlocked jobs alone can give back."""
    (tmp_path / "Makefile").write_text("all: a b c\na b c:\n\t@mkfifo $@.fifo; cat $@.fifo\n")
    seen = start("make", "-j2", stdin=subprocess.DEVNULL)
    poll(lambda: seen() == Waits("", ("cat waits for the other end of a pipe",), is_closed=True), 30, f"{seen()}")


def test_who_is_outside_may_end_a_wait(start: Start, poll: Callable[..., None], tmp_path: Path) -> None:
    """A pager, a locked package cache, and a worker whose caller sleeps are no deadlock."""
    reader, writer = os.pipe()
    with (tmp_path / "cache").open("w") as cache:
        fcntl.flock(cache, fcntl.LOCK_EX)
        pager = start("yes", "y", stdout=writer)
        locked = start("flock", "cache", "true")
        worker = start(WORKER)
        source = start("cat", "-", stdin=reader)
        for seen, words in (
            (pager, "yes writes to a pipe from outside the step"),
            (locked, "flock waits for a lock of a file from outside the step"),
            (worker, "cat reads from a pipe"),
        ):
            poll(lambda seen=seen, words=words: seen().words == (words,), 30, words)
            assert not seen().is_closed
        assert not source().is_closed
    os.close(reader)
    os.close(writer)


NUMBERS = {kind: number for number, kind in reversed(CALLS.items())}
ENDLESS, ZERO, POINTER = "0xffffffff", "0x0", "0x10"
AT_LOCK = f"lock 0x1 0x80 0x2 {ZERO} 0x0 0x0"


@pytest.mark.skipif(not CALLS, reason="the calls of this machine are not known")
@pytest.mark.parametrize(
    ("call", "is_closed"),
    [
        (AT_LOCK, True), (f"lock 0x1 0x80 0x2 {POINTER} 0x0 0x0", False),
        (f"lock 0x1 0x80 0x0 {POINTER} 0x0 0x0", False), (f"poll {POINTER} 0x1 {ENDLESS} 0x0 0x0 0x0", True),
        (f"poll {POINTER} 0x1 0x3e8 0x0 0x0 0x0", False), (f"poll {POINTER} 0x0 {ENDLESS} 0x0 0x0 0x0", False),
        (f"select 0x1 0x20 0x0 0x0 {ZERO} 0x0", True), (f"select 0x1 0x20 0x0 0x0 {POINTER} 0x0", False),
        ("semaphore 0x1 0x0 0x0 0x0 0x0 0x0", True), ("receive 0x0 0x0 0x0 0x0 0x0 0x0", False),
        ("read 0x0 0x0 0x0 0x0 0x0 0x0", True), ("read 0x1 0x0 0x0 0x0 0x0 0x0", False),
        ("sleep 0x0 0x0 0x0 0x0 0x0 0x0", False),
    ],
)  # fmt: skip
def test_a_wait_with_an_end_is_no_deadlock(tmp_path: Path, call: str, is_closed: bool) -> None:
    """Only waits without a time limit, for what a process of the step alone may do, are; of two both must be such."""
    if platform.machine() == "aarch64" and call.startswith(("poll", "select")):
        pytest.skip("poll is another call there")
    lay(tmp_path, {7: call, 8: AT_LOCK})
    # what 7 reads from its descriptor 0 process 8 may write; one descriptor to poll for input, the lowest to select
    (tmp_path / "7/mem").write_bytes(bytes(16) + struct.pack("=ihh", 0, 1, 0) + bytes(8) + b"\1" + bytes(15))
    assert waits_of({pid: Named(pid) for pid in (7, 8)}, str(tmp_path)).is_closed == is_closed


def lay(proc: Path, calls: dict[int, str]) -> None:
    """Write a `/proc` of processes with the calls they wait in; 7 has a pipe at 0 that 8 has the other end of."""
    for pid, line in calls.items():
        for name in (f"task/{pid}", "fd", "fdinfo"):
            (proc / str(pid) / name).mkdir(parents=True)
        kind, _, arguments = line.partition(" ")
        text = f"{NUMBERS[kind]} {arguments} 0x7ffc 0x7f00\n" if arguments else line
        (proc / str(pid) / "task" / str(pid) / "syscall").write_text(text)
    for pid, number, flags in ((7, 0, 0), (8, 1, 1)):
        if pid in calls:
            (proc / str(pid) / "fd" / str(number)).symlink_to("pipe:[5]")
            (proc / str(pid) / "fdinfo" / str(number)).write_text(f"pos:\t0\nflags:\t0{flags}\n")


READS = f"read 0x0 {POINTER} 0x1 0x0 0x0 0x0"
POLLS = f"poll {POINTER} 0x1 {ENDLESS} 0x0 0x0 0x0"
CHILD = "wait 0x0 0x0 0x0 0x0 0x0 0x0"
LOCK, PIPE = "x waits for a lock", "x reads from a pipe"
OUTSIDE = "x reads from a pipe from outside the step"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="poll is another call there")
@pytest.mark.parametrize(
    ("calls", "parents", "polled", "expected"),
    [
        ({7: READS, 8: AT_LOCK}, {}, b"", Waits("", (PIPE, LOCK), is_closed=True)),
        ({7: READS}, {}, b"", Waits("", (OUTSIDE,))),
        ({7: READS, 8: "running"}, {}, b"", Waits()), ({7: "running", 8: AT_LOCK}, {}, b"", Waits()),
        ({7: AT_LOCK, 8: CHILD}, {}, b"", Waits(hiding="x")),
        ({7: READS, 8: CHILD}, {7: 8}, b"", Waits("", (PIPE,), is_closed=True)),
        ({7: READS, 8: READS}, {7: 8}, b"", Waits("", (PIPE,))),
        ({7: READS, 8: "running"}, {7: 8}, b"", Waits("", (PIPE,))),
        ({7: POLLS, 8: AT_LOCK}, {}, struct.pack("=ihh", 0, 1, 0), Waits("", ("x waits for events", LOCK), True)),
        ({7: POLLS, 8: AT_LOCK}, {}, struct.pack("=ihh", 0, 4, 0), Waits("", ("x waits for events", LOCK))),
        ({7: POLLS, 8: AT_LOCK}, {}, struct.pack("=ihh", -1, 1, 0), Waits("", ("x waits for events", LOCK))),
        (dict.fromkeys(range(20, 52), AT_LOCK), {}, b"", Waits("", (LOCK,), is_closed=True)),
        (dict.fromkeys(range(20, 53), AT_LOCK), {}, b"", Waits("", (LOCK,))),
    ],
)  # fmt: skip
def test_what_a_step_as_a_whole_waits_for(
    calls: dict[int, str], parents: dict[int, int], polled: bytes, expected: Waits, tmp_path: Path
) -> None:
    """A process that runs or is not seen may do anything; of one with children what it waits for itself counts too."""
    lay(tmp_path, calls)
    if polled:
        (tmp_path / "7/mem").write_bytes(bytes(16) + polled + bytes(8))
    assert waits_of({pid: Named(pid, parents.get(pid, 1)) for pid in calls}, str(tmp_path)) == expected


@dataclass
class Named:
    """A process without children."""

    pid: int
    parent: int = 1
    ticks: int = 0
    name: str = "x"
