"""The earlier runs known on this machine, by step: what each step took, the newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from itertools import pairwise
from math import log
from statistics import median
from typing import Final, NamedTuple

from build_exporter.estimate.abis import abis_of
from build_exporter.estimate.table import DEFAULT_JOBS, typical_steps
from build_exporter.tracker import Build, Machine, PastStep, Run, RunSummary, summarise
from build_exporter.tracker.names import Name, name_of, package_of

MAX_OWN: Final = 6
"""Earlier times of a step that count: with each weighing half of the one after it, more would not show."""
MAX_OTHERS: Final = 3
MAX_OTHER_RUNS: Final = 3
"""Newest runs of another build that are looked at."""
LEAST_OF_ANOTHER: Final = 3
"""Steps that another build's run must share to be one of the same work."""
MAX_RUNS: Final = 400
SBU_RUNS: Final = 3
"""Newest runs, and other builds, that are looked at for what an SBU takes."""
ZERO_SECONDS: Final = 0.3
"""Assumed seconds of a step recorded as 0 s, by writers that count whole seconds."""
LEAST_SECONDS: Final = 0.01
MAX_SECONDS: Final = 3 * 86400.0
"""No step takes longer; what is recorded as longer is a clock set forward, or a machine that slept."""
LEAST_SHARED: Final = 5
"""Steps that two runs must share to show how much faster one was."""
TELLING_SECONDS: Final = 5.0
OTHER_MACHINE: Final = 0.3
"""Runs further apart than this (logarithm) are of another machine, or a disturbed one, and no measure of this one."""
RECENT: Final = 60
"""Steps of earlier runs whose pace says something of the run after them."""


class Taken(NamedTuple):
    """An earlier time of a step: the run (place in `History.runs`), its logarithm, steps beside it, version."""

    run: int
    seconds: float
    beside: int
    version: str | None = None


@dataclass(frozen=True, slots=True)
class PastRun:
    """An earlier run: of which build, whether of the same one, and what it ran like; `abis` as its steps show them."""

    build: str
    run: str
    own: bool
    jobs: int | None
    tests: str | None
    result: str
    gap_ratio: float
    concurrency: float
    steps: tuple[PastStep, ...]
    abis: int | None = None
    target: str = ""
    names: frozenset[Name] = frozenset()


@dataclass(slots=True, eq=False)
class History:
    """Earlier times of steps; `runs` has those of the same build first, each the newest first.

    Attributes:
        names: times by phase and bare name, the newest first.
        packages: times by package, of steps whose own name is not known.
        recent: the last steps of the same build's runs, the newest first, as (name, place in `names`).
        repeats: whether runs of this build consist of the same steps: those of Portage do not.
        sbu_seconds: what an SBU took in the newest run of this build that shows it, else of another one on its machine.
        paces: by how much each of the newest runs of the same build was slower than the one before it, as a logarithm.
    """

    runs: list[PastRun] = field(default_factory=list)
    names: dict[Name, list[Taken]] = field(default_factory=dict)
    packages: dict[str, list[Taken]] = field(default_factory=dict)
    recent: list[tuple[Name, Taken]] = field(default_factory=list)
    repeats: bool = True
    paces: list[float] = field(default_factory=list)
    sbu_seconds: float | None = None


def history_of(run: Run, builds: Mapping[str, Build]) -> History:
    """Return the earlier runs to compare a run with: those of its build before it, and the newest of other builds."""
    history = History()
    own = builds.get(run.build)
    machine = run.machine
    before = [each for each in newest_first(own) if each.run < run.run] if own is not None else []
    # those of another machine, however alike, count where this one has built none yet
    before = ([each for each in before if not machine.is_other(each.machine)] or before)[:MAX_RUNS]
    for summary in before:
        _add(history, run.build, summary, own=True)
    history.repeats = _repeats([past for past in history.runs if past.own])
    history.paces = _paces(history.runs[: MAX_OWN + 1])
    # most of many builds have no run that is over, and this is asked for each of them
    known = [each for each in list(builds.values()) if each.history or (each.current and each.current.status)]
    known = [each for each in known if each.name != run.build]
    mine = [each for each in before[:SBU_RUNS] if not machine.is_other(each.machine)]
    own_sbu = next(filter(None, map(_sbu_of, mine)), None)
    history.sbu_seconds = own_sbu or _sbu_elsewhere(known, machine)
    others = {each.name: _runs_over(each, run) for each in known}
    if any(others.values()):
        wanted = {name_of(step.phase, step.step, step.version) for step in list(run.steps.values())}
        for name, summaries in others.items():
            for summary in summaries[:MAX_OTHER_RUNS]:
                _add(history, name, summary, own=False, wanted=wanted)
    return history


