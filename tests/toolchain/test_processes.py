"""Facts from a build's processes, and what is not read."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.toolchain.processes import Processes, ProcessFacts

Start = Callable[..., subprocess.Popen[bytes]]


def asked(pid: int, owner: int | None = None) -> ProcessFacts:
    """Return what the tree of a process shows at once."""
    processes = Processes()
    processes.refresh()
    return processes.facts_of([pid], owner)


def test_the_variables_of_a_build_are_read_and_no_others(process: Start, poll: Callable[..., None]) -> None:
    """Where things are and what is built for is taken from the environment; passwords in it are not touched."""
    started = process(LFS="/mnt/lfs", LFS_TGT="x86_64-lfs-linux-gnu", API_TOKEN="secret", MAKEFLAGS="-j6")
    poll(lambda: asked(started.pid).target is not None, what="the process has its environment")
    reported = asked(started.pid)
    assert reported.variables == {"LFS": "/mnt/lfs", "LFS_TGT": "x86_64-lfs-linux-gnu", "MAKEFLAGS": "-j6"}
    assert (reported.target, reported.jobs, reported.owner) == ("x86_64-lfs-linux-gnu", 6, os.geteuid())


@pytest.mark.parametrize(
    ("variables", "target"),
    [
        ({"CROSS_COMPILE": "aarch64-linux-gnu-"}, "aarch64-linux-gnu"),
        ({"CROSS_COMPILE": "/opt/x-tools/bin/arm-none-linux-gnueabihf-"}, "arm-none-linux-gnueabihf"),
        ({"CHOST": "x86_64-pc-linux-gnu", "CTARGET": "riscv64-unknown-linux-gnu"}, "riscv64-unknown-linux-gnu"),
        ({"CHOST": "x86_64-pc-linux-gnu"}, "x86_64-pc-linux-gnu"),
        ({"CC": "ccache i686-linux-gnu-gcc -m32"}, "i686-linux-gnu"),
        ({"CC": "gcc"}, None),
        ({"LFS_TGT": "$(uname -m)-lfs-linux-gnu"}, None),
        ({"LFS_TGT": 'a-b-"} 1\nbuild_up{x="'}, None),
    ],
)
def test_the_target_is_what_the_variables_name(
    process: Start, poll: Callable[..., None], variables: dict[str, str], target: str | None
) -> None:
    """The triplet comes from the most particular of the variables; what is none never becomes a label."""
    started = process(**variables)
    poll(lambda: asked(started.pid).variables != {}, what="the process has its environment")
    assert asked(started.pid).target == target


def test_the_j_of_a_real_make_is_seen(process: Start, poll: Callable[..., None], tmp_path: Path) -> None:
    """The -j of a make is found on its command line and in what it passes to its children."""
    (tmp_path / "Makefile").write_text("all:\n\t+$(MAKE) -C . below\nbelow:\n\tsleep 600\n")
    started = process("sh", "-c", f"make -s -j7 -C {tmp_path}; :")
    poll(lambda: asked(started.pid).jobs is not None, what="make runs")
    assert asked(started.pid).jobs == 7
    plain = process("sh", "-c", f"make -s -C {tmp_path} below; :")
    poll(lambda: "make" in _names(plain.pid), what="the other make runs")
    assert asked(plain.pid).jobs is None


def _names(pid: int) -> set[str]:
    listed = subprocess.run(["ps", "-o", "comm=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return set(listed.stdout.split())


def test_a_variable_set_below_the_step_is_found(process: Start, poll: Callable[..., None]) -> None:
    """A step that sets its variables itself shows them by the processes that it starts."""
    started = process("sh", "-c", "CROSS_COMPILE=aarch64-linux-gnu- sleep 600 & wait")
    poll(lambda: asked(started.pid).target == "aarch64-linux-gnu", what="the process below has its environment")


def test_the_helpers_of_compilers_are_seen(process: Start, poll: Callable[..., None]) -> None:
    """That a build uses ccache or distcc shows in its variables."""
    started = process(CC="ccache gcc", DISTCC_DIR="/tmp/d")
    poll(lambda: asked(started.pid).helpers == {"ccache", "distcc"}, what="both are seen")
    assert not asked(process().pid).helpers


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change its root directory and its user")
def test_the_root_of_a_chroot_is_found(process: Start, poll: Callable[..., None], tmp_path: Path) -> None:
    """A step in the chroot of a new system has its tools there, though no variable says where that is."""
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("busybox is not installed")
    (tmp_path / "bin").mkdir()
    shutil.copy(busybox, tmp_path / "bin/busybox")
    started = process("chroot", str(tmp_path), "/bin/busybox", "sleep", "600")
    poll(lambda: asked(started.pid).root is not None, what="the process is in its chroot")
    reported = asked(started.pid)
    assert reported.root is not None
    assert (reported.root.resolve(), reported.is_contained) == (tmp_path.resolve(), False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change its root directory and its user")
def test_anothers_processes_are_not_asked_for_a_user(process: Start, poll: Callable[..., None]) -> None:
    """Who writes an event with the pid of root's process learns nothing of its environment."""
    started = process(LFS="/root/secret-place")
    poll(lambda: asked(started.pid).variables != {}, what="the process has its environment")
    assert asked(started.pid, owner=65534).variables == {}


