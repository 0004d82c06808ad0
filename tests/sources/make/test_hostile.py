"""What damages or attacks a console log is survived, and costs little."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build_exporter.journal.layout import run_path, runs
from build_exporter.sources.attach import Attachment, read_run
from build_exporter.sources.make.limits import MAX_STEPS
from build_exporter.sources.make.source import Make
from build_exporter.sources.protocol import Settings, SourceError
from build_exporter.tracker import Run

PIECES = (
    "make[1]: Entering directory '/p/a'\n", "make[1]: Leaving directory '/p/a'\n", "make: *** [x] Error 2\n",
    "make[1]: *** [Makefile:1: x] Error 1\n", "[ 50%] Building C object x\n", "[7/20] Linking x\n", "gcc -c x.c\n",
    "checking for gcc... gcc\n", "PASS: x\n", "Making install in x\n", "  CC      a/b.o\n", "\r", "\x1b[1m", "\0",
    "Script started on 2026-01-02 03:04:05+00:00 [x]\n", "Script done on 2026-01-02 03:04:05+00:00\n",
    "make[1]: [x] Error 1 (ignored)\n", "2026-01-02T03:04:05Z ", "ninja: build stopped: subcommand failed.\n",
)  # fmt: skip


@given(parts=st.lists(st.one_of(st.sampled_from(PIECES).map(str.encode), st.binary(max_size=60)), max_size=60))
def test_anything_is_survived(
    tmp_path_factory: pytest.TempPathFactory, same_state: Callable[[Run], Any], parts: list[bytes]
) -> None:
    """Whatever bytes and lines in whatever order: no traceback, and reading them again changes nothing."""
    directory = tmp_path_factory.mktemp("hostile")
    log, journal = directory / "x.log", str(directory / "journal")
    log.write_bytes(b"".join(parts))
    found = []
    for _ in range(2):
        attachment = Attachment(Make(Settings(log, "b")), journal)
        attachment.poll(time.time(), over=True)
        attachment.close()
        found.append([same_state(read_run(run_path(journal, "b", name), "b", name)) for name in runs(journal, "b")])
    assert found[0] == found[1]


def test_steps_are_bounded(console: Callable[[str], Run]) -> None:
    """A log that names ten thousand directories makes a bounded number of steps, the rest of them one."""
    text = "".join(
        f"make[1]: Entering directory '/p/d{n}'\ngcc -c x.c\nmake[1]: Leaving directory '/p/d{n}'\n  CC      f{n}/x.o\n"
        for n in range(10_000)
    )
    run = console("make[1]: Entering directory '/p'\n" + text)
    assert len(run.steps) <= MAX_STEPS + 1
    assert ("build", "others") in run.steps


def test_names_are_plain(console: Callable[[str], Run]) -> None:
    """Directories with escapes, control characters and endless names become short, plain step names."""
    path = "/p/\x1b[31mred\x1b[0m\x07\u202e" + "x" * 3000
    run = console(f"make[1]: Entering directory '/p'\nmake[2]: Entering directory '{path}'\ngcc -c x.c\n")
    names = [name for _, name in run.steps]
    assert names
    assert all(name.isprintable() and len(name) <= 200 for name in names)


def test_damaged_files(tmp_path: Path, follow: Callable[..., Any]) -> None:
    """Garbage, an endless line, two gigabytes of nothing, a circle of links, a directory: survived, and gone on."""
    log = tmp_path / "x.log"
    follower = follow(log)
    good = b"gcc -c x.c\nmake[1]: Entering directory '/p/a'\n"
    log.write_bytes(os.urandom(300_000) + b"\n" + good + b"x" * 9_000_000 + b"\ngcc -c y.c\n" + b"gcc -c tor")
    follower.poll()
    assert ("build", "make") in follower.newest.steps
    with log.open("wb") as file:
        file.truncate(2 << 30)
    began = time.monotonic()
    follower.poll()
    assert time.monotonic() - began < 60
    log.unlink()
    log.symlink_to(log)
    with pytest.raises(SourceError):
        follower.poll()
    log.unlink()
    log.mkdir()
    with pytest.raises(SourceError, match="not a regular file"):
        follower.poll()
    log.rmdir()
    with pytest.raises(SourceError, match="No such file"):
        follower.poll()
    log.write_bytes(good)
    follower.poll()
    assert follower.newest.running


def test_what_may_not_be_read(tmp_path: Path, follow: Callable[..., Any]) -> None:
    """A log without permission is one clear line, until it may be read."""
    log = tmp_path / "x.log"
    log.write_text("gcc -c x.c\n")
    log.chmod(0)
    if os.access(log, os.R_OK):
        pytest.skip("root may read everything")
    follower = follow(log)
    with pytest.raises(SourceError, match="Permission denied"):
        follower.poll()
    log.chmod(0o600)
    follower.poll()
    assert follower.newest.running


def test_only_what_is_new_is_read(tmp_path: Path, follow: Callable[..., Any]) -> None:
    """A line more costs its own bytes and a glance at the log's beginning, however long the log is."""
    log = tmp_path / "x.log"
    log.write_text("".join(f"  CC      dir{n // 500}/file{n}.o\n" for n in range(60_000)))
    follower = follow(log)
    follower.poll()
    read = follower.source.tail.bytes_read
    assert read >= log.stat().st_size
    with log.open("a") as file:
        file.write("  CC      last/one.o\n")
    follower.poll()
    assert follower.source.tail.bytes_read - read < 1000
    read = follower.source.tail.bytes_read
    follower.poll()
    assert follower.source.tail.bytes_read == read
    assert ("build", "last") in follower.newest.running


def test_progress_written_over_in_place(tmp_path: Path, follow: Callable[..., Any]) -> None:
    """A counter that a terminal shows on one line is followed before that line ends."""
    log = tmp_path / "x.log"
    follower = follow(log)
    with log.open("ab", buffering=0) as file:
        file.write(b"ninja: Entering directory `b'\n\r[1/100] Compiling a\x1b[K")
        follower.poll()
        file.write(b"".join(b"\r[%d/100] Compiling a\x1b[K" % n for n in range(2, 51)))
        follower.poll()
    assert follower.newest.steps["build", "ninja"].ratio == pytest.approx(0.5, abs=0.02)
