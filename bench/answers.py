"""What people and models wait for: frames of `watch`, answers of the MCP server, the start of the command."""

from __future__ import annotations

import asyncio
import os
import pty
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench import workload
from bench.figure import Figure, summary
from bench.harness import EXPORTER, workplace

STEPS = 1200


def figures(*, quick: bool = False) -> list[Figure]:
    """Return the share of a core of `watch`, the slowest answers of the MCP server, and CPU of `--help`."""
    with workplace() as place:
        workload.journal_file(place).write_bytes(workload.partly_done(STEPS))
        journal = str(place / "journal")
        share = _watch(place, journal, 1.0 if quick else 15.0)
        answers = asyncio.run(_mcp(journal, 3 if quick else 40))
        starts = _starts(place / "starts", 1 if quick else 15)
    return [
        Figure("watch", f"share of a core: `watch`, a frame a second, {STEPS:,} steps", "ratio", share, goal=0.01),
        Figure(
            "mcp", "answer of the MCP server, p50", "s", statistics.median(answers), goal=0.05, detail=summary(answers)
        ),
        *(_start(name, starts, most) for name, most in (("help", 8), ("emit", 4), ("progress", None))),
    ]


def _start(name: str, starts: dict[str, float], most: int | None) -> Figure:
    """Return the figure of a command's start; the goal is so many times that of an empty Python."""
    what = "`build-exporter --help`" if name == "help" else f"`build-exporter {name}`"
    empty = starts["empty"]
    return Figure(
        name, f"CPU of {what}", "s", starts[name], peer="python -c pass", peer_value=empty,
        goal=most * empty if most else None, goal_ratio=1 / most if most else None,
    )  # fmt: skip


def _watch(place: Path, journal: str, seconds: float) -> float:
    """Return the share of a core while it draws, with a terminal for its output."""
    outer, inner = pty.openpty()
    with subprocess.Popen(
        [*EXPORTER, "watch", "--journal", journal], stdin=inner, stdout=inner, stderr=inner,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
    ) as shown:  # fmt: skip
        os.close(inner)
        os.set_blocking(outer, False)
        # until its libraries are loaded
        _drain(outer, min(3.0, seconds))
        clock = (~shown.pid << 3) | 2
        before, began = time.clock_gettime(clock), time.monotonic()
        _drain(outer, seconds)
        share = (time.clock_gettime(clock) - before) / (time.monotonic() - began)
        shown.terminate()
    os.close(outer)
    return share


def _drain(descriptor: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.read(descriptor, 65536)
        except BlockingIOError:
            time.sleep(0.05)


async def _mcp(journal: str, rounds: int) -> list[float]:
    """Return the seconds of answers about the build, the first left out."""
    from mcp import StdioServerParameters  # noqa: PLC0415 - an extra
    from mcp.client.client import Client  # noqa: PLC0415
    from mcp.client.stdio import stdio_client  # noqa: PLC0415

    server = StdioServerParameters(command=sys.executable, args=["-m", "build_exporter", "mcp", "--journal", journal])
    taken = []
    async with Client(stdio_client(server)) as client:
        for _ in range(rounds + 1):
            began = time.perf_counter()
            await client.call_tool("status", {"build": workload.BUILD})
            taken.append(time.perf_counter() - began)
    return taken[1:]


def _starts(journal: Path, rounds: int) -> dict[str, float]:
    """Return CPU seconds from start to end, the least of some rounds, of commands that are called again and again."""
    commands = {
        "empty": (sys.executable, "-c", "pass"),
        "help": (*EXPORTER, "--help"),
        "emit": (*EXPORTER, "emit", "--journal", str(journal), "--build", "bench", "step_started", "phase=p", "step=s"),
        "progress": (*EXPORTER, "progress", "--journal", str(journal)),
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            taken[name].append(_cpu_seconds(command))
    return {name: min(each) for name, each in taken.items()}


def _cpu_seconds(command: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