def test_a_process_that_is_gone_shows_nothing() -> None:
    """Pids out of an event may be anything."""
    gone = subprocess.Popen(["true"])
    gone.wait(10)
    for pid in (gone.pid, 0, 2**31, 10**18):
        assert asked(pid).variables == {}


def test_the_machines_own_init_is_no_step(tmp_path: Path) -> None:
    """A step in a container shows its pid there, 1 as a rule: on the machine that is not the build."""
    reported = _pretend(tmp_path, 1, ["init"], {"LFS": "/mnt/lfs"})
    assert reported.variables == {"LFS": "/mnt/lfs"}, "in a container of its own the exporter sees the build as 1"
    (tmp_path / "2").mkdir()
    (tmp_path / "2/stat").write_text("2 (kthreadd) S 0 0")
    processes = Processes(str(tmp_path))
    processes.refresh()
    assert processes.facts_of([1, 2], None).variables == {}


def test_a_crowd_of_processes_costs_little(process: Start, poll: Callable[..., None]) -> None:
    """Of a tree of many processes some are asked, the root among them."""
    started = process("sh", "-c", "for i in $(seq 150); do sleep 600 & done; wait", LFS="/mnt/lfs")
    poll(lambda: len(_names_all(started.pid)) >= 150, what="they run")
    assert asked(started.pid).variables["LFS"] == "/mnt/lfs"


def _names_all(pid: int) -> list[str]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return listed.stdout.split()


def test_what_make_says_of_jobs_is_understood(tmp_path: Path) -> None:
    """All the ways in which makes and their like spell -j, in `/proc` as the kernel shows it."""
    reported: dict[str, int | None] = {}
    spelled: dict[str, tuple[list[str], dict[str, str]]] = {
        "exported": (["sh"], {"MAKEFLAGS": "-j4"}),
        "passed on": (["sh"], {"MAKEFLAGS": "kw -j5 --jobserver-auth=fifo:/tmp/x -- CFLAGS=-j99"}),
        "without number": (["sh"], {"MAKEFLAGS": "w -j --jobserver-fds=3,4"}),
        "Portage": (["sh"], {"MAKEOPTS": "-j 8 -l 9"}),
        "LFS's ninja": (["sh"], {"NINJAJOBS": "3"}),
        "in a cluster": (["/usr/bin/make", "-kj2", "all"], {}),
        "a long word": (["cmake", "--build", ".", "--parallel", "6"], {}),
        "ninja": (["ninja", "-C", "out", "-j10"], {}),
        "overridden": (["make", "-j9", "-j1"], {}),
        "a target": (["make", "j4"], {}),
        "another program": (["tar", "-j4"], {}),
        "too many": (["make", "-j99999"], {}),
    }
    for number, (name, (arguments, variables)) in enumerate(spelled.items(), start=1):
        reported[name] = _pretend(tmp_path, number, arguments, variables).jobs
    assert reported == {
        "exported": 4,
        "passed on": 5,
        "without number": None,
        "Portage": 8,
        "LFS's ninja": 3,
        "in a cluster": 2,
        "a long word": 6,
        "ninja": 10,
        "overridden": 1,
        "a target": None,
        "another program": None,
        "too many": None,
    }


def _pretend(proc: Path, pid: int, arguments: list[str], variables: dict[str, Any]) -> ProcessFacts:
    """Ask a process that only a directory like that of the kernel reports."""
    place = proc / str(pid)
    place.mkdir()
    (proc / "self").mkdir(exist_ok=True)
    for each in (place, proc / "self"):
        if not (each / "root").is_symlink():
            (each / "root").symlink_to("/")
    (place / "exe").symlink_to(f"/usr/bin/{arguments[0]}")
    (place / "stat").write_text(f"{pid} (a ) b) S 1 {pid}")
    (place / "cmdline").write_bytes(b"".join(each.encode() + b"\0" for each in arguments))
    (place / "environ").write_bytes(b"".join(f"{key}={value}\0".encode() for key, value in variables.items()))
    processes = Processes(str(proc))
    processes.refresh()
    return processes.facts_of([pid], None)
