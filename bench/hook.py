"""What the shell hook costs the build: an event and a step, in each shell, beside starting any program at all.

A loop of calls in one shell, less the same loop of `:`. The fastest of many short rounds is taken: the hook's own
cost is what is left when nothing else is in the way. CPU time is reported beside it, as a busy machine lets calls wait.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
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


def measure(*, events: int = 500, rounds: int = 20) -> dict[str, object]:
    """Return milliseconds a call by figure (`…_ms` of wall, `…_cpu_ms` of CPU time) and shell, of those installed."""
    shells = {name: command for name, command in SHELLS.items() if shutil.which(command[0])}
    figures: dict[str, dict[str, float]] = {key: {} for call in CALLS for key in (call, _cpu(call))}
    for name, shell in shells.items():
        for key, call in CALLS.items():
            empty = _fastest(rounds, shell, _script(":", events))
            taken = _fastest(rounds, shell, _script(call, events))
            figures[key][name], figures[_cpu(key)][name] = (
                max(0.0, after - before) / events * 1e3 for after, before in zip(taken, empty, strict=True)
            )
    sourcing = {}
    for name, shell in shells.items():
        sourcing[name] = (_fastest(rounds, shell, '. "$HOOK"')[0] - _fastest(rounds, shell, ":")[0]) * 1e3
    return {**figures, "hook_source_ms": sourcing, "events": events, "rounds": rounds, "goals_ms": GOALS_MS}


def _cpu(key: str) -> str:
    return key.replace("_ms", "_cpu_ms")


def _script(call: str, count: int) -> str:
    return f'. "$HOOK"; be_start bench; i=0; while [ $i -lt {count} ]; do {call}; i=$((i+1)); done'


def _fastest(rounds: int, shell: tuple[str, ...], script: str) -> tuple[float, float]:
    """Return the least seconds of wall and of CPU time that a script took."""
    taken = [_timed(shell, script) for _ in range(rounds)]
    return min(wall for wall, _ in taken), min(cpu for _, cpu in taken)


def _timed(shell: tuple[str, ...], script: str) -> tuple[float, float]:
    with tempfile.TemporaryDirectory(prefix="bench-hook-") as journal:
        environment = {**os.environ, "HOOK": str(HOOK), "BUILD_EXPORTER_JOURNAL": journal, "LC_ALL": "C.UTF-8"}
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([*shell, "-c", script], env=environment, check=True)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


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
    parser.add_argument("--events", type=int, default=500, help="calls in a loop (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=20, help="loops, the fastest counts (default: %(default)s)")
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