def _runs_over(build: Build, run: Run) -> list[RunSummary]:
    """Return another build's runs that are over, the newest first; the last one only where it has steps of this run."""
    last = build.current
    if last is None or last.status is None or len(last.steps.keys() & run.steps.keys()) < LEAST_OF_ANOTHER:
        return newest_first(build) if build.history else []
    return [summarise(last), *newest_first(build)]


def _sbu_elsewhere(builds: Sequence[Build], machine: Machine) -> float | None:
    """Return what an SBU took in the builds that ran last on a machine, None where none of them shows it."""
    if not any(machine):
        return None
    current = [(last, each) for each in builds if (last := each.current) and machine.is_same(last.machine)]
    for last, build in nlargest(SBU_RUNS, current, key=lambda pair: pair[0].last_event or 0.0):
        newest = [summarise(last)] if last.status is not None else []
        summaries = [*newest, *newest_first(build)[:SBU_RUNS]]
        found = next(filter(None, (_sbu_of(each) for each in summaries if machine.is_same(each.machine))), None)
        if found is not None:
            return found
    return None


def _sbu_of(summary: RunSummary) -> float | None:
    """Return what an SBU took in a run: by its steps that the shipped table has, else by its plan."""
    table = typical_steps()
    named = [(name_of(step.phase, step.step, step.version), step.seconds) for step in summary.past]
    known = [(name, seconds) for name, seconds in named if name in table and seconds >= 1.0]
    if len(known) <= 2:
        return summary.sbu_seconds
    jobs, tests = summary.jobs or DEFAULT_JOBS, summary.tests or "none"
    abis = abis_of(known, jobs, tests) or 1
    ratios = sorted(seconds / table[name].sbu(jobs, tests, abis) for name, seconds in known)
    return ratios[len(ratios) // 2]


def newest_first(build: Build) -> list[RunSummary]:
    """Return a build's earlier runs, the newest first."""
    # copied first: the tracker may take another run meanwhile, in its own thread
    known = list(build.history.values())
    return sorted(known, key=lambda summary: summary.run, reverse=True)


def _repeats(runs: Sequence[PastRun]) -> bool:
    """Return whether the newest runs consist of the same steps, for the greater part."""
    pairs = [(first.names, second.names) for first, second in pairwise(runs[:4])]
    alike = [len(first & second) / (min(len(first), len(second)) or 1) for first, second in pairs]
    return not alike or max(alike) > 0.5


def _paces(runs: Sequence[PastRun]) -> list[float]:
    found = []
    for new, old in pairwise(runs):
        before = {(step.phase, step.step): step.seconds for step in old.steps if step.seconds > TELLING_SECONDS}
        shared = [(s.seconds, before[s.phase, s.step]) for s in new.steps if (s.phase, s.step) in before]
        ratios = [log(taken / earlier) for taken, earlier in shared if taken > TELLING_SECONDS]
        if len(ratios) >= LEAST_SHARED and new.jobs == old.jobs and abs(median(ratios)) < OTHER_MACHINE:
            found.append(median(ratios))
    return found


def _add(history: History, build: str, summary: RunSummary, *, own: bool, wanted: set[Name] | None = None) -> None:
    number = len(history.runs)
    steps = [step for step in summary.past if step.seconds <= MAX_SECONDS]
    if wanted is not None:
        shared = sum(name_of(step.phase, step.step, step.version) in wanted for step in steps)
        if shared < max(LEAST_OF_ANOTHER, len(wanted) // 5):
            return
    history.runs.append(
        PastRun(
            build,
            summary.run,
            own,
            summary.jobs,
            summary.tests,
            summary.result,
            summary.gap_ratio,
            summary.concurrency,
            summary.past,
            abis_of(
                ((name_of(step.phase, step.step, step.version), step.seconds) for step in steps),
                summary.jobs,
                summary.tests,
            ),
            summary.target,
            frozenset(name_of(step.phase, step.step, step.version) for step in summary.past),
        )
    )
    most = MAX_OWN if own else MAX_OWN + MAX_OTHERS
    for step in reversed(steps):
        taken = Taken(number, log_of(step.seconds), step.beside, step.version)
        name = name_of(step.phase, step.step, step.version)
        times = history.names.setdefault(name, [])
        if len(times) < most:
            times.append(taken)
        if own and len(history.recent) < RECENT:
            history.recent.append((name, taken))
        by_package = history.packages.setdefault(package_of(name, step.package), [])
        if len(by_package) < MAX_OWN:
            by_package.append(taken)


def log_of(seconds: float) -> float:
    """Return the logarithm of a step's seconds, of something small for 0."""
    if seconds >= LEAST_SECONDS:
        return log(seconds)
    return log(LEAST_SECONDS if seconds > 0 else ZERO_SECONDS)
