"""What is recorded about builds on this machine, and when."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.model.events import MAX_TOOLS, ToolVersion
from build_exporter.sources.protocol import BuildContext
from build_exporter.toolchain.survey import merged
from build_exporter.toolchain.surveyor import SETTLED_SECONDS

Make = Callable[..., Any]


def settle(building: Any, build: str = "lfs") -> None:
    """Look until a process has the environment that it was started with, and its build's target is known."""
    end = time.monotonic() + 20
    while True:
        building.poll()
        if building.run(build).toolchain is not None and building.toolchain(build).target is not None:
            return
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_build_of_lfs_is_followed_through_its_compilers(
    building: Any, process: Make, build_run: Make, linux_from_scratch: Make
) -> None:
    """Host, cross and the new system's own tools are reported as they come, and the cross ones stay when removed."""
    lfs = linux_from_scratch()
    run = build_run(process(LFS=str(lfs.top), LFS_TGT=lfs.triplet, MAKEFLAGS="-j3").pid)
    settle(building)
    first = building.toolchain()
    assert (first.target, first.jobs) == (lfs.triplet, 3)
    assert {role for role, _ in building.tools()} == {"host"}
    stages = [
        (lfs.binutils_pass1, ("cross", "binutils")),
        (lfs.gcc_pass1, ("cross", "gcc")),
        (lfs.glibc, ("target", "glibc")),
        (lfs.gcc_pass2, ("target", "gcc")),
    ]
    for number, (install, expected) in enumerate(stages):
        assert expected not in building.tools()
        install()
        run.add("step_finished", phase="chapter-6", step=f"step-{number}", status="succeeded")
        assert building.poll() == 1, install
        assert expected in building.tools()
    lfs.remove_tools()
    run.add("step_finished", phase="chapter-7", step="cleanup", status="succeeded")
    building.poll()
    assert building.tools()["cross", "gcc"] == "14.2.0"
    assert building.toolchain().host == first.host


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may enter a chroot")
def test_steps_in_the_chroot_of_the_new_system_have_its_tools(
    building: Any, process: Make, build_run: Make, linux_from_scratch: Make, poll: Callable[..., None]
) -> None:
    """From chapter 7 on no variable says where the new system is: the steps' root directory does."""
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("busybox is not installed")
    lfs = linux_from_scratch()
    lfs.glibc()
    lfs.gcc_pass2()
    shutil.copy(busybox, lfs.top / "usr/bin/busybox")
    build_run(process("chroot", str(lfs.top), "/bin/busybox", "sleep", "600").pid)

    def found() -> bool:
        building.poll(601.0)
        known = building.run().toolchain
        return known is not None and any(tool.role == "target" for tool in known.tools or ())

    poll(found, what="the step is in its chroot and its tools are found")
    assert {
        ("target", "gcc"),
        ("target", "glibc"),
        ("target", "binutils"),
        ("target", "make"),
    } <= building.tools().keys()


def test_what_the_last_step_installed_is_reported_after_the_end(
    building: Any, process: Make, build_run: Make, linux_from_scratch: Make
) -> None:
    """A build that ends with the step that installs its compiler has that compiler."""
    lfs = linux_from_scratch()
    run = build_run(process(LFS=str(lfs.top), LFS_TGT=lfs.triplet).pid)
    settle(building)
    lfs.gcc_pass1()
    run.add("step_finished", phase="chapter-5", step="502-gcc-pass1", status="succeeded")
    run.add("build_finished", after=0.0, status="succeeded")
    assert building.poll() == 1
    assert building.tools()["cross", "gcc"] == "14.2.0"
    assert building.run().status == "succeeded"
    assert building.poll(60.0) == 0


def test_nothing_is_recorded_twice(building: Any, process: Make, build_run: Make, linux_from_scratch: Make) -> None:
    """An hour of looking, and another start of the exporter, add nothing to the journal while nothing changes."""
    lfs = linux_from_scratch()
    lfs.binutils_pass1()
    build_run(process(LFS=str(lfs.top), LFS_TGT=lfs.triplet).pid)
    settle(building)
    before = building.path().read_bytes()
    assert sum(building.poll(60.0) for _ in range(60)) == 0
    building.surveyor = building.new_surveyor()
    assert building.poll() == 0
    assert building.path().read_bytes() == before


