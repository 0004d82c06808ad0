"""Kinds process, command, disk and SQLite: what is on the machine itself."""

from __future__ import annotations

import os
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from behaving import Once


def test_process_counts_those_of_the_name(once: Once, tmp_path: Path) -> None:
    """As many as are wanted must run; one that has ended and is not waited for does not."""
    name = f"be{os.getpid()}"
    (tmp_path / name).symlink_to("/bin/sleep")
    running = [subprocess.Popen([str(tmp_path / name), "60"]) for _ in range(2)]
    try:
        found = once("process", name, processes=2)
        assert (found.reason, found.figures) == (None, {"processes": 2})
        running[0].kill()
        psutil.wait_procs([], 0)
        while psutil.Process(running[0].pid).status() != psutil.STATUS_ZOMBIE:
            pass
        short = once("process", name, processes=2)
        assert (short.reason, short.detail) == ("missing", "1 of 2 run")
    finally:
        for each in running:
            each.kill()
            each.wait()


@pytest.mark.parametrize(
    ("script", "reason", "detail"),
    [
        ("pass", None, ""),
        ("raise SystemExit(3)", "exit-code", "exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "exit-code", "signal 9"),
        ("print('x' * 10_000_000)", None, ""),
    ],
)
def test_command_is_judged_by_its_exit_code(once: Once, script: str, reason: str | None, detail: str) -> None:
    """Exit code 0 is up whatever it prints; another, or a signal, is down and named."""
    result = once("command", shlex.join([sys.executable, "-SIc", script]))
    assert (result.reason, result.detail) == (reason, detail)


def test_command_runs_without_shell_and_without_secrets(
    once: Once, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No word is expanded or redirected, and the exporter's environment stays its own."""
    monkeypatch.setenv("BUILD_TOKEN", "geheim")
    out = tmp_path / "out"
    script = f"import os, sys; open({str(out)!r}, 'w').write(repr((sys.argv[1:], sorted(os.environ))))"
    result = once("command", f"{shlex.join([sys.executable, '-SIc', script])} $HOME ; >x")
    assert result.reason is None
    words, names = eval(out.read_text())
    assert words == ["$HOME", ";", ">x"]
    assert set(names) <= {"PATH", "HOME", "LANG", "TZ", "LC_CTYPE"}
    assert once("command", "/no/such/program").reason == "missing"


def test_command_that_hangs_is_ended_with_what_it_started(
    once: Once, tmp_path: Path, poll: Callable[..., None]
) -> None:
    """After the timeout neither the command nor its children run on."""
    pid = tmp_path / "pid"
    result = once("command", f"sh -c 'sleep 60 & echo $! > {pid}; wait'", timeout=1.0)
    assert (result.reason, result.seconds) == ("timeout", 1.0)
    poll(lambda: not psutil.pid_exists(int(pid.read_text())), what="the child is ended")


def test_disk_is_written_to_and_nothing_stays(once: Once, tmp_path: Path) -> None:
    """The write and the sync are timed, the directory is as it was; one that is not there is missing."""
    result = once("disk", str(tmp_path))
    assert (result.reason, sorted(result.phases)) == (None, ["sync", "write"])
    assert list(tmp_path.iterdir()) == []
    assert once("disk", str(tmp_path / "none")).reason == "missing"
    assert once("disk", "/proc").reason == "missing"


def test_sqlite_file_is_read(once: Once, tmp_path: Path) -> None:
    """A database that can be read is up; one that is locked, damaged or not there is down, and none is made."""
    path = tmp_path / "a b.db"
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("CREATE TABLE t (x)")
        assert once("database", f"sqlite://{tmp_path}/a%20b.db").reason is None
        writer.execute("BEGIN EXCLUSIVE")
        assert once("database", f"sqlite://{tmp_path}/a%20b.db", timeout=0.3).reason == "timeout"
    path.write_bytes(b"no database at all, but text" * 100)
    damaged = once("database", f"sqlite://{tmp_path}/a%20b.db")
    assert (damaged.reason, damaged.detail) == ("error", "SQLITE_NOTADB")
    assert once("database", f"sqlite://{tmp_path}/none.db").reason == "missing"
    assert [each.name for each in tmp_path.iterdir()] == ["a b.db"]
