"""What `build-exporter run` costs a step: time added to the shortest command, CPU beside a long one, speed of a log.

Pairs of the bare and the wrapped command, alternating, so that both meet the same neighbours; the median of the
differences counts. The CPU time of the wrapper is its own alone: what the kernel charges to it with its children, less
what its event says its command used.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GOAL_MS = 30.0
"""Milliseconds a step may become longer, Python's start included."""

GOAL_CPU_RATIO = 0.005
"""Share of one core the wrapper may use while its command runs."""

LOAD = """
end=$(($(date +%s) + $SECONDS_OF_LOAD))
for job in $(seq $JOBS); do
    while [ $(date +%s) -lt $end ]; do
        sh -c 'sh -c "i=0; while [ \\$i -lt 30000 ]; do i=\\$((i+1)); done; true"; true'
    done &
done
wait
"""
"""Like `make -j`: short processes three deep in every job, all the time."""


def measure(*, pairs: int = 100, load_seconds: float = 10.0) -> dict[str, object]:
    """Return the figures by name: milliseconds, ratios to one core, MB a second."""
    with tempfile.TemporaryDirectory(prefix="bench-wrapper-") as directory:
        place = Path(directory)
        plain = _added_ms(place, pairs, [])
        logged = _added_ms(place, pairs, ["--log", str(place / "log")])
        start = statistics.median(_own_cpu(place, ["true"])[0] for _ in range(10))
        return {
            "wrapper_added_ms": plain["median"],
            "wrapper_added": plain,
            "wrapper_logged_added_ms": logged["median"],
            "wrapper_logged_added": logged,
            "python_start_ms": _median_ms([sys.executable, "-c", "pass"], pairs),
            "wrapper_cpu_ms": start * 1e3,
            "wrapper_cpu_ratio": {f"{jobs} jobs": _load_ratio(place, jobs, load_seconds, start) for jobs in (2, 8)},
            "wrapper_logged_mb_per_second": _throughput(place),
            "goals": {"wrapper_added_ms": GOAL_MS, "wrapper_cpu_ratio": GOAL_CPU_RATIO},
            "command": [Path(each).name for each in _command()],
        }


def _command() -> list[str]:
    script = Path(sys.executable).with_name("build-exporter")
    return [str(script)] if script.exists() else [sys.executable, "-m", "build_exporter"]


def _wrapped(place: Path, options: list[str], words: list[str]) -> list[str]:
    return [*_command(), "run", "--journal", str(place), "--build", "bench", "--step", "s", *options, "--", *words]


def _environment() -> dict[str, str]:
    # installed packages come compiled; a source tree is compiled by its first run
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _seconds(words: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(words, env=_environment(), stdout=subprocess.PIPE, check=True)
    return time.perf_counter() - begun


def _median_ms(words: list[str], count: int) -> float:
    return statistics.median(_seconds(words) for _ in range(count)) * 1e3


def _added_ms(place: Path, pairs: int, options: list[str]) -> dict[str, float]:
    """Return median, fastest and 95th percentile of what the wrapper adds to `true`, in milliseconds."""
    bare, wrapped = ["true"], _wrapped(place, options, ["true"])
    _seconds(wrapped)
    added = sorted((_seconds(wrapped) - _seconds(bare)) * 1e3 for _ in range(pairs))
    return {"median": statistics.median(added), "least": added[0], "p95": added[int(len(added) * 0.95)]}


def _load_ratio(place: Path, jobs: int, seconds: float, start: float) -> float:
    """Return the share of one core that the wrapper uses beside so many jobs, its `start` in CPU seconds aside."""
    load = {"JOBS": str(jobs), "SECONDS_OF_LOAD": str(max(1, int(seconds)))}
    own, duration = _own_cpu(place, ["sh", "-c", LOAD], load)
    return max(0.0, own - start) / duration


def _own_cpu(place: Path, words: list[str], variables: dict[str, str] | None = None) -> tuple[float, float]:
    """Return the wrapper's own CPU seconds over a command, start included, and the command's duration in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(_wrapped(place, ["--new"], words), env={**_environment(), **(variables or {})}, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    (event,) = (json.loads(line) for line in max(place.glob("bench/*.jsonl")).read_text().splitlines()[-1:])
    charged = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return charged - event["cpu_seconds"], event["seconds"]


def _throughput(place: Path) -> float:
    """Return how many MB of output a second pass through to a pipe with a log kept."""
    size = 512
    words = _wrapped(place, ["--log", str(place / "log")], ["head", "-c", f"{size}M", "/dev/zero"])
    begun = time.perf_counter()
    with subprocess.Popen(words, env=_environment(), stdout=subprocess.PIPE) as process:
        assert process.stdout
        while process.stdout.read(1024 * 1024):
            pass
    return size * 1.048576 / (time.perf_counter() - begun)


def table(figures: dict[str, object]) -> str:
    """Return the figures as a table for people."""
    lines = []
    for name, value in figures.items():
        if isinstance(value, float):
            lines.append(f"{name:32}{value:10.2f}")
        elif isinstance(value, dict) and name != "goals":
            result = "  ".join(f"{key} {one:.4g}" for key, one in value.items())
            lines.append(f"{name:32}{result}")
    return "\n".join(lines)


def main() -> int:
    """Print the table, write JSON where asked; the exit code is 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--pairs", type=int, default=100, help="pairs of starts (default: %(default)s)")
    parser.add_argument("--load-seconds", type=float, default=10.0, help="length of each load (default: %(default)s)")
    chosen = parser.parse_args()
    figures = measure(pairs=chosen.pairs, load_seconds=chosen.load_seconds)
    print(table(figures))
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n")
    added, ratios = figures["wrapper_added_ms"], figures["wrapper_cpu_ratio"]
    assert isinstance(added, float)
    assert isinstance(ratios, dict)
    return int(added > GOAL_MS or max(ratios.values()) > GOAL_CPU_RATIO)


if __name__ == "__main__":
    sys.exit(main())