def test_builds_for_several_targets_stand_side_by_side(
    building: Any, process: Make, build_run: Make, linux_from_scratch: Make, cross_compiler: str
) -> None:
    """Each build has its own target, tools and -j, whatever the others have."""
    lfs = linux_from_scratch()
    lfs.binutils_pass1()
    build_run(process(LFS=str(lfs.top), LFS_TGT=lfs.triplet, MAKEFLAGS="-j2").pid, "lfs")
    build_run(process(CROSS_COMPILE=f"{cross_compiler}-", MAKEFLAGS="-j5").pid, "kernel")
    build_run(process(MAKEFLAGS="-j9").pid, "native")
    settle(building, "lfs")
    settle(building, "kernel")
    assert building.toolchain("lfs").target == lfs.triplet
    assert ("cross", "gcc") not in building.tools("lfs")
    assert building.toolchain("kernel").target == cross_compiler
    assert {("cross", "gcc"), ("cross", "binutils"), ("target", "glibc")} <= building.tools("kernel").keys()
    assert building.toolchain("native").target is None
    assert {role for role, _ in building.tools("native")} == {"host"}
    assert [building.run(name).jobs_used for name in ("lfs", "kernel", "native")] == [2, 5, 9]


def test_a_source_shows_where_its_build_is(building: Any, run_file: Make, linux_from_scratch: Make) -> None:
    """A build watched from outside has no pids in its events: its source knows the directories."""
    lfs = linux_from_scratch()
    lfs.gcc_pass1()
    run = run_file("watched", clock=time.time())
    run.add("build_started", after=0.0)
    run.add("step_started", phase="chapter-5", step="503", after=0.0)
    assert building.poll() == 0, "nothing says that it is here"
    building.around = {"watched": BuildContext(new_system=lfs.top)}
    assert building.poll() == 1
    assert building.tools("watched")["cross", "gcc"] == "14.2.0"
    assert building.toolchain("watched").target == lfs.triplet
    building.around = {"watched": BuildContext(cross_tools=lfs.top / "tools")}
    assert ("cross", "gcc") in building.tools("watched")


def test_a_build_of_another_machine_is_left_alone(building: Any, run_file: Make) -> None:
    """Events that came from elsewhere name pids of there: no process of this machine is taken for a step's."""
    run = run_file("elsewhere", clock=time.time() - 86400)
    run.add("build_started", after=0.0)
    # this process is younger than that step
    run.add("step_started", after=0.0, phase="p", step="s", pid=os.getpid())
    assert building.poll() == 0
    assert building.run("elsewhere").toolchain is None


def test_what_the_exporter_shows_is_no_sign_of_life(building: Any, process: Make, build_run: Make) -> None:
    """A build that hangs is seen to hang, though its tools are reported meanwhile."""
    build_run(process(LFS_TGT="x86_64-lfs-linux-gnu").pid)
    last = building.run().last_event
    settle(building)
    assert building.run().last_event == last


def test_a_single_small_step_does_not_change_the_j_of_a_run(building: Any, process: Make, build_run: Make) -> None:
    """`make -j1 install` between others is not what the run is built with; what lasts is."""
    run = build_run(process(LFS_TGT="x86_64-lfs-linux-gnu", MAKEFLAGS="-j4").pid)
    settle(building)
    assert building.run().jobs_used == 4
    run.add("step_finished", phase="chapter-5", step="502-gcc-pass1", status="succeeded")
    run.clock = time.time()
    run.add(
        "step_started",
        after=0.0,
        phase="chapter-5",
        step="503",
        pid=process(LFS_TGT="x86_64-lfs-linux-gnu", MAKEFLAGS="-j1").pid,
    )
    building.poll()
    building.poll()
    assert building.run().jobs_used == 4
    building.poll(SETTLED_SECONDS)
    assert building.run().jobs_used == 1


