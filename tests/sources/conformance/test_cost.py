"""What following costs: what is new is read, once, and nothing while nothing is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from tests.sources.conformance.conftest import Place
    from tests.sources.conftest import Record

IDLE_POLLS = 50
STEP_LOGS = ("jhalfs", "blfs")
"""Kinds with a log for each step, of which a poll reads the two ends."""

BESIDE_BYTES = 1536
"""Most that a poll reads beside the record's own new bytes: its beginning, to know it again; who is at work."""

POLL_BYTES = 8192
"""Most that a look at such a record reads: the ends of a step's log, and of the next one's."""


def bytes_read() -> int:
    """Return how many bytes this process has read so far, by whatever call and of whatever file."""
    return int(Path("/proc/self/io").read_text().split("rchar:")[1].split()[0])


def read_by(call: Callable[[], Any]) -> int:
    """Return how many bytes a call reads."""
    before = bytes_read()
    own = bytes_read() - before
    before = bytes_read()
    call()
    return max(0, bytes_read() - before - own)


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is at work: going through them is paced, and no part of what reading a record costs."""
    monkeypatch.setattr(psutil, "process_iter", lambda attributes: iter(()))


def follow(place: Place) -> tuple[int, Any]:
    """Follow a record to its end; return how many bytes that read, and the source."""
    source = place.source()
    stride = max(1, len(place.record.pieces) // 100)
    read = 0
    for index in range(1, len(place.record.pieces) + stride, stride):
        place.write(min(index, len(place.record.pieces)))
        read += read_by(lambda: place.poll(source))
    return read, source


@pytest.mark.usefixtures("nobody")
def test_only_what_is_new_is_read(record: Record, put: Callable[..., Place]) -> None:
    """A record followed to its end is read once, but for a fifth: of logs of steps the ends; then nothing any more."""
    # what is read once and for all, as the system's time zones, is no cost of following
    follow(put(record))
    place = put(record)
    read, source = follow(place)
    files = [path for path in place.path.rglob("*") if path.is_file()]
    ends = POLL_BYTES * 101 if record.kind in STEP_LOGS else BESIDE_BYTES * 101
    whole = sum(path.stat().st_size for path in files if record.kind not in STEP_LOGS or path.name == "Makefile")
    assert read <= 1.2 * whole + ends
    # names in a directory that came within the last moments are listed twice
    for path in place.path.rglob("*"):
        if not record.keeps_times and path.is_dir():
            os.utime(path, (place.now - 10, place.now - 10))
    list(source.poll(place.now + 1))
    idle = read_by(
        lambda: [reported for number in range(IDLE_POLLS) for reported in source.poll(place.now + 2 + number)]
    )
    assert idle < IDLE_POLLS


@pytest.mark.usefixtures("nobody")
def test_a_core_is_not_noticed(record: Record, put: Callable[..., Place]) -> None:
    """Looking once a second at a build that takes hours costs less than one percent of a core."""
    place = put(record)
    source = place.source()
    polls, cpu = 0, 0.0
    for percent in range(1, 101, 3):
        place.write(max(1, len(record.pieces) * percent // 100))
        began = time.process_time()
        for _ in range(10):
            place.poll(source)
        cpu += time.process_time() - began
        polls += 10
    assert cpu / polls < 0.01, f"{cpu / polls:.6f} s of CPU a look, at a look a second"
