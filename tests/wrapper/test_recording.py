"""The journal of a wrapped command: times, CPU, memory and I/O of all its processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[bytes]]
Read = Callable[..., list[dict[str, Any]]]
Finished = Callable[..., dict[str, Any]]

MIB = 1024 * 1024


def test_step(run: Run, events: Read, tmp_path: Path) -> None:
    """A step's two events carry its name, package, version, log, the command's own pid and its figures."""
    options = (
        "--build", "lfs-12.4", "--phase", "chapter-8", "--step", "861-gcc", "--package", "gcc", "--version=15.2.0",
        "--log", "gcc.log", "--target", "x86_64-lfs-linux-gnu", "--jobs", "4",
    )  # fmt: skip
    before = time.time()
    pid = int(run("sh", "-c", "echo $$; sleep 0.2", options=options, cwd=tmp_path).stdout)
    begun, started, finished = events("lfs-12.4")
    assert [begun[name] for name in ("event", "source", "target", "jobs")] == [
        "build_started", "run", "x86_64-lfs-linux-gnu", 4,
    ]  # fmt: skip
    assert begun["run"] + ".jsonl" == begun["file"]
    assert [started[name] for name in ("event", "phase", "step", "package", "version", "pid", "log")] == [
        "step_started", "chapter-8", "861-gcc", "gcc", "15.2.0", pid, str(tmp_path / "gcc.log"),
    ]  # fmt: skip
    assert [finished[name] for name in ("event", "phase", "step", "status", "exit_code")] == [
        "step_finished", "chapter-8", "861-gcc", "succeeded", 0,
    ]  # fmt: skip
    assert 0.2 <= finished["seconds"] <= finished["time"] - started["time"] + 0.001
    assert before <= begun["time"] <= started["time"] < finished["time"] <= time.time()
    assert "signal" not in finished


def test_names_left_out(run: Run, events: Read) -> None:
    """A step is named by its command and lies in the phase "build" unless said otherwise."""
    run("/bin/true", options=("--build", "b", "--phase", "p"))
    run("/bin/true", options=("--build", "b", "--step", "s", "--package", ""))
    reported = [(event["phase"], event["step"]) for event in events() if event["event"] == "step_started"]
    assert reported == [("p", "true"), ("build", "s")]
    assert not any("package" in event for event in events())


def test_step_is_in_the_journal_before_the_command_runs(events: Read, journal: Path) -> None:
    """However slow the journal, the command finds its step already started: events of hooks within come after it."""
    program = """
import sys, time
from build_exporter import __main__
from build_exporter.wrapper import record
append = record.Writer.append_lines
record.Writer.append_lines = lambda self, lines: time.sleep(0.3) or append(self, lines)
sys.argv[1:] = ["run", "--build", "b", "--step", "s", "--", "sh", "-c", 'tail -n 1 "$BUILD_EXPORTER_RUN_FILE"']
__main__.main()
"""
    environment = {**os.environ, "BUILD_EXPORTER_JOURNAL": str(journal)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment, check=True)
    assert b'"event":"step_started"' in done.stdout
    assert events()[-1]["seconds"] < 0.3


def test_names_of_any_bytes(run: Run, events: Read) -> None:
    """Quotes, newlines, control characters, other scripts and bytes that are no UTF-8 keep the line valid."""
    name = 'a"b\\c\nd\te\x1b[31m 中 ' + b"\xff\xfe".decode("utf-8", "surrogateescape")
    run("true", options=("--build", "b", "--step", name, "--version", name))
    started = events()[1]
    assert (
        started["step"]
        == started["version"]
        == 'a"b\\c\nd\te\x1b[31m 中 \N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}'
    )


def test_cpu_of_the_whole_tree(run: Run, finished: Finished, tmp_path: Path) -> None:
    """CPU seconds are those of all the command's descendants together: here of two that run side by side."""
    script = tmp_path / "burn.py"
    script.write_text("import time\nwhile time.process_time() < 0.5: pass\n")
    burn = f"{sys.executable} {script}"
    run("sh", "-c", f"sh -c '{burn}; true' & {burn}; wait; true")
    assert 1.0 <= finished()["cpu_seconds"] < 2.0


@pytest.mark.parametrize("log", [False, True], ids=["plain", "logged"])
def test_memory_of_a_tree(run: Run, finished: Finished, tmp_path: Path, log: bool) -> None:
    """Three processes of 60 MB at once make a peak of at least 180 MB, which no single one of them has."""
    script = tmp_path / "allocate.py"
    script.write_text("import time\nheld = b'x' * 60_000_000\ntime.sleep(1)\n")
    allocate = f"{sys.executable} {script}"
    options = ("--build", "b", "--step", "s", *(("--log", str(tmp_path / "log")) if log else ()))
    run("sh", "-c", f"{allocate} & {allocate} & (sh -c '{allocate}; true'); wait", options=options)
    assert 180_000_000 <= finished()["max_rss_bytes"] < 300_000_000


