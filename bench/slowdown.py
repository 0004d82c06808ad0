"""How much longer a real parallel build takes with everything on than with nothing.

Steps of `make -j2` over generated C files. With the monitor the shell hook records each step, a log keeps its output,
and the exporter follows, samples host and process tree, and is scraped each second. Builds alternate A B B A, so that
what drifts on the machine falls on both alike.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.client import OPENMETRICS_GZIP, Client
from bench.figure import Figure, percentile, summary
from bench.harness import EXPORTER, Process, exporter, other_version, workplace

STEPS = 8
FILES = 6
FUNCTIONS = 90
_OF_MAKE = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
_LOOP = 'for step in "$@"; do {step}make -s -j2 -C "$step" || exit 1; done'
PLAIN = _LOOP.format(step="")
MONITORED = (
    f'. "$HOOK"; be_start bench --jobs 2; {_LOOP.format(step="be_step chapter-8 ${step##*/} ")}; be_end succeeded'
)


@dataclass(frozen=True)
class Build:
    """One build: wall and CPU seconds of it, CPU seconds of the exporter meanwhile."""

    wall: float
    cpu: float
    exporter_cpu: float = 0.0


def figures(*, quick: bool = False) -> list[Figure]:
    """Return the slow-down of the wall time, and what CPU time of the monitor adds up to, as shares of the build's."""
    rounds = 1 if quick else 5
    plain, result = [], []
    with workplace() as place:
        steps = _sources(place, *((2, 2, 5) if quick else (STEPS, FILES, FUNCTIONS)))
        build(place, steps)
        for _ in range(rounds):
            plain.append(build(place, steps))
            result += [_monitored_build(place, steps), _monitored_build(place, steps)]
            plain.append(build(place, steps))
        hook = statistics.median(_hook_cpu(place, steps) for _ in range(5))
    pairs = [b.wall / a.wall - 1 for a, b in zip(plain, result, strict=True)]
    exporter_cpu = statistics.median(b.exporter_cpu for b in result)
    cpu = statistics.median(a.cpu for a in plain)
    return [
        Figure(
            key="slow_down",
            what="slow-down of make -j2, everything on: wall time, median of pairs",
            unit="ratio",
            ours=statistics.median(pairs),
            goal=0.005,
            detail={
                "pairs": pairs,
                "interval": _interval(pairs),
                "plain": summary([a.wall for a in plain]),
                "monitored": summary([b.wall for b in result]),
            },
        ),
        Figure(
            key="slow_down_cpu",
            what="the same by CPU time of exporter and hook, as a share of the build's",
            unit="ratio",
            ours=(exporter_cpu + hook) / cpu,
            goal=0.003,
            goal_before=2.07,
            detail={
                "exporter": exporter_cpu,
                "hook": hook,
                "plain": summary([a.cpu for a in plain]),
                "interval": _interval([(b.exporter_cpu + hook) / cpu for b in result]),
            },
        ),
    ]


def _interval(values: Sequence[float], resamples: int = 10_000) -> tuple[float, float]:
    """Return the 95 % interval of the values' median, by bootstrap with a fixed seed."""
    chance = random.Random(20)
    medians = [statistics.median(chance.choices(values, k=len(values))) for _ in range(resamples)]
    return percentile(medians, 0.025), percentile(medians, 0.975)


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


def build(place: Path, steps: list[str], script: str = PLAIN, **environment: str) -> Build:
    """Run the steps in their directories by a script of bash, and return what that took."""
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


def events(place: Path, journal: str) -> dict[str, str]:
    """Return the variables by which a script's hook writes to a journal below `place`."""
    variables = {**os.environ, **other_version}
    found = subprocess.run([*EXPORTER, "hook"], check=True, capture_output=True, text=True, env=variables)
    place.joinpath(journal).mkdir(exist_ok=True)
    places = {"BUILD_EXPORTER_JOURNAL": str(place / journal), "BE_LOG_DIR": str(place / "logs")}
    return {"HOOK": found.stdout.strip(), **places}


def _hook_cpu(place: Path, steps: list[str]) -> float:
    """Return the CPU seconds of the hook alone: of the same script without the work of `make`, less the plain one."""
    stub = place / "stub" / "make"
    if not stub.exists():
        stub.parent.mkdir()
        # a program, as make is one: a function is watched more closely
        stub.symlink_to(shutil.which("true") or "/bin/true")
    path = f"{stub.parent}:{os.environ['PATH']}"
    result = build(place, steps, MONITORED, PATH=path, **events(place, "hook-alone"))
    return result.cpu - build(place, steps, PATH=path).cpu


def _monitored_build(place: Path, steps: list[str]) -> Build:
    environment = events(place, "journal")
    with exporter(place) as process, _scraped(process):
        before = process.cpu_seconds()
        built = build(place, steps, MONITORED, **environment)
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