def test_a_tree_full_of_oddities_costs_one_build_its_own_tools_alone(
    building: Any, process: Make, build_run: Make, tmp_path: Path
) -> None:
    """FIFOs, loops and links to elsewhere in one build's directory are survived, and the other build is reported."""
    odd = tmp_path / "odd"
    (odd / "tools").mkdir(parents=True)
    (odd / "usr").symlink_to("usr")
    (odd / "lib").symlink_to("/proc/self/root/proc/self/root")
    os.mkfifo(odd / "tools/bin")
    (odd / "tools/lib").symlink_to("..")
    build_run(process(LFS=str(odd), LFS_TGT="x86_64-odd-linux-gnu").pid, "odd")
    build_run(process(LFS_TGT="x86_64-lfs-linux-gnu").pid, "even")
    settle(building, "odd")
    settle(building, "even")
    assert {role for role, _ in building.tools("odd")} == {"host"}


@pytest.mark.parametrize("lfs", ["", "/", "relative", "/nowhere/at/all", "/tmp/../etc", "/dev/null"])
def test_a_strange_lfs_is_no_place(building: Any, process: Make, build_run: Make, lfs: str) -> None:
    """A variable that names no directory of a new system is as if it were not there."""
    build_run(process(LFS=lfs, LFS_TGT="x86_64-lfs-linux-gnu").pid)
    settle(building)
    assert {role for role, _ in building.tools()} == {"host"}


def test_a_journal_that_cant_be_written_ends_nothing(building: Any, process: Make, build_run: Make) -> None:
    """A run's file that is gone again costs its own events."""
    build_run(process(LFS_TGT="x86_64-lfs-linux-gnu").pid)
    building.monitor.poll()
    shutil.rmtree(building.path().parent)
    building.now += 5
    building.surveyor.poll()
    assert not (building.journal / "lfs").exists()


def test_the_tools_of_one_run_are_bounded() -> None:
    """However many tools come and go in a run, an event holds so many, and what was found last counts."""
    old = [ToolVersion(tool="gcc", version="1", role="cross", target=f"t{number}-a-b") for number in range(200)]
    assert len(merged(old, [])) == MAX_TOOLS
    host = ToolVersion(tool="gcc", version="12.2.0", role="host", target="x")
    assert merged([host], [ToolVersion(tool="gcc", version="13.1.0", role="host", target="x")])[0].version == "13.1.0"
    later = ToolVersion(tool="glibc", version="2.40", role="target", target="x86_64-pc-linux-gnu")
    temporary = ToolVersion(tool="glibc", version="2.40", role="target", target="x86_64-lfs-linux-gnu")
    assert merged([temporary], [later]) == [later]
    unknown = ToolVersion(tool="glibc", version="2.40", role="target")
    named = ToolVersion(tool="glibc", version="2.40", role="target", target="x86_64-lfs-linux-gnu")
    assert merged([unknown], [named]) == [named]


def test_a_clock_set_back_does_not_hide_a_new_tool_of_the_system(
    building: Any, process: Make, build_run: Make, linux_from_scratch: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an hour less by the wall clock, and however long a search takes, one comes every ten minutes."""
    monkeypatch.setattr("build_exporter.toolchain.surveyor.SYSTEM_RATIO", 1e12)
    new = linux_from_scratch()
    building.surveyor = building.new_surveyor(system=new.top)
    run = build_run(process().pid)
    building.poll()
    assert ("host", "make") not in building.tools()
    new.gcc_pass2()
    building.now -= 3600.0
    run.add("step_finished", phase="chapter-5", step="x", status="succeeded")
    building.poll(600.0)
    assert ("host", "make") in building.tools()
    new.glibc()
    building.poll(599.0)
    assert ("host", "glibc") not in building.tools()
    building.poll(1.0)
    assert ("host", "glibc") in building.tools()
