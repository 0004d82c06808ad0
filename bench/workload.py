"""Journals to measure with: lines as the hook, the wrapper and the sources write them, always the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BUILD = "lfs-12.4"
RUN = "20260102T030405Z"
START = 1.78e9
PHASES = 5


def line(event: str, time: float, **fields: Any) -> bytes:
    """Return one event as a journal line."""
    return (
        json.dumps({"time": round(time, 3), "event": event, "build": BUILD, **fields}, separators=(",", ":")).encode()
        + b"\n"
    )


def names(steps: int) -> list[tuple[str, str]]:
    """Return phase and name of each step."""
    return [(f"chapter-{5 + index * PHASES // steps}", f"{index:04d}-package-{index % 97}") for index in range(steps)]


def opening(steps: int) -> bytes:
    """Return the start of a run of so many planned steps."""
    planned = [
        {"phase": phase, "step": step, "package": step[5:], "version": "1.2.3", "sbu": 0.1 + index % 13}
        for index, (phase, step) in enumerate(names(steps))
    ]
    # a plan longer than a journal line continues in further events
    pieces = [planned[first : first + 400] for first in range(0, steps, 400)]
    plan = b"".join(
        line("plan", START, steps=piece, **({"continues": True} if n else {})) for n, piece in enumerate(pieces)
    )
    return line("build_started", START - 1, run=RUN, source="jhalfs", target="x86_64-lfs-linux-gnu", jobs=2) + plan


def started(phase: str, step: str, time: float) -> bytes:
    """Return the line of a step that begins."""
    return line(
        "step_started", time, phase=phase, step=step, package=step[5:], version="1.2.3", attempt=1, pid=4711,
        log=f"/var/log/build/{phase}/{step}.log",
    )  # fmt: skip


def progress(phase: str, step: str, time: float, done: int, total: int) -> bytes:
    """Return the line of a step that shows how far it is."""
    message = f"  CC      lib/gettext/src/format-{done % 1000:03d}.o"
    ratio = round(done / total, 6)
    return line("step_progress", time, phase=phase, step=step, ratio=ratio, done=done, total=total, message=message)


def finished(phase: str, step: str, time: float, status: str = "succeeded") -> bytes:
    """Return the line of a step that ended, with all a wrapper measures."""
    return line(
        "step_finished", time, phase=phase, step=step, status=status, exit_code=0, seconds=93.217,
        cpu_seconds=171.034, max_rss_bytes=411_041_792, read_bytes=94_371_840, written_bytes=188_743_680, warnings=3,
    )  # fmt: skip


def steady(events: int, steps: int) -> Iterator[bytes]:
    """Yield about `events` lines of a run in pieces: each step starts, shows its progress evenly, and succeeds."""
    yield opening(steps)
    total = max(1, (events - 1) // steps - 2)
    clock = START
    for phase, step in names(steps):
        lines = [started(phase, step, clock)]
        for done in range(1, total + 1):
            clock += 0.05
            lines.append(progress(phase, step, clock, done, total))
        clock += 0.05
        lines.append(finished(phase, step, clock))
        yield b"".join(lines)


def turning(events: int, steps: int) -> Iterator[bytes]:
    """Yield a run's lines in which each event starts or ends a step: what costs a reader most; steps are done again."""
    yield opening(steps)
    clock = START
    for _ in range(max(1, events // (2 * steps))):
        lines = []
        for phase, step in names(steps):
            clock += 1.0
            lines += [started(phase, step, clock), finished(phase, step, clock + 0.5)]
        yield b"".join(lines)


def partly_done(steps: int, share: float = 0.7) -> bytes:
    """Return a run in which a share of the steps is done and the next one runs."""
    done = int(steps * share)
    lines, clock = [opening(steps)], START
    for phase, step in names(steps)[:done]:
        clock += 60.0
        lines += [started(phase, step, clock), finished(phase, step, clock + 59.0)]
    phase, step = names(steps)[done]
    clock += 60.0
    lines += [started(phase, step, clock), progress(phase, step, clock + 1, 1, 1000)]
    return b"".join(lines)


def running_step(steps: int, share: float = 0.7) -> tuple[str, str]:
    """Return phase and name of the step that runs in `partly_done`."""
    return names(steps)[int(steps * share)]


def journal_file(place: Path) -> Path:
    """Return the run's file below a work place, its directory made."""
    path = place / "journal" / BUILD / f"{RUN}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
