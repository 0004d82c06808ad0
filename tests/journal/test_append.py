"""Writing: many writers, a full disk, what is no line."""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from build_exporter.journal.append import LINE_LIMIT, Writer
from build_exporter.model.names import MAX_LINE_BYTES

WRITERS, LINES = 8, 500

WRITER = """
import os, sys
from build_exporter.journal.append import Writer
path, name, lines = sys.argv[1], sys.argv[2], int(sys.argv[3])
writer = Writer(path)
print("ready", flush=True)
sys.stdin.readline()
for number in range(lines):
    # from 40 bytes to more than a page, so that lines of all writers meet within pages
    writer.append(f'{{"writer":"{name}","number":{number},"text":"{name * (number * 37 % 5000)}"}}\\n'.encode())
    os.sched_yield()
"""

LIMITED = """
import resource, signal, sys
from build_exporter.journal.append import Writer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, most))
writer = Writer(sys.argv[1])
writer.append(b"x" * 79 + b"\\n")
for _ in range(2):
    try:
        writer.append(b"y" * 29 + b"\\n")
    except OSError as error:
        print(error.errno)
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
writer.append(b"z\\n")
"""


def test_many_writers_lose_and_tear_nothing(tmp_path: Path) -> None:
    """Eight processes that append to one run at the same time: every line is there, whole, each writer's in order."""
    path = tmp_path / "lfs" / "20260101T000000Z.jsonl"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), "abcdefgh"[number], str(LINES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(WRITERS)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    # one that starts while another's line is half seen begins with an empty line, which is nothing
    reported = [json.loads(line) for line in path.read_bytes().splitlines() if line]
    for name in "abcdefgh":
        assert [each["number"] for each in reported if each["writer"] == name] == list(range(LINES))
    order = "".join(each["writer"] for each in reported)
    assert len(order) == WRITERS * LINES
    # they did write side by side, not one after the other
    assert sum(one != other for one, other in itertools.pairwise(order)) > WRITERS


def test_what_does_not_fit_is_an_error_and_costs_only_itself(tmp_path: Path) -> None:
    """Where 20 of 30 bytes find room the build gets "no space left", and with room again no line is glued to them."""
    path = tmp_path / "run.jsonl"
    found = subprocess.run([sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=True)
    assert found.stdout.split() == [str(errno.ENOSPC), str(errno.EFBIG)]
    assert path.read_bytes() == b"x" * 79 + b"\n" + b"y" * 20 + b"\nz\n"


def test_a_line_torn_by_a_crash_costs_the_next_writer_nothing(tmp_path: Path) -> None:
    """A file that ends in half a line, after a power cut, gets its end before the first line of the next writer."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(b'{"whole":1}\n{"half":')
    for number in range(2):
        writer = Writer(str(path))
        writer.append(b'{"next":%d}\n' % number)
        writer.close()
    assert path.read_bytes() == b'{"whole":1}\n{"half":\n{"next":0}\n{"next":1}\n'


def test_a_line_torn_while_a_writer_waits_costs_it_nothing(tmp_path: Path) -> None:
    """A step's end is not glued to what a hook within the step could only half write on a full disk."""
    path = tmp_path / "run.jsonl"
    writer = Writer(str(path))
    writer.append(b'{"started":1}\n')
    with path.open("ab") as hook:
        hook.write(b'{"half":')
    writer.append(b'{"finished":1}\n')
    writer.close()
    assert path.read_bytes() == b'{"started":1}\n{"half":\n{"finished":1}\n'


def test_limits_of_writer_and_reader_are_one() -> None:
    """What a writer takes is what a reader takes, though the writer keeps its own number to start fast."""
    assert LINE_LIMIT == MAX_LINE_BYTES


@pytest.mark.parametrize(
    "line", [b"x" * LINE_LIMIT + b"\n", b"two\nlines\n", b"no end"], ids=["long", "two", "endless"]
)
def test_what_is_no_line_is_refused(tmp_path: Path, line: bytes) -> None:
    """A line too long for readers, two lines or half of one never reach the file."""
    writer = Writer(str(tmp_path / "b" / "run.jsonl"))
    with pytest.raises(ValueError, match="one line"):
        writer.append(line)
    assert not (tmp_path / "b").exists()


def test_the_longest_line_is_taken(tmp_path: Path) -> None:
    """A line of exactly the limit is written."""
    path = tmp_path / "run.jsonl"
    writer = Writer(str(path))
    line = b"x" * (LINE_LIMIT - 1) + b"\n"
    writer.append(line)
    writer.close()
    assert path.read_bytes() == line


def test_a_writer_continues_after_close(tmp_path: Path) -> None:
    """A closed writer opens the file again, also one removed in between, and appends."""
    path = tmp_path / "b" / "run.jsonl"
    writer = Writer(str(path))
    writer.append(b"1\n")
    writer.close()
    writer.append(b"2\n")
    writer.close()
    shutil.rmtree(path.parent)
    writer.append(b"3\n")
    writer.close()
    writer.close()
    assert path.read_bytes() == b"3\n"


@pytest.mark.timeout(10)
def test_a_fifo_in_place_of_a_run_does_not_hold_a_build_up(tmp_path: Path) -> None:
    """Appending to a named pipe that no one reads becomes an error, not a wait for ever."""
    path = tmp_path / "run.jsonl"
    os.mkfifo(path)
    writer = Writer(str(path))
    with pytest.raises(OSError, match="temporarily unavailable"):
        for _ in range(2000):
            writer.append(b"x" * 999 + b"\n")
    writer.close()


def test_errors_are_the_callers(journal: Path, note: Callable[..., bytes]) -> None:
    """A journal that can't be written raises, so that the caller decides to continue without it."""
    (journal / "lfs").write_text("a file where a directory should be")
    with pytest.raises(OSError, match="Not a directory"):
        Writer(str(journal / "lfs" / "20260101T000000Z.jsonl")).append(note())
