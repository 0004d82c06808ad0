"""One build ten and a hundred times as large: start, memory, scrape, page and API, as a table and a plot.

python bench/growth.py [--plot FILE.svg]
"""

from __future__ import annotations

import argparse
import math
import re
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import workload
from bench.client import OPENMETRICS_GZIP, Client, series
from bench.harness import Process, exporter, workplace

SIZES = (1_000, 10_000, 100_000)
API = f"/api/v1/builds/{workload.BUILD}"
COLUMNS = ("start s", "memory MB", "series", "steps hidden", "scrape CPU ms", "page ms", "steps API ms")
_HIDDEN = re.compile(rb"^build_exporter_steps_hidden\{[^}]*\} (\d+)", re.MULTILINE)
_WIDTH, _HEIGHT, _EDGE = 640, 360, 60


def measured(steps: int) -> tuple[float, ...]:
    """Return the figures of `COLUMNS` for a build of so many steps, nearly done."""
    with workplace() as place:
        workload.journal_file(place).write_bytes(workload.partly_done(steps, 0.95))
        began = time.perf_counter()
        with exporter(place, wait=300) as process:
            start = time.perf_counter() - began
            with Client(process.port) as client:
                body = client.get()
            scrape = _scrape_cpu(process)
            page, api = (_least(process, path) for path in (f"/builds/{workload.BUILD}", f"{API}/steps?limit=100"))
            hidden = _HIDDEN.search(body)
            return (
                start,
                process.memory()["rss"] / 1e6,
                series(body),
                int(hidden[1]) if hidden else 0,
                scrape * 1e3,
                page * 1e3,
                api * 1e3,
            )


def _scrape_cpu(process: Process, scrapes: int = 20) -> float:
    with Client(process.port, headers=OPENMETRICS_GZIP) as client:
        client.get()
        before = process.cpu_seconds()
        for _ in range(scrapes):
            client.get()
        return (process.cpu_seconds() - before) / scrapes


def _least(process: Process, path: str) -> float:
    with Client(process.port, path) as client:
        try:
            return min(client.timed()[0] for _ in range(4))
        except TimeoutError:
            # the client's patience of a minute
            return math.inf


def plot(rows: dict[int, tuple[float, ...]]) -> str:
    """Return an SVG of every column against the number of steps, both logarithmic, each against its first value."""
    ratios = {
        name: [rows[n][column] / (rows[SIZES[0]][column] or 1.0) for n in SIZES] for column, name in enumerate(COLUMNS)
    }
    shown = {name: values for name, values in ratios.items() if name != "steps hidden"}
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-size="11">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
    ]
    for power in range(3):
        lines.append(f'<text x="{_x(power):.0f}" y="{_HEIGHT - 35}" text-anchor="middle">{SIZES[power]:,} steps</text>')
        lines.append(f'<text x="{_EDGE - 8}" y="{_y(10.0**power):.0f}" text-anchor="end">x{10**power}</text>')
        lines.append(f'<path d="M{_EDGE} {_y(10.0**power):.1f}H{_WIDTH - 170}" stroke="#ccc"/>')
    for number, (name, values) in enumerate(shown.items()):
        points = " ".join(f"{_x(power):.1f},{_y(value):.1f}" for power, value in enumerate(values))
        colour = f"hsl({number * 60} 70% 40%)"
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        label = f'<text x="{_WIDTH - 160}" y="{30 + number * 16}" fill="{colour}">{name}: x{values[-1]:.3g}</text>'
        lines.append(label)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _x(power: int) -> float:
    return _EDGE + power * (_WIDTH - 170 - _EDGE) / 2


def _y(ratio: float) -> float:
    return _HEIGHT - 60 - max(0.0, math.log10(max(ratio, 0.1)) + 0.2) * (_HEIGHT - 100) / 2.3


def main() -> None:
    """Print the table and, where asked for, write the plot."""
    parser = argparse.ArgumentParser(description="Measure one build at three sizes.")
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    rows = {}
    print(f"| steps | {' | '.join(COLUMNS)} |\n|---|{'---|' * len(COLUMNS)}")
    for steps in SIZES:
        rows[steps] = measured(steps)
        shown = (f"{value:,.3g}" if value < 1000 else f"{value:,.0f}" for value in rows[steps])
        print(f"| {steps:,} | {' | '.join(shown)} |", flush=True)
    if arguments.plot:
        arguments.plot.write_text(plot(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
