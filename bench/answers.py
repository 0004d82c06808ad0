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
    started = min(_started() for _ in range(1 if quick else 5))
    return [
        Figure("watch", f"share of a core: `watch`, a frame a second, {STEPS:,} steps", "ratio", share, goal=0.01),
        Figure(
            "mcp", "answer of the MCP server, p50", "s", statistics.median(answers), goal=0.05, detail=summary(answers)
        ),
        Figure("help", "CPU of `build-exporter --help`", "s", started),
    ]


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


def _started() -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*EXPORTER, "--help"], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
