"""One build ten and a hundred times as large: start, memory, scrape, page and API, as a table and a plot.

python bench/growth.py [--plot FILE.svg]
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import workload
from bench.client import OPENMETRICS_GZIP, Client, series
from bench.harness import Process, exporter, workplace

SIZES = (1_000, 10_000, 100_000)
API = f"/api/v1/builds/{workload.BUILD}"
COLUMNS = ("start s", "memory MB", "series", "steps hidden", "scrape ms", "after an end ms", "page ms", "steps API ms")
"""Times are CPU times of the exporter; a scrape with nothing new, and one after the end of a step."""
_HIDDEN = re.compile(rb"^build_exporter_steps_hidden\{[^}]*\} (\d+)", re.MULTILINE)
ROUNDS = 5
_WIDTH, _HEIGHT, _EDGE = 640, 360, 60


def measured(steps: int) -> tuple[float, ...]:
    """Return the figures of `COLUMNS` for a build of so many steps, nearly done."""
    with workplace() as place:
        file = workload.journal_file(place)
        file.write_bytes(workload.partly_done(steps, 0.95))
        with exporter(place, wait=300) as process:
            start = process.cpu_seconds()
            with Client(process.port) as client:
                body = client.get()
            scrape = _least(process, "/metrics", OPENMETRICS_GZIP)
            clock = workload.START + steps * 60.0

            def end(number: int) -> None:
                phase, step = workload.names(steps)[int(steps * 0.95) + number]
                began = workload.started(phase, step, clock + number) if number else b""
                with file.open("ab") as journal:
                    journal.write(began + workload.finished(phase, step, clock + number + 0.5))

            ended = _least(process, "/metrics", OPENMETRICS_GZIP, end)
            page, api = (_least(process, path) for path in (f"/builds/{workload.BUILD}", f"{API}/steps?limit=100"))
            hidden = _HIDDEN.search(body)
            return (
                start,
                process.memory()["rss"] / 1e6,
                series(body),
                int(hidden[1]) if hidden else 0,
                scrape * 1e3,
                ended * 1e3,
                page * 1e3,
                api * 1e3,
            )


def _least(
    process: Process, path: str, headers: dict[str, str] | None = None, before: Callable[[int], None] | None = None
) -> float:
    """Return the least CPU seconds of the exporter for an answer; `before` is called with the number of each."""
    found = []
    with Client(process.port, path, headers) as client:
        for number in range(ROUNDS):
            began = process.cpu_seconds()
            if before is not None:
                before(number)
            client.get()
            found.append(process.cpu_seconds() - began)
    return min(found)


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
        colour = f"hsl({number * 52} 70% 40%)"
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
