"""Measure everything beside the peers, print one table and write it with the machine it was taken on.

python bench/run.py [--quick] [--only NAME] [--output FILE]
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import machine
from bench.figure import Figure, table
from bench.harness import version

MEASUREMENTS = (
    "throughput",
    "burst",
    "latency",
    "alerts",
    "night",
    "scrape",
    "memory",
    "idle",
    "host",
    "verdict",
    "estimate_cost",
    "answers",
    "page_open",
    "event_writers",
    "sources_jhalfs",
    "step_logs",
    "startup",
    "scale",
    "ingest",
    "stream",
    "slowdown",
)
"""Modules with `figures(quick=…)`, in the order they run."""

COMPARED = frozenset(
    {"throughput", "latency", "scrape", "memory", "idle", "startup", "scale", "ingest", "stream", "slowdown"}
)
"""Those taken of the version in `BASELINE` too: they ask a running exporter alone."""

RESULTS = Path(__file__).resolve().parent / "results"


def measure(name: str, *, quick: bool) -> dict[str, Any]:
    """Return one measurement's figures, the seconds it took and the load before it."""
    load = os.getloadavg()[0]
    figures = cast("Callable[..., Sequence[Figure]]", importlib.import_module(f"bench.{name}").figures)
    began = time.monotonic()
    found = list(figures(quick=quick))
    if (baseline := os.environ.get("BASELINE")) and name in COMPARED:
        try:
            with version(Path(baseline)):
                before = {figure.key: figure.ours for figure in figures(quick=quick)}
        except (OSError, RuntimeError) as error:
            print(f"{name} could not be taken of the version in BASELINE: {error}", file=sys.stderr)
            before = {}
        found = [replace(figure, before=before.get(figure.key)) for figure in found]
    return {"figures": found, "seconds": time.monotonic() - began, "load_before": load}


def main() -> int:
    """Run what is asked for; return 1 when a figure with a goal missed it, which a quick run does not judge."""
    arguments = _arguments()
    began = datetime.datetime.now(datetime.UTC)
    described = machine.describe()
    taken: dict[str, dict[str, Any]] = {}
    for name in arguments.only or MEASUREMENTS:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        taken[name] = measure(name, quick=arguments.quick)
        document = {
            "taken": began.isoformat(timespec="seconds"),
            "quick": arguments.quick,
            "machine": described,
            "measurements": {
                name: {"seconds": round(one["seconds"], 1), "load_before": round(one["load_before"], 2)}
                for name, one in taken.items()
            },
            "figures": [figure.as_json() for one in taken.values() for figure in one["figures"]],
        }
        # after each, so that a run which is stopped leaves what it has measured
        for path in arguments.output or [RESULTS / "local" / "latest.json"]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    figures = [figure for one in taken.values() for figure in one["figures"]]
    print(table(figures))
    missed = [figure.what for figure in figures if figure.reached is False]
    return 1 if missed and not arguments.quick else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure build-exporter beside its peers.")
    parser.add_argument(
        "--quick", action="store_true", help="check that every measurement works; the figures mean little"
    )
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="take only this one; repeatable")
    parser.add_argument("--output", action="append", type=Path, metavar="FILE", help="JSON file; repeatable")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
