"""Steps whose process is gone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.collectors.scrape import Scrape
from build_exporter.journal.layout import pid_namespace
from build_exporter.liveness import GRACE_SECONDS, Liveness
from build_exporter.model.states import BuildState, StepState
from build_exporter.monitor import Monitor
from build_exporter.queries.builds import builds
from build_exporter.summary import idle_since
from build_exporter.verdicts import StepRoots
from build_exporter.web.service import Service


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The monitor's clock."""
    return Clock()


@pytest.fixture
def monitor(journal: Path, clock: Clock) -> Monitor:
    """A monitor over the journal, polled by hand."""
    return Monitor(str(journal), clock)


def _state(monitor: Monitor, step: str) -> StepState:
    monitor.poll()
    run = monitor.tracker.builds["lfs"].current
    assert run is not None
    return run.steps["p", step].state


def test_a_killed_step_is_reported_as_interrupted(monitor: Monitor, clock: Clock, run_file: Callable[..., Any]) -> None:
    """After kill -9 of a build script nothing runs on for ever: step and build are interrupted soon."""
    child = subprocess.Popen(["sleep", "600"])
    run = run_file(clock=clock.now)
    run.add("step_started", after=0, phase="p", step="s", pid=child.pid)
    monitor.poll()
    liveness = Liveness(monitor)
    assert liveness.poll() == 0
    roots = StepRoots(monitor.newest_runs)
    assert set(roots()["lfs"]) == {child.pid}
    child.kill()
    child.wait()
    assert liveness.poll() == 0, "its own writer may still report the end"
    clock.now += GRACE_SECONDS + 1
    assert liveness.poll() == 1
    assert _state(monitor, "s") is StepState.INTERRUPTED
    current = monitor.tracker.builds["lfs"].current
    assert current is not None
    assert current.state is BuildState.INTERRUPTED
    assert roots() == {}
    assert liveness.poll() == 0


def test_a_step_that_shows_its_end_is_left_alone(monitor: Monitor, clock: Clock, run_file: Callable[..., Any]) -> None:
    """A process that ended and was recorded as failed stays failed."""
    child = subprocess.Popen(["sleep", "600"])
    run = run_file(clock=clock.now)
    run.add("step_started", after=0, phase="p", step="s", pid=child.pid)
    monitor.poll()
    liveness = Liveness(monitor)
    liveness.poll()
    child.kill()
    child.wait()
    run.add("step_finished", phase="p", step="s", status="failed")
    monitor.poll()
    clock.now += GRACE_SECONDS + 1
    assert liveness.poll() == 0
    assert _state(monitor, "s") is StepState.FAILED


POLLS = """
import sys, time
from build_exporter.liveness import Liveness
from build_exporter.monitor import Monitor
now = time.time()
monitor = Monitor(sys.argv[1], lambda: now)
liveness = Liveness(monitor)
for _ in range(3):
    monitor.poll()
    liveness.poll()
    now += 6
"""
OTHER_USER = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
SEES_NO_OTHERS = ("--regid", "65534", "--clear-groups", "--bounding-set", "-sys_ptrace,-kill", "--inh-caps", "-all")


