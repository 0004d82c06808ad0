"""How much longer a real parallel build takes with everything on than with nothing.

Steps of `make -j2` over generated C files. With the monitor each step is told by the shell hook, its output is kept in
a log, and the exporter follows, samples host and process tree, and is scraped each second. Builds alternate A B B A, so
that what drifts on the machine falls on both alike.
"""

from __future__ import annotations

import contextlib
import os
import resource
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.client import OPENMETRICS_GZIP, Client
from bench.figure import Figure, summary
from bench.harness import EXPORTER, Process, exporter, workplace

STEPS = 8
FILES = 6
FUNCTIONS = 90
_OF_MAKE = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
_LOOP = 'for step in "$@"; do {tell}make -s -j2 -C "$step" || exit 1; done'
PLAIN = _LOOP.format(tell="")
TOLD = f'. "$HOOK"; be_start bench --jobs 2; {_LOOP.format(tell="be_step chapter-8 ${step##*/} ")}; be_end succeeded'


@dataclass(frozen=True)
class Build:
    """One build: wall and CPU seconds of it, CPU seconds of the exporter meanwhile."""

    wall: float
    cpu: float
    exporter_cpu: float = 0.0


def figures(*, quick: bool = False) -> list[Figure]:
    """Return the slow-down of the wall time, and the CPU time taken, as shares of the build's own."""
    rounds = 1 if quick else 3
    plain, told = [], []
    with workplace() as place:
        steps = _sources(place, *((2, 2, 5) if quick else (STEPS, FILES, FUNCTIONS)))
        _build(place, steps)
        for _ in range(rounds):
            plain.append(_build(place, steps))
            told += [_monitored_build(place, steps), _monitored_build(place, steps)]
            plain.append(_build(place, steps))
    pairs = [(b.wall - a.wall) / a.wall for a, b in zip(plain, told, strict=True)]
    wall = statistics.median(b.wall for b in told) / statistics.median(a.wall for a in plain) - 1
    spent = statistics.median(b.cpu + b.exporter_cpu for b in told) / statistics.median(a.cpu for a in plain) - 1
    share = statistics.median(b.exporter_cpu / b.wall for b in told) / (os.cpu_count() or 1)
    detail = {
        "plain_wall": summary([a.wall for a in plain]),
        "told_wall": summary([b.wall for b in told]),
        "slow_down_of_each_pair": pairs,
        "exporter_share_of_machine": share,
    }
    return [
        Figure(
            key="slow_down",
            what="slow-down of make -j2, everything on, wall time",
            unit="ratio",
            ours=wall,
            goal=0.005,
            detail=detail,
        ),
        Figure(key="slow_down_machine", what="the exporter's share of the machine meanwhile", unit="ratio", ours=share),
        Figure(
            key="slow_down_cpu",
            what="CPU time taken beyond the build's own",
            unit="ratio",
            ours=spent,
            detail={"plain_cpu": summary([a.cpu for a in plain]), "told_cpu": summary([b.cpu for b in told])},
        ),
    ]


def _sources(place: Path, packages: int, files: int, functions: int) -> list[str]:
    """Write the steps' C files and makefiles; return their directories."""
    steps = []
    for step in range(packages):
        directory = place / f"package-{step}"
        directory.mkdir()
        objects = " ".join(f"part{number}.o" for number in range(files))
        rules = f"all: {objects}\n%.o: %.c\n\t@echo '  CC      $@'\n\t@gcc -O2 -c -o $@ $<\n"
        directory.joinpath("Makefile").write_text(rules, encoding="ascii")
        for number in range(files):
            directory.joinpath(f"part{number}.c").write_text(
                _source(step * files + number, functions), encoding="ascii"
            )
        steps.append(str(directory))
    return steps


def _source(seed: int, count: int) -> str:
    """Return a C file of so many functions: the optimiser is busy with 90 for about half a second."""
    functions = [
        f"unsigned f{n}(unsigned *p, unsigned n) {{ unsigned h = {seed * 977 + n}u;\n"
        f"  for (unsigned i = 0; i < n; i++) {{\n"
        f"    h ^= p[i] * {2 * n + 3}u; h = (h << {n % 13 + 1}) | (h >> {31 - n % 13});\n"
        f"    switch (h & 7) {{\n"
        f"      case 0: p[i] += h; break; case 3: p[i] ^= h >> {n % 7}; break; case 5: h += p[n - i - 1]; break;\n"
        f"      default: if (p[i] > h) p[i] = h - i; else h -= p[i] * i; }} }}\n  return h; }}"
        for n in range(count)
    ]
    return "\n".join(functions) + "\n"


def _build(place: Path, steps: list[str], script: str = PLAIN, **environment: str) -> Build:
    for step in steps:
        for made in Path(step).glob("*.o"):
            made.unlink()
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        ["bash", "-c", script, "build", *steps],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        # a make around this one would lend its jobs
        env={**{name: value for name, value in os.environ.items() if name not in _OF_MAKE}, **environment},
    )
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Build(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def _monitored_build(place: Path, steps: list[str]) -> Build:
    hook = subprocess.run([*EXPORTER, "hook"], check=True, capture_output=True, text=True).stdout.strip()
    journal = place / "journal"
    journal.mkdir(exist_ok=True)
    with exporter(place) as process, _scraped(process):
        before = process.cpu_seconds()
        environment = {"HOOK": hook, "BUILD_EXPORTER_JOURNAL": str(journal), "BE_LOG_DIR": str(place / "logs")}
        built = _build(place, steps, TOLD, **environment)
        with Client(process.port) as client:
            body = client.get()
        counted = f'build_steps_finished_total{{build="bench",status="succeeded"}} {len(steps)}\n'
        if counted.encode() not in body:
            raise RuntimeError("the exporter did not see the build it was to slow down")
        return Build(built.wall, built.cpu, process.cpu_seconds() - before)


@contextlib.contextmanager
def _scraped(process: Process) -> Iterator[None]:
    """Scrape each second from a thread, as Prometheus would."""
    end = threading.Event()

    def scrape() -> None:
        with Client(process.port, headers=OPENMETRICS_GZIP) as client:
            while not end.wait(1.0):
                client.get()

    thread = threading.Thread(target=scrape, name="scrape")
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
