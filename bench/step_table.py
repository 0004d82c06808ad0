"""Make the shipped table of typical step times from records of LFS builds: figures only.

    python -m bench.step_table RECORDS [--book DIR] > exporter/build_exporter/estimate/step-times.tsv

RECORDS is a directory with jhalfs trees and reports of builds, anywhere below it. All times are in SBU: what the first
step takes on one core. A step's time on N cores is `serial + parallel / N`, in a build that runs the toolchain's tests
plus `critical`, in one that runs all tests plus `all`; with every further ABI of a multilib build it takes `abi` times
the first part more; `measured` says with which tests a run had it, by their first letters. What the records can't tell
apart is taken from the LFS book's figures or from similar steps.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

from bench.step_table_fit import Cell, Fit, by_book, fit
from build_exporter.journal.follow import Follower
from build_exporter.plan.book import read_book
from build_exporter.tracker import Run, apply_all
from build_exporter.tracker.names import Name, name_of

HEADER = "phase\tname\tserial\tparallel\tcritical\tall\tabi\tmeasured"
FIRST: Name = ("chapter-5", "binutils-pass1")
GLIBC: Name = ("chapter-5", "glibc")
TESTED_PHASE = "chapter-8"
"""The chapter whose figures in the book are with all tests; the temporary tools before it have none."""
TOOLCHAIN = {"binutils", "gcc", "glibc", "gmp", "mpc", "mpfr"}
"""Packages whose tests run where those of the toolchain do."""
LEAST_SECONDS = 0.5
"""A step that took no whole second took about half of one."""


@dataclass(frozen=True)
class Recorded:
    """One run: -j, tests, number of ABIs, seconds by name."""

    jobs: int
    tests: str
    abis: int
    seconds: Mapping[Name, float]


def recorded_runs(records: Path) -> Iterator[Recorded]:
    """Yield the finished runs below a directory, imported as a user would."""
    with tempfile.TemporaryDirectory() as journal:
        trees = sorted(path.parent for path in records.rglob("Makefile") if (path.parent / "logs").is_dir())
        loose = {path.parent for path in records.rglob("*.report")} - set(trees)
        kinds = [("jhalfs", path) for path in trees] + [("jhalfs-report", path) for path in sorted(loose)]
        for number, (kind, path) in enumerate(kinds):
            command = ["build-exporter", "import", kind, str(path), "--build", f"b{number}", "--journal", journal]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{path}: {done.stderr.strip()}", file=sys.stderr)
        yield from (recorded(run) for run in _all_runs(journal) if run.finished["succeeded"] > 100 and run.jobs)


def _all_runs(journal: str) -> Iterator[Run]:
    follower = Follower(journal)
    newest = {(batch.build, batch.run): batch.events for batch in follower.poll()}
    for (build, name), events in newest.items():
        run = Run(build, name)
        apply_all(run, events)
        yield run
    for build in follower.build_names():
        for name in follower.older_runs(build):
            run = Run(build, name)
            for events in follower.read_older(build, name):
                apply_all(run, events)
            yield run
    follower.close()


def recorded(run: Run) -> Recorded:
    """Return a run's settings and its steps' seconds."""
    seconds = {
        name_of(step.phase, step.step, step.version): max(step.seconds, LEAST_SECONDS)
        for step in run.steps.values()
        if step.seconds is not None and step.state.is_done
    }
    return Recorded(run.jobs or 1, run.tests or "none", 1, seconds)


def with_abis(runs: list[Recorded]) -> list[Recorded]:
    """Return the runs with their number of ABIs, as the C library's time beside that of the others shows it."""
    known = [run for run in runs if {GLIBC, FIRST} <= run.seconds.keys()]
    single: dict[int, float] = {}
    for run in known:
        # the two don't gain the same from more jobs
        single[run.jobs] = min(run.seconds[GLIBC] / run.seconds[FIRST], single.get(run.jobs, inf))
    return [
        replace(run, abis=max(1, round(run.seconds[GLIBC] / run.seconds[FIRST] / single[run.jobs]))) for run in known
    ]


def table(runs: list[Recorded], book: Mapping[Name, float]) -> Iterator[tuple[Name, Fit]]:
    """Yield each step's figures in seconds, in the order of the longest run."""
    cells: dict[Name, dict[Cell, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        for name, seconds in run.seconds.items():
            cells[name][Cell(run.jobs, run.tests, run.abis)].append(seconds)
    order = {
        name: place for run in sorted(runs, key=lambda run: len(run.seconds)) for place, name in enumerate(run.seconds)
    }
    unit = fit({cell: statistics.median(taken) for cell, taken in cells[FIRST].items()})
    for name in sorted(cells, key=lambda name: (_chapter(name[0]), order[name])):
        found = fit({cell: statistics.median(taken) for cell, taken in cells[name].items()})
        found = found.scaled(1.0 / unit.on(1))
        if name[0] == TESTED_PHASE:
            found = found.with_all_tests(book.get(name))
        yield name, replace(found, measured=_measured(name, {cell.tests for cell in cells[name]}, found))
    for name in book.keys() - cells.keys():
        yield name, by_book(book[name])


def _measured(name: Name, scopes: set[str], found: Fit) -> str:
    """Return the first letters of the tests with which a step's time is known: of all of them where it has none."""
    if name[0] != TESTED_PHASE or name[1] not in TOOLCHAIN:
        scopes = scopes | {"none", "critical"}
    if found.all <= found.critical:
        scopes = scopes | {"all"}
    return "".join(sorted(scope[0] for scope in scopes))


def _chapter(phase: str) -> tuple[int, str]:
    number = phase.rpartition("-")[2]
    return (int(number) if number.isdigit() else 99, phase)


def book_figures(book: Path | None) -> dict[Name, float]:
    """Return the book's SBU by name."""
    if book is None:
        return {}
    plans = [read_book(book, revision) for revision in ("sysv", "systemd")]
    steps = [step.planned for plan in plans for step in plan.steps]
    return {name_of(step.phase, step.step, step.version): step.sbu for step in steps if step.sbu is not None}


def lines(rows: Iterable[tuple[Name, Fit]]) -> Iterator[str]:
    """Yield the table's lines."""
    yield HEADER
    for (phase, name), found in rows:
        figures = (found.serial, found.parallel, found.critical, found.all, found.abi)
        yield "\t".join([phase, name, *(f"{figure:.3g}" for figure in figures), found.measured])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path)
    parser.add_argument("--book", type=Path, help="the LFS book's XML, for the time that all tests take")
    arguments = parser.parse_args()
    runs = with_abis(list(recorded_runs(arguments.records)))
    print("\n".join(lines(table(runs, book_figures(arguments.book)))))


if __name__ == "__main__":
    main()
