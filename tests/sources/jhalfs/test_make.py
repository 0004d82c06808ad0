"""GNU make at work in a tree of jhalfs' form, followed live: success, failure, retry, breakpoint, kill, waiting."""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from build_exporter.journal.layout import run_path, runs
from build_exporter.model.states import BuildState, StepState
from build_exporter.sources.attach import Attachment, read_run
from build_exporter.sources.jhalfs.source import Jhalfs
from build_exporter.sources.make_process import MakeWatch, Presence
from build_exporter.sources.protocol import Settings, SourceError
from build_exporter.tracker import Run, Step

pytestmark = pytest.mark.skipif(
    shutil.which("gcc") is None or shutil.which("make") is None, reason="needs gcc and GNU make"
)

SUDO = """\
#include <stdio.h>
#include <unistd.h>
int main(int count, char **words) {
    printf("password: ");
    fflush(stdout);
    getchar();
    return execvp(words[1], words + 1);
}
"""


class Build:
    """A tree that make builds, and a source that follows it."""

    def __init__(self, place: Path) -> None:
        self.tree = place / "jhalfs"
        generator = Path(__file__).with_name("make_tree.py")
        subprocess.run([sys.executable, generator, self.tree], check=True)
        self._journal = place / "journal"
        self.attached = Attachment(Jhalfs(Settings(self.tree)), str(self._journal))
        self._made: list[subprocess.Popen[bytes]] = []

    def make(self, *words: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start make, in a session of its own."""
        command = ["make", *words]
        options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options}
        made = subprocess.Popen(command, cwd=self.tree, start_new_session=True, **options)
        self._made.append(made)
        return made

    def poll(self, late: float = 0.0) -> Run:
        """Look once and return the run."""
        with contextlib.suppress(SourceError):
            self.attached.poll(time.time() + late)
        names = runs(str(self._journal), "lfs-12.4")
        return (
            read_run(run_path(str(self._journal), "lfs-12.4", names[-1]), "lfs-12.4", names[-1])
            if names
            else Run("", "")
        )

    def step(self, name: str) -> Step:
        """Look and return a step."""
        return next((each for each in self.poll().steps.values() if each.step == name), Step("", name, 0))

    def hold(self, target: str) -> Path:
        """Have a step wait until the file returned is gone."""
        path = self.tree / "hold" / target
        path.touch()
        return path

    def end(self) -> None:
        """End what still runs."""
        for made in self._made:
            if made.poll() is None:
                os.killpg(made.pid, signal.SIGKILL)
            made.wait()
        self.attached.close()


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """A tree before its first step."""
    made = Build(tmp_path)
    yield made
    made.end()


def test_success_followed_live(build: Build, poll: Callable[..., None]) -> None:
    """Each step is seen running and done while make works; at the end all has succeeded, as make's exit code says."""
    first, later = build.hold("502-second"), build.hold("Cus-001-editor")
    made = build.make()
    poll(lambda: build.step("502-second").state is StepState.RUNNING, what="the step runs")
    run = build.poll(late=3600)
    assert [each.step for each in run.running.values()] == ["502-second"]
    assert run.state is BuildState.RUNNING
    first.unlink()
    poll(lambda: build.step("Cus-001-editor").state is StepState.RUNNING, what="the last step runs")
    assert "bootable" in build.poll().milestones
    later.unlink()
    assert made.wait(30) == 0
    poll(lambda: build.poll().state is BuildState.SUCCEEDED, what="the end")
    run = build.poll()
    assert [each.attempts for each in run.steps.values()] == [1] * 12
    for each in run.steps.values():
        assert each.end == pytest.approx((build.tree / each.step).stat().st_mtime, abs=0.001)
    gcc = next(each for each in run.steps.values() if each.step == "501-first")
    assert (gcc.version, gcc.seconds is not None, (gcc.disk_bytes or 0) > 0) == ("1.0", True, True)


def test_failure_then_retry(build: Build, poll: Callable[..., None]) -> None:
    """The step whose package does not compile fails with the compiler's words; `make` again is its second attempt."""
    (build.tree / "fail/601-c++").touch()
    assert build.make().wait(30) == 2
    poll(lambda: build.poll(late=300).state is BuildState.FAILED, what="the failure is reported")
    failed = build.step("601-c++")
    assert failed.state is StepState.FAILED
    assert failed.message is not None
    assert "error: 'nothing' undeclared" in failed.message.replace("\u2018", "'").replace("\u2019", "'")
    assert build.poll().end == failed.end
    again = build.hold("601-c++")
    (build.tree / "fail/601-c++").unlink()
    # a date has whole seconds: make would have to be called again within one to look the same
    poll(lambda: int(time.time()) > int(failed.start or 0), what="the next second")
    made = build.make()
    poll(lambda: build.poll().state is BuildState.RUNNING, what="the retry is seen")
    assert build.step("601-c++").attempts == 2
    again.unlink()
    assert made.wait(30) == 0
    poll(lambda: build.poll().state is BuildState.SUCCEEDED, what="the end")
    run = build.poll()
    assert run.finished == {"succeeded": 12, "failed": 1}
    assert {each.step: each.attempts for each in run.steps.values() if each.attempts != 1} == {"601-c++": 2}


def test_breakpoint_is_no_failure(build: Build, poll: Callable[..., None]) -> None:
    """A make that was asked to stop ends with an error: the build is interrupted, not failed, and can continue."""
    assert build.make("BREAKPOINT=502-second").wait(30) == 2
    poll(lambda: build.poll(late=300).state is BuildState.INTERRUPTED, what="the stop is reported")
    run = build.poll()
    assert (run.failed, run.count(StepState.SUCCEEDED), run.running) == ({}, 4, {})
    assert build.make().wait(30) == 0
    poll(lambda: build.poll().state is BuildState.SUCCEEDED, what="the end")
    assert build.poll().finished == {"succeeded": 12}


def test_killed_build_does_not_stay_running(build: Build, poll: Callable[..., None]) -> None:
    """After kill -9 of make and all below it, seen at work before, its step ends with the next poll."""
    build.hold("501-first")
    made = build.make()
    poll(lambda: build.step("501-first").state is StepState.RUNNING, what="the step runs")
    build.poll(late=10)
    os.killpg(made.pid, signal.SIGKILL)
    made.wait(10)
    poll(lambda: not build.poll(late=20).running, 5, "the end of the step")
    assert build.poll(late=20).state is BuildState.FAILED


def test_waiting_for_a_password(build: Build, poll: Callable[..., None], tmp_path: Path) -> None:
    """A password prompt between two phases is reported once, with the waiting step, until it is answered."""
    (tmp_path / "sudo.c").write_text(SUDO)
    subprocess.run(["gcc", "-o", tmp_path / "sudo", tmp_path / "sudo.c"], check=True)
    master, slave = pty.openpty()
    build.make(f"SUDO={tmp_path / 'sudo'}", stdin=slave)
    os.write(master, b"\n")
    poll(lambda: build.step("401-layout").state is StepState.SUCCEEDED, what="the first phase is done")
    poll(lambda: MakeWatch(build.tree).poll(0) is Presence.ALIVE, what="make is seen")
    poll(lambda: bool(build.poll(late=60).notes), what="the note")
    for late in (80, 100, 120):
        build.poll(late=late)
    (note,) = build.poll().notes
    assert note[1] == "waiting-for-input: sudo asks for a password before 402-environment"
    assert build.poll().waiting_for == "sudo asks for a password before 402-environment"
    os.write(master, b"\n\n\n\n\n")
    poll(lambda: build.poll().state is BuildState.SUCCEEDED, what="the end")
    assert len(build.poll(late=200).notes) == 1
    assert build.poll(late=200).waiting_for is None
    os.close(master)
    os.close(slave)


def test_served_live(build: Build, serve: Callable[..., Any], poll: Callable[..., None]) -> None:
    """`serve --watch jhalfs=…` shows a build that make does now: a failure with its reason, the retry, the end."""
    exporter = serve("--watch", f"jhalfs={build.tree}")
    (build.tree / "fail/801-Third").touch()
    hold = build.hold("801-Third")
    made = build.make()
    labels = {"build": "lfs-12.4", "step": "801-Third"}
    poll(lambda: exporter.value("build_step_status", **labels) == 1, what="the step runs")
    hold.unlink()
    assert made.wait(30) == 2
    poll(lambda: exporter.value("build_step_status", **labels) == 3, what="the step has failed")
    shown = exporter.get("/metrics")[2].decode()
    assert "undeclared" in next(line for line in shown.splitlines() if line.startswith("build_step_failure_info{"))
    (build.tree / "fail/801-Third").unlink()
    poll(lambda: int(time.time()) > (build.tree / "logs/801-Third-3.1-20250517").stat().st_mtime + 1, what="a second")
    assert build.make().wait(30) == 0
    poll(lambda: exporter.value("build_state", build="lfs-12.4", state="succeeded") == 1, what="the end")
    assert exporter.value("build_steps", build="lfs-12.4", state="succeeded") == 12
    assert exporter.value("build_step_attempts", **labels) == 2
    assert exporter.value("build_exporter_source_up", source="jhalfs/lfs-12.4") == 1
    assert exporter.stop() == 0
