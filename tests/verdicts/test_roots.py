"""Steps whose writer recorded no process: found by the log they have open, a command line, or a control group."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

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


def test_of_a_pipe_into_tee_the_whole_job(start: Start, tmp_path: Path, poll: Callable[..., None]) -> None:
    """With `make | tee log` it is make's work that counts, not tee's."""
    log = tmp_path / "log"
    process = start("sh", "-c", f"sh -c '{LOOP}' | tee {log}; true")
    watched = Watched(log)
    poll(lambda: watched.found() == {process.pid}, 20, "the job is found")


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
