"""Steps whose writer recorded no process: found by the log they have open, a command line, or a control group."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from build_exporter.model import events as e
from build_exporter.model.states import Verdict
from build_exporter.tracker import Run, Step, apply_all
from build_exporter.verdicts import Match, StepRoots, Verdicts
from build_exporter.verdicts.roots import LONGEST_SCAN_SECONDS, SCAN_SECONDS

Start = Callable[..., "subprocess.Popen[bytes]"]
LOOP = "while :; do echo x; sleep 0.05; done"


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a command in a session of its own."""
    started: list[subprocess.Popen[bytes]] = []

    def call(*words: str) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(words, stdout=subprocess.DEVNULL, start_new_session=True))
        return started[-1]

    yield call
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


class Watched:
    """A run with one running step, and who looks for its process; the clock stands where it is put."""

    def __init__(self, log: Path | None = None, **fields: object) -> None:
        self.run, self.now = Run("lfs", "20260101T000000Z"), 100.0
        step = {"phase": "p", "step": "s", "build": "lfs", "log": str(log) if log is not None else None, **fields}
        apply_all(self.run, [e.StepStarted(time=1000.0, **step)])  # type: ignore[arg-type]
        self.roots = StepRoots(lambda: [self.run], clock=lambda: self.now)

    @property
    def step(self) -> Step:
        """The step."""
        return self.run.steps["p", "s"]

    def found(self, *matches: Match) -> set[int]:
        """Return the roots found now."""
        self.roots.matches = matches
        self.now += SCAN_SECONDS
        return set(self.roots().get("lfs", {}))


def test_the_process_that_has_the_log_open(start: Start, tmp_path: Path, poll: Callable[..., None]) -> None:
    """A build that writes its own log is watched, though nothing recorded which process it is."""
    log = tmp_path / "log"
    watched = Watched(log)
    assert watched.found() == set()
    process = start("sh", "-c", f"exec >{log}; {LOOP}")
    poll(lambda: watched.found() == {process.pid}, 20, "the writer of the log is found")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
    poll(lambda: watched.found() == set(), 20, "it is gone")


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., None]:
    """Write a process, as proc(5) has it, into a /proc of its own; it may have a file open for writing."""

    def write(pid: int, parent: int, group: int, log: Path | None = None) -> None:
        place = tmp_path / "proc" / str(pid)
        for name in ("fd", "fdinfo"):
            (place / name).mkdir(parents=True)
        (place / "stat").write_text(f"{pid} (x) S {parent} {group} {'0 ' * 16}{pid}00 0\n")
        (place / "cmdline").write_bytes(b"x\0--build\0")
        if log is not None:
            (place / "fd" / "1").symlink_to(log)
            (place / "fdinfo" / "1").write_text("pos:\t0\nflags:\t0100001\n")

    return write


@pytest.mark.parametrize(
    ("rows", "root"),
    [
        # make | tee: the shell that leads the job
        (["20 1 20", "21 20 20", "22 20 20 log"], 20),
        # one that writes the log itself and has children, whoever leads
        (["20 1 20", "21 20 20 log", "22 21 20"], 21),
        (["21 1 99 log"], 21),
        (["31 1 31 log", "30 1 30 log"], 30),
        (["20 1 20", "21 20 20"], None),
    ],
)
def test_of_a_pipe_into_tee_the_whole_job(
    process: Callable[..., None], tmp_path: Path, rows: list[str], root: int | None
) -> None:
    """With `make | tee log` it is make's work that counts, not tee's; of several writers that of the oldest."""
    (tmp_path / "log").touch()
    (tmp_path / "proc").mkdir()
    watched = Watched(tmp_path / "log")
    watched.roots = StepRoots(lambda: [watched.run], str(tmp_path / "proc"), clock=lambda: watched.now)
    for row in rows:
        pid, parent, group, *log = row.split()
        process(int(pid), int(parent), int(group), tmp_path / "log" if log else None)
    assert watched.found() == ({root} if root is not None else set())


def test_looking_in_vain_becomes_rare(process: Callable[..., None], tmp_path: Path) -> None:
    """After 10, 20, 40 and then each 40 s, until a process is found; a new attempt and one that is gone are lost."""
    (tmp_path / "proc").mkdir()
    looks: list[float] = []

    class Counted(StepRoots):
        def _scan(self, lost: Any) -> Any:
            looks.append(watched.now)
            return super()._scan(lost)

    watched = Watched()
    watched.roots = Counted(lambda: [watched.run], str(tmp_path / "proc"), clock=lambda: watched.now)
    watched.roots.matches = (Match("lfs", "^x --build$", None),)

    def until(end: int) -> None:
        while watched.now < end:
            watched.now += 1
            watched.roots()

    watched.now = -1
    until(111)
    assert looks == [0, 10, 30, 70, 110]
    process(7, 1, 7)
    until(149)
    assert watched.roots.pid_of(watched.run, watched.step) is None
    until(170)
    assert (watched.roots()["lfs"], looks[5:]) == ({7: 1000.0}, [150]), "with the start of the step"
    apply_all(watched.run, [e.StepStarted(time=1001.0, phase="p", step="s", build="lfs")])
    assert watched.roots.pid_of(watched.run, watched.step) is None, "the process was that of the attempt before"
    until(171)
    assert (watched.roots()["lfs"], looks[6:]) == ({7: 1001.0}, [171])
    shutil.rmtree(tmp_path / "proc" / "7")
    until(181)
    assert (watched.roots(), looks[7:]) == ({}, [176])


def test_who_only_reads_a_log_is_not_its_build(start: Start, tmp_path: Path) -> None:
    """`tail -f` and the exporter itself have the log open, too."""
    log = tmp_path / "log"
    log.write_text("x\n")
    start("tail", "-f", str(log))
    assert Watched(log).found() == set()


def test_a_command_line_by_configuration(start: Start, poll: Callable[..., None]) -> None:
    """Who builds by a tool of his own says how its process is called."""
    process = start("sleep", "612.5")
    watched = Watched()
    poll(lambda: watched.found(Match("lfs", r"^sleep 612\.5$", None)) == {process.pid}, 20, "the command is found")
    assert Watched().found(Match("other", r"^sleep 612\.5$", None)) == set(), "it is of another build"


def test_a_control_group_by_configuration(start: Start, tmp_path: Path) -> None:
    """A container's or a unit's group holds the build."""
    process = start("sleep", "613")
    (tmp_path / "unit").mkdir()
    (tmp_path / "unit" / "cgroup.procs").write_text(f"{process.pid}\n2147483647\n")
    watched = Watched()
    watched.roots = StepRoots(lambda: [watched.run], groups=str(tmp_path), clock=lambda: watched.now)
    assert watched.found(Match("lfs", None, "gone")) == set()
    watched.now += LONGEST_SCAN_SECONDS
    assert watched.found(Match("lfs", None, "/unit")) == {process.pid}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "which process is the step's is not known"),
        ({"pid": 7, "pid_namespace": "another-boot/1"}, "its process is of another pid namespace or boot"),
        ({"pid": 2**22 - 1}, "no process of the step is seen"),
    ],
)
def test_what_is_not_seen_is_unknown_with_the_reason(fields: dict[str, object], reason: str) -> None:
    """Without a process, in a container or with a hidden /proc no verdict is made up."""
    watched = Watched(None, **fields)
    verdicts = Verdicts(lambda: [watched.run], watched.roots.pid_of)
    verdicts.observe({})
    judged = verdicts.judgement(watched.run, watched.step)
    assert judged is not None
    assert (judged.verdict, judged.evidence) == (Verdict.UNKNOWN, (reason,))