def test_a_process_that_proc_hides_is_not_gone(journal: Path, monitor: Monitor, run_file: Callable[..., Any]) -> None:
    """Where /proc shows each user no process but their own (`hidepid`), a step of another user runs on."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("mounting /proc takes root")
    gone = subprocess.Popen(["true"])
    gone.wait()
    with subprocess.Popen([*OTHER_USER, "sleep", "600"]) as hidden:
        run = run_file()
        for name, pid in (("hidden", hidden.pid), ("gone", gone.pid)):
            run.add("step_started", phase="p", step=name, pid=pid, pid_namespace=pid_namespace())
        command = ["setpriv", *SEES_NO_OTHERS, sys.executable, "-c", POLLS, str(journal)]
        mount = ["unshare", "-m", "sh", "-c", 'mount -t proc -o hidepid=2 proc /proc && exec "$@"', "sh"]
        subprocess.run([*mount, *command], check=True, timeout=60)
        states = [_state(monitor, name) for name in ("hidden", "gone")]
        hidden.kill()
    assert states == [StepState.RUNNING, StepState.INTERRUPTED]


def test_other_steps_of_the_build_continue(monitor: Monitor, clock: Clock, run_file: Callable[..., Any]) -> None:
    """One lost step of a parallel build does not end the build."""
    child = subprocess.Popen(["sleep", "600"])
    run = run_file(clock=clock.now)
    run.add("step_started", after=0, phase="p", step="lost", pid=child.pid)
    run.add("step_started", after=0, phase="p", step="alive", pid=os.getpid())
    monitor.poll()
    liveness = Liveness(monitor)
    liveness.poll()
    child.kill()
    child.wait()
    liveness.poll()
    clock.now += GRACE_SECONDS + 1
    assert liveness.poll() == 1
    assert _state(monitor, "lost") is StepState.INTERRUPTED
    assert _state(monitor, "alive") is StepState.RUNNING


def test_a_pid_never_seen_is_not_judged(monitor: Monitor, clock: Clock, run_file: Callable[..., Any]) -> None:
    """A pid of another machine or container says nothing here."""
    run = run_file(clock=clock.now)
    run.add("step_started", after=0, phase="p", step="s", pid=2**22 - 1)
    monitor.poll()
    liveness = Liveness(monitor)
    for _ in range(3):
        assert liveness.poll() == 0
        clock.now += GRACE_SECONDS + 1
    assert _state(monitor, "s") is StepState.RUNNING


def test_a_reboot_ends_what_ran_before_it(
    monitor: Monitor, clock: Clock, run_file: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut the step that ran is interrupted as soon as the exporter is back."""
    run = run_file(clock=clock.now - 7200)
    run.add("step_started", after=0, phase="p", step="s", pid=2**22 - 1)
    os.utime(run.path, (clock.now - 7200, clock.now - 7200))
    monkeypatch.setattr("psutil.boot_time", lambda: clock.now - 3600)
    monitor.poll()
    assert Liveness(monitor).poll() == 1
    assert _state(monitor, "s") is StepState.INTERRUPTED


def test_a_process_that_was_gone_before_the_first_look_is_known_to_be(
    monitor: Monitor, clock: Clock, run_file: Callable[..., Any]
) -> None:
    """A writer on this machine that is killed at once leaves no step running for ever; one elsewhere is not judged."""
    child = subprocess.Popen(["true"])
    child.wait()
    here = pid_namespace()
    assert here is not None
    run = run_file(clock=clock.now)
    run.add("build_started", after=0, pid=child.pid, pid_namespace=here)
    run.add("step_started", after=0, phase="p", step="s", pid=child.pid)
    other = run_file("other", clock=clock.now)
    other.add("step_started", after=0, phase="p", step="s", pid=child.pid, pid_namespace=here.replace("-", "x"))
    monitor.poll()
    liveness = Liveness(monitor)
    assert liveness.poll() == 0, "its own writer may still report the end"
    clock.now += GRACE_SECONDS + 1
    assert liveness.poll() == 1
    assert _state(monitor, "s") is StepState.INTERRUPTED
    elsewhere = monitor.tracker.builds["other"].current
    assert elsewhere is not None
    assert elsewhere.state is BuildState.RUNNING


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_build_whose_writer_is_gone_is_idle(
    monitor: Monitor, journal: Path, command: Callable[..., Any], tmp_path: Path, shell: str
) -> None:
    """A script that ends between two steps leaves a build that is idle since then at once, on page and `status`."""
    hook = command("hook").stdout.strip()
    script = f'. "{hook}"; be_start lfs; be_step p one true; printf x; read -r _'
    environment = {**os.environ, "BUILD_EXPORTER_JOURNAL": str(journal)}
    writer = subprocess.Popen(
        [shell, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=tmp_path
    )
    assert writer.stdout is not None
    assert writer.stdout.read(1) == b"x"
    monitor.clock = time.time
    liveness = Liveness(monitor)
    monitor.poll()
    liveness.poll()
    run = monitor.tracker.builds["lfs"].current
    assert run is not None
    assert idle_since(run, time.time()) is None, "its writer is there"
    writer.communicate()
    liveness.poll()
    assert idle_since(run, time.time()) == run.last_event
    assert "  idle since " in command("status", "--short", "--journal", str(journal)).stdout
    (row,) = builds(Service(monitor, Scrape(()), lambda: "").context()).builds
    assert row.idle_since == run.last_event


def test_a_killed_client_is_idle_for_status_alone(journal: Path, command: Callable[..., Any]) -> None:
    """`status` without an exporter shows a step whose process was killed as idle, not as running."""
    program = (
        "import os, signal\nfrom build_exporter.client import Operation\noperation = Operation('lfs')\n"
        "operation.start()\noperation.update('one')\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "BUILD_EXPORTER_JOURNAL": str(journal)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=False)
    assert "  idle since " in command("status", "--short", "--journal", str(journal)).stdout
