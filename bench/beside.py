"""CPU time of several versions of the exporter beside one and the same build, by thread, in milliseconds a second.

python -m bench.beside --rounds 3 before=../old now=.

Each version has a copy of the journal, and all are scraped each second. The steps of `make -j2` start as many short
processes as compilers do, which sleep: on a machine that others keep busy all versions are slowed down alike, and what
is left is their ratio.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench.client import OPENMETRICS_GZIP, Client
from bench.harness import Process, exporter, other_version, workplace
from bench.slowdown import MONITORED, build, events

STEPS = 8
FILES = 10
MAKEFILE = """\
.PHONY: all
all: {objects}
%.o:
\t@echo '  CC      $@'
\t@sh -c 'sh -c "sleep 0.4; /bin/true"; sh -c "sleep 0.1; :"; :'
"""
NAMED = """\
import threading
run = threading.Thread._bootstrap_inner
def named(thread):
    with open(f"/proc/self/task/{threading.get_native_id()}/comm", "w") as file:
        file.write(thread.name[:15])
    run(thread)
threading.Thread._bootstrap_inner = named
"""
"""Loaded by Python as it starts: the kernel then knows the names of threads."""


def main() -> None:
    """Print the table of each round, then the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("versions", nargs="+", metavar="NAME=REPOSITORY")
    parser.add_argument("--rounds", type=int, default=1)
    chosen = parser.parse_args()
    versions = dict(each.partition("=")[::2] for each in chosen.versions)
    rounds = [_measure({name: Path(path).resolve() for name, path in versions.items()}) for _ in range(chosen.rounds)]
    threads = sorted({key for found in rounds for each in found.values() for key in each})
    print(f"{'ms a second':16}", *(f"{name:>10}" for name in versions))
    for thread in threads:
        print(f"{thread:16}", *(f"{statistics.median(r[name][thread] for r in rounds):10.2f}" for name in versions))
    print(f"{'all':16}", *(f"{statistics.median(r[name].total() for r in rounds):10.2f}" for name in versions))


def _measure(versions: dict[str, Path]) -> dict[str, Counter[str]]:
    """Return for each version the milliseconds a second of its threads, by their names, during one build."""
    with workplace() as place, contextlib.ExitStack() as stack:
        place.joinpath("sitecustomize.py").write_text(NAMED, encoding="ascii")
        processes = {}
        for name, repository in versions.items():
            (place / name / "journal").mkdir(parents=True)
            other_version["PYTHONPATH"] = f"{repository / 'exporter'}:{place}"
            processes[name] = stack.enter_context(exporter(place / name))
            other_version.clear()
        ended = threading.Event()
        journals = [place / name / "journal" for name in versions]
        chores = [
            threading.Thread(target=_copy, args=(place / "journal", journals, ended)),
            threading.Thread(target=_scrape, args=(list(processes.values()), ended)),
        ]
        environment = events(place, "journal")
        for chore in chores:
            chore.start()
        before, began = {name: _threads(each) for name, each in processes.items()}, time.monotonic()
        try:
            build(place, _steps(place), MONITORED, **environment)
            took = time.monotonic() - began
            spent = {name: _threads(each) - before[name] for name, each in processes.items()}
        finally:
            ended.set()
            for chore in chores:
                chore.join()
    return {name: Counter({key: used / took / 1e6 for key, used in each.items()}) for name, each in spent.items()}


def _steps(place: Path) -> list[str]:
    directories = [place / f"package-{number}" for number in range(STEPS)]
    for directory in directories:
        directory.mkdir()
        objects = " ".join(f"part{number}.o" for number in range(FILES))
        directory.joinpath("Makefile").write_text(MAKEFILE.format(objects=objects), encoding="ascii")
    return list(map(str, directories))


def _threads(process: Process) -> Counter[str]:
    """Return the nanoseconds of CPU time of a process's threads so far, by their names."""
    found: Counter[str] = Counter()
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        with contextlib.suppress(OSError):
            used = int(task.joinpath("schedstat").read_text("ascii").split()[0])
            found[task.joinpath("comm").read_text("utf-8").strip()] += used
    return found


def _copy(source: Path, journals: Sequence[Path], ended: threading.Event) -> None:
    """Append what the hook writes to the journal of each version, until the build has ended."""
    done: Counter[Path] = Counter()
    while not ended.wait(0.01):
        for path in source.glob("*/*.jsonl"):
            lines = path.read_bytes()[done[path] :]
            lines = lines[: lines.rfind(b"\n") + 1]
            done[path] += len(lines)
            for target in (journal / path.relative_to(source) for journal in journals if lines):
                target.parent.mkdir(exist_ok=True)
                with target.open("ab", buffering=0) as file:
                    file.write(lines)


def _scrape(processes: Sequence[Process], ended: threading.Event) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(each.port, headers=OPENMETRICS_GZIP)) for each in processes]
        while not ended.wait(1.0):
            for client in clients:
                client.get()


if __name__ == "__main__":
    main()