def test_memory_between_two_looks(run: Run, finished: Finished) -> None:
    """A process too short-lived to be sampled still counts: the kernel remembers the largest of all."""
    run("sh", "-c", f"sleep 0.6; {sys.executable} -c 'b\"x\" * 80_000_000'; sleep 0.1")
    assert finished()["max_rss_bytes"] >= 80_000_000


def test_memory_without_the_kernel_s_lists_of_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel is built without them, the tree is found by every process's parent: the same sum."""
    from build_exporter.wrapper import resources  # noqa: PLC0415

    allocate = "import time; held = b'x' * 30_000_000; print('held', flush=True); time.sleep(60)"
    command = [sys.executable, "-c", allocate]
    program = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    with subprocess.Popen([sys.executable, "-c", program, *command], stdout=subprocess.PIPE, process_group=0) as tree:
        try:
            assert tree.stdout
            assert tree.stdout.readline() == b"held\n"
            listed = resources.MemoryPeak(tree.pid)
            listed.sample()
            monkeypatch.setattr(os, "access", lambda *_: False)
            walked = resources.MemoryPeak(tree.pid)
            walked.sample()
        finally:
            os.killpg(tree.pid, signal.SIGKILL)
    assert listed.bytes > 40_000_000
    assert walked.bytes == pytest.approx(listed.bytes, rel=0.05)


@pytest.mark.parametrize("log", [False, True], ids=["plain", "logged"])
def test_written_bytes(run: Run, finished: Finished, tmp_path: Path, log: bool) -> None:
    """What a process deep in the tree writes to storage is counted; a copy of the output kept by the wrapper is not."""
    options = ("--build", "b", "--step", "s", *(("--log", str(tmp_path / "log")) if log else ()))
    write = f"dd if=/dev/zero of={tmp_path}/data bs=1M count=16 conv=fsync status=none"
    show = "dd if=/dev/zero bs=1M count=8 status=none | tr '\\0' x"
    run("sh", "-c", f"sh -c '{write}; true'; {show}", options=options)
    if not finished()["written_bytes"] and _is_in_memory(tmp_path):
        pytest.skip("a file system in memory has no storage behind it")
    assert 16 * MIB <= finished()["written_bytes"] < 18 * MIB


def test_read_bytes(run: Run, finished: Finished, tmp_path: Path) -> None:
    """What is read from storage, past the page cache, is counted."""
    data = tmp_path / "data"
    data.write_bytes(b"x" * 8 * MIB)
    read = f"dd if={data} of=/dev/null bs=1M iflag=direct status=none"
    if subprocess.run(["sh", "-c", f"sync {data}; {read}"], check=False, capture_output=True).returncode:
        pytest.skip("this file system reads through the page cache alone")
    run("sh", "-c", f"sh -c '{read}; true'; true")
    assert 8 * MIB <= finished()["read_bytes"] < 12 * MIB


def _is_in_memory(path: Path) -> bool:
    return subprocess.run(["stat", "-f", "-c", "%T", path], check=True, capture_output=True).stdout == b"tmpfs\n"


def test_only_what_is_needed_is_loaded_before_the_command(run: Run, wrapper: list[str]) -> None:
    """The start stays quick: nothing but the wrapper's few modules is loaded when the command begins."""
    show = """
import os, sys
from build_exporter import __main__
os.fork = lambda: print(*sys.modules, flush=True) or os._exit(0)
sys.argv[1:] = ["run", "--build", "b", "--step", "s", "--", "true"]
__main__.main()
"""
    base = subprocess.run([sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, check=True)
    done = run(sys.executable, "-c", show)
    extra = set(done.stdout.decode().split()) - set(base.stdout.decode().split())
    assert {name for name in extra if not name.startswith("build_exporter")} <= {
        "__future__",
        "_signal",
        "errno",
        "fcntl",
    }, extra
    assert "build_exporter.wrapper.launch" in extra
    assert not {name for name in extra if name.startswith(("build_exporter.model", "build_exporter.cli"))}


@pytest.mark.parametrize("log", ["", "'--log', 'log', "], ids=["plain", "logged"])
def test_fault_of_the_wrapper(run: Run, events: Read, log: str, tmp_path: Path) -> None:
    """Should measuring fail in a way no one thought of, the command runs to its end and its code is returned."""
    program = f"""
import sys
from build_exporter import __main__
from build_exporter.wrapper import resources
resources.MemoryPeak.sample = lambda self: 1 / 0
sys.argv[1:] = ["run", "--build", "b", "--step", "s", {log}"--", "sh", "-c", "sleep 0.1; echo out; exit 7"]
__main__.main()
"""
    words = [sys.executable, "-c", program]
    journal = {"BUILD_EXPORTER_JOURNAL": str(tmp_path / "journal")}
    done = subprocess.run(words, capture_output=True, check=False, cwd=tmp_path, env={**os.environ, **journal})
    assert (done.returncode, done.stdout) == (7, b"out\n")
    assert done.stderr.count(b"\n") == 1
    assert b"ZeroDivisionError" in done.stderr
    assert events()[-1]["exit_code"] == 7
