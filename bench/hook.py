"""What the shell hook costs the build: an event and a step, in each shell, beside starting any program at all.

A loop of calls in one shell, less the same loop of `:`. The fastest of several rounds is taken: the hook's own cost
is what is left when nothing else is in the way.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HOOK = Path(__file__).resolve().parent.parent / "exporter" / "build_exporter" / "shell" / "build-events.sh"
SHELLS = {"bash": ("bash",), "dash": ("dash",), "busybox": ("busybox", "sh")}
GOALS_MS = {"bash": 0.1, "dash": 1.5}
"""Milliseconds an event may take; busybox has no goal of its own."""

EVENT = "be_step_progress chapter-6 610-gcc-pass2 0.5"
CALLS = {
    "hook_event_ms": EVENT,
    "hook_event_message_ms": f"{EVENT} 'compiling (3 of 7)'",
    "hook_event_quoted_ms": f"{EVENT} 'said \"no\", über alles'",
    "hook_step_ms": "be_step chapter-6 610-gcc-pass2 :",
    "program_ms": "/bin/true",
}
"""What is measured by the name of its figure; `program_ms` is the least any hook costs that is a program."""


def measure(*, events: int = 5000, rounds: int = 5) -> dict[str, object]:
    """Return milliseconds of wall time a call, by figure and shell, for the shells that are installed."""
    shells = {name: command for name, command in SHELLS.items() if shutil.which(command[0])}
    figures: dict[str, dict[str, float]] = {key: {} for key in (*CALLS, "hook_event_cpu_ms", "hook_source_ms")}
    for name, shell in shells.items():
        empty = _fastest(rounds, lambda shell=shell: _loop(shell, ":", events))  # type: ignore[misc]
        for key, call in CALLS.items():
            count = events // 10 if key == "program_ms" else events
            taken = _fastest(rounds, lambda shell=shell, call=call, n=count: _loop(shell, call, n))  # type: ignore[misc]
            figures[key][name] = max(0.0, taken[0] / count - empty[0] / events) * 1e3
            if key == "hook_event_ms":
                figures["hook_event_cpu_ms"][name] = (taken[1] - empty[1]) / events * 1e3
        figures["hook_source_ms"][name] = _sourcing(shell, rounds * 4)
    return {**figures, "events": events, "rounds": rounds, "goals_ms": GOALS_MS}


def _fastest(rounds: int, run: Callable[[], tuple[float, float]]) -> tuple[float, float]:
    taken = [run() for _ in range(rounds)]
    return min(wall for wall, _ in taken), min(cpu for _, cpu in taken)


def _loop(shell: tuple[str, ...], call: str, count: int) -> tuple[float, float]:
    """Return seconds of wall and of CPU time of a script that makes a call `count` times."""
    return _timed(shell, f'. "$HOOK"; be_start bench; i=0; while [ $i -lt {count} ]; do {call}; i=$((i+1)); done')


def _sourcing(shell: tuple[str, ...], rounds: int) -> float:
    empty = min(_timed(shell, ":")[0] for _ in range(rounds))
    return max(0.0, min(_timed(shell, '. "$HOOK"')[0] for _ in range(rounds)) - empty) * 1e3


def _timed(shell: tuple[str, ...], script: str) -> tuple[float, float]:
    with tempfile.TemporaryDirectory(prefix="bench-hook-") as journal:
        environment = {**os.environ, "HOOK": str(HOOK), "BUILD_EXPORTER_JOURNAL": journal, "LC_ALL": "C.UTF-8"}
        before, start = os.times(), time.perf_counter()
        subprocess.run([*shell, "-c", script], env=environment, check=True)
        wall, after = time.perf_counter() - start, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, cpu


def table(figures: dict[str, object]) -> str:
    """Return the figures as a table for people, one row a figure, one column a shell."""
    rows = {key: value for key, value in figures.items() if isinstance(value, dict) and key != "goals_ms"}
    shells = list(rows["hook_event_ms"])
    lines = ["".join([f"{'ms a call':24}", *(f"{shell:>10}" for shell in shells)])]
    for key, values in rows.items():
        label = key.removesuffix("_ms").replace("_", " ")
        lines.append("".join([f"{label:24}", *(f"{values[shell]:10.3f}" for shell in shells)]))
    lines.append("".join([f"{'goal of an event':24}", *(f"{GOALS_MS.get(shell, ''):>10}" for shell in shells)]))
    return "\n".join(lines)


def main() -> int:
    """Print the table, write JSON where asked; the exit code is 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--events", type=int, default=5000, help="calls in a loop (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="loops, the fastest counts (default: %(default)s)")
    chosen = parser.parse_args()
    figures = measure(events=chosen.events, rounds=chosen.rounds)
    print(table(figures))
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n")
    taken = figures["hook_event_ms"]
    assert isinstance(taken, dict)
    return int(any(taken[shell] > goal for shell, goal in GOALS_MS.items() if shell in taken))


if __name__ == "__main__":
    sys.exit(main())
