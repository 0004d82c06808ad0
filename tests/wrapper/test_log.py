"""The log is a copy of the output, and keeping it changes nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[bytes]]
Start = Callable[..., subprocess.Popen[bytes]]

SCRIPT = "i=0; while [ $i -lt 500 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done; exit 3"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the log goes."""
    return tmp_path / "step.log"


@pytest.fixture
def options(log: Path) -> tuple[str, ...]:
    """A step with a log."""
    return ("--build", "b", "--step", "s", "--log", str(log))


def test_both_streams_stay_apart_and_are_logged(run: Run, options: tuple[str, ...], log: Path) -> None:
    """Each stream arrives by itself as written; the log has every line of both, each stream's in its order."""
    done = run("sh", "-c", SCRIPT, options=options)
    assert done.returncode == 3
    assert done.stdout == b"".join(b"out %d\n" % n for n in range(500))
    assert done.stderr == b"".join(b"err %d\n" % n for n in range(500))
    lines = log.read_bytes().splitlines()
    assert len(lines) == 1000
    for word, stream in ((b"out", done.stdout), (b"err", done.stderr)):
        assert [line for line in lines if line.startswith(word)] == stream.splitlines()


def test_a_last_line_without_end_is_in_the_log(run: Run, options: tuple[str, ...], log: Path) -> None:
    """What a command prints last, as "Killed" without a newline, is in the log however soon the command ends."""
    for _ in range(5):
        assert run("printf", "one\ntwo", options=options).stdout == b"one\ntwo"
        assert log.read_bytes() == b"one\ntwo"


def test_lines_of_two_busy_streams(run: Run, options: tuple[str, ...], log: Path) -> None:
    """Streams that pour out at once do not cut each other's lines in the log."""
    counting = "seq -f 'a rather long line of output, number %%.0f of %s' 60000"
    done = run("sh", "-c", f"{counting % 'one'} & {counting % 'two'} >&2; wait", options=options)
    assert sorted(log.read_bytes().splitlines()) == sorted(done.stdout.splitlines() + done.stderr.splitlines())


def test_joined_streams_keep_their_order(run: Run, options: tuple[str, ...], log: Path) -> None:
    """With `2>&1` output and log are the same, line by line."""
    done = run(
        "sh", "-c", SCRIPT, options=options, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, capture_output=False
    )
    assert done.stdout.splitlines()[:4] == [b"out 0", b"err 0", b"out 1", b"err 1"]
    assert log.read_bytes() == done.stdout


def test_output_to_a_file(run: Run, options: tuple[str, ...], log: Path, tmp_path: Path) -> None:
    """Output appended to a file is appended, in full, with the log beside it."""
    target = tmp_path / "target"
    target.write_bytes(b"before\n")
    with target.open("ab") as file:
        run("sh", "-c", SCRIPT, options=options, stdout=file, stderr=file, capture_output=False)
    assert target.read_bytes() == b"before\n" + log.read_bytes()
    assert log.read_bytes().count(b"\n") == 1000


def test_output_arrives_while_the_command_runs(start: Start, options: tuple[str, ...]) -> None:
    """Output is not held back until the end: a prompt without a newline arrives at once."""
    process = start("sh", "-c", "printf 'name? '; read name; echo hello $name", options=options, stdin=subprocess.PIPE)
    assert process.stdout
    assert process.stdin
    assert os.read(process.stdout.fileno(), 100) == b"name? "
    process.stdin.write(b"me\n")
    process.stdin.close()
    assert process.stdout.read() == b"hello me\n"


def test_next_attempt_begins_the_log_anew(run: Run, options: tuple[str, ...], log: Path) -> None:
    """The log is that of the last attempt alone."""
    run("echo", "first attempt, which failed", options=options)
    run("echo", "second", options=options)
    assert log.read_bytes() == b"second\n"


def test_no_log_possible(run: Run, tmp_path: Path, events: Callable[..., list[dict[str, Any]]]) -> None:
    """Where the log can't be made, one line says so and the command runs; the journal does not name a log."""
    done = run("sh", "-c", "echo out; exit 3", options=("--build", "b", "--step", "s", "--log", f"{tmp_path}/no/log"))
    assert (done.returncode, done.stdout) == (3, b"out\n")
    expected = f"build-exporter run: log {tmp_path}/no/log: No such file or directory; going on without it\n"
    assert done.stderr.decode() == expected
    assert "log" not in events()[1]


def test_disk_full(run: Run) -> None:
    """A log that can be written no more costs one line, and not a byte of the output."""
    done = run("sh", "-c", SCRIPT, options=("--build", "b", "--step", "s", "--log", "/dev/full"))
    assert done.returncode == 3
    assert done.stdout.count(b"\n") == 500
    warning = b"build-exporter run: log /dev/full: No space left on device; going on without it\n"
    assert done.stderr.count(warning) == 1
    assert len(done.stderr.replace(warning, b"")) == len(b"".join(b"err %d\n" % n for n in range(500)))


def test_reader_of_one_stream_leaves(start: Start, options: tuple[str, ...], log: Path) -> None:
    """When standard output's reader leaves, the command gets SIGPIPE there while standard error continues."""
    script = "trap '' PIPE; echo ready; read x; echo lost || echo refused >&2; echo more >&2; exit 4"
    process = start("sh", "-c", script, options=options, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stdin
    assert process.stderr
    assert process.stdout.readline() == b"ready\n"
    process.stdout.close()
    process.stdin.write(b"\n" * 2)
    process.stdin.close()
    with process.stderr:
        assert process.stderr.read().endswith(b"more\n")
    assert process.wait(20) == 4
    assert log.read_bytes().endswith(b"more\n")


def test_process_left_behind(start: Start, options: tuple[str, ...], log: Path) -> None:
    """A daemon that keeps the output open does not hold the wrapper up; the command's own output is complete."""
    process = start("sh", "-c", "sleep 30 & seq 100000; echo last", options=options)
    assert process.stdout
    data = process.stdout.read()
    assert process.wait(20) == 0
    assert data.endswith(b"\nlast\n")
    assert log.read_bytes() == data
    assert data.count(b"\n") == 100001


def test_closed_streams(wrapper: list[str], environment: dict[str, str], options: tuple[str, ...], log: Path) -> None:
    """With standard output closed only standard error is copied, and the command finds the one closed."""
    program = f"{' '.join(wrapper + list(options))} -- sh -c 'test -e /proc/self/fd/1 || echo closed >&2' >&-"
    done = subprocess.run(["bash", "-c", program], env=environment, capture_output=True, check=True)
    assert done.stderr == log.read_bytes() == b"closed\n"


def test_output_that_takes_nothing_for_now(run: Run, options: tuple[str, ...], log: Path) -> None:
    """An output that someone set non-blocking loses nothing when it is full."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    counting = "import sys, time; time.sleep(0.5); print(len(sys.stdin.buffer.read()))"
    with subprocess.Popen([sys.executable, "-c", counting], stdin=reading, stdout=subprocess.PIPE) as reader:
        os.close(reading)
        words = ("sh", "-c", "seq 100000")
        done = run(*words, options=options, stdout=writing, stderr=subprocess.DEVNULL, capture_output=False)
        os.close(writing)
        assert done.returncode == 0
        assert reader.stdout
        assert int(reader.stdout.read()) == log.stat().st_size == 588895
