"""Thirty days of builds replayed at speed against one exporter: memory, descriptors and CPU a day stay what they were.

python bench/soak.py [--days 30]

A day is two runs of 150 steps, every fifth of them fails and is taken up again. Each day the metrics are scraped, the
page and the API are asked and clients of the stream come and go. Retention keeps the last runs, as in real use. Ends
with 1 where memory or descriptors grow, or where a count is not what was written.
"""

from __future__ import annotations

import argparse
import datetime
import re
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import workload
from bench.client import OPENMETRICS_GZIP, Client
from bench.harness import Process, exporter, wait_until, workplace

STEPS = 150
DAY = 86400.0
SETTLED = 10
"""Days until everything has been loaded."""
MOST_A_DAY = 200_000
"""Bytes: the two runs of a day are kept as history until the retention, which acts each ten minutes, removes them."""
CONFIG = "retention: {runs: 5}\nalerting: {alertmanager_url: 'http://127.0.0.1:9'}\n"
"""Nobody answers there: the failures of all the days are reported in vain."""


@dataclass(frozen=True)
class Day:
    """What one day left behind."""

    memory: int
    descriptors: int
    cpu: float


def run_lines(start: float, *, fails: bool) -> bytes:
    """Return the lines of one run of `STEPS` steps over half a day."""
    names = workload.names(STEPS)
    pace = DAY / 2 / STEPS
    lines = [workload.line("build_started", start, source="soak", jobs=2)]
    lines.append(
        workload.line("plan", start, steps=[{"phase": phase, "step": step, "sbu": 1.0} for phase, step in names])
    )
    for number, (phase, step) in enumerate(names):
        began = start + number * pace + 1
        lines += [workload.started(phase, step, began), workload.progress(phase, step, began + pace / 2, 1, 2)]
        if fails and number == STEPS // 2:
            lines += [workload.finished(phase, step, began + pace - 3, "failed")]
            lines += [workload.started(phase, step, began + pace - 2)]
        lines.append(workload.finished(phase, step, began + pace - 1))
    lines.append(workload.line("build_finished", start + DAY / 2, status="succeeded"))
    return b"".join(lines)


def soak(days: int) -> tuple[list[Day], int, int]:
    """Return each day's figures, and how many runs the metrics count of how many were written."""
    found: list[Day] = []
    with workplace() as place:
        config = place / "config.yaml"
        config.write_text(CONFIG)
        (place / "journal" / workload.BUILD).mkdir(parents=True)
        with exporter(place, "--config", str(config)) as process:
            begin = time.time() - days * DAY
            for day in range(days):
                before = process.cpu_seconds()
                for half in range(2):
                    start = begin + day * DAY + half * DAY / 2
                    _write(place, start, fails=(2 * day + half) % 5 == 0)
                    _visit(process)
                found.append(Day(process.memory()["rss"], _descriptors(process), process.cpu_seconds() - before))
                print(
                    f"day {day + 1}: {found[-1].memory / 1e6:.1f} MB, {found[-1].descriptors} descriptors", flush=True
                )
            wait_until(lambda: _runs(process) >= days * 2, 60, "every run is counted")
            return found, _runs(process), days * 2


def _write(place: Path, start: float, *, fails: bool) -> None:
    name = datetime.datetime.fromtimestamp(start, datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    with (place / "journal" / workload.BUILD / f"{name}.jsonl").open("ab", buffering=0) as file:
        data = run_lines(start, fails=fails)
        for first in range(0, len(data), 1 << 14):
            file.write(data[first : first + (1 << 14)])


def _visit(process: Process) -> None:
    """Look at everything as Prometheus, people and programs do."""
    paths = ("/", f"/builds/{workload.BUILD}", f"/api/v1/builds/{workload.BUILD}/steps", "/api/v1/builds", "/alerts")
    for path in paths:
        with Client(process.port, path) as client:
            client.get()
    for _ in range(10):
        with Client(process.port, headers=OPENMETRICS_GZIP) as client:
            client.get()


def _descriptors(process: Process) -> int:
    return sum(1 for _ in Path(f"/proc/{process.pid}/fd").iterdir())


def _runs(process: Process) -> int:
    with Client(process.port) as client:
        return sum(int(float(n)) for n in re.findall(rb"^build_runs_total\{[^}]*\} (\S+)$", client.get(), re.MULTILINE))


def verdict(days: list[Day]) -> list[str]:
    """Return what grew that should not, in words; empty where all is flat."""
    settled = days[SETTLED:] if len(days) > SETTLED + 5 else days
    half = len(settled) // 2
    early, late = settled[:half], settled[half:]
    wrong = []
    memory = [statistics.median(day.memory for day in part) for part in (early, late)]
    if memory[1] > memory[0] + MOST_A_DAY * len(late):
        wrong.append(f"memory grew from {memory[0] / 1e6:.1f} to {memory[1] / 1e6:.1f} MB")
    descriptors = [max(day.descriptors for day in part) for part in (early, late)]
    if descriptors[1] > descriptors[0]:
        wrong.append(f"descriptors grew from {descriptors[0]} to {descriptors[1]}")
    cpu = [statistics.median(day.cpu for day in part) for part in (early, late)]
    if cpu[1] > cpu[0] * 1.5:
        wrong.append(f"CPU a day grew from {cpu[0]:.2f} to {cpu[1]:.2f} s")
    return wrong


def main() -> int:
    """Print each day; return 1 where something grew or was miscounted."""
    parser = argparse.ArgumentParser(description="Replay days of builds at speed against one exporter.")
    parser.add_argument("--days", type=int, default=30)
    days, counted, written = soak(parser.parse_args().days)
    wrong = verdict(days)
    if counted != written:
        wrong.append(f"{counted} runs are counted of {written}")
    print("\n".join(wrong) if wrong else f"flat: {days[-1].memory / 1e6:.1f} MB, {days[-1].descriptors} descriptors")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
