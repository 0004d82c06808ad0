"""Estimate of a plan on this machine before its first step: the total with its band, and the longest steps."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from build_exporter.estimate import Estimate, Estimator, StepOutlook
from build_exporter.estimate.parallel import schedule_of
from build_exporter.formatting import clock_time, duration
from build_exporter.journal.layout import pid_namespace
from build_exporter.model.events import BuildStarted, Plan, TestScope, Toolchain
from build_exporter.model.names import run_name
from build_exporter.model.text import plain_line
from build_exporter.monitor import read_builds
from build_exporter.plan.weighted import WeightedPlan
from build_exporter.toolchain.files import Files
from build_exporter.toolchain.machine import this_machine
from build_exporter.tracker import Tracker

LONGEST: Final = 10


@dataclass(frozen=True, slots=True)
class PlanEstimate:
    """An estimate of a whole plan; `steps` are all of its steps. Without one nothing is known of any of them."""

    jobs: int
    estimate: Estimate | None
    steps: tuple[StepOutlook, ...]

    @property
    def longest(self) -> list[StepOutlook]:
        """The steps that take longest, the longest first."""
        return sorted(self.steps, key=lambda step: -step.expected_seconds)[:LONGEST]


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a plan is to be built: its line of builds, -j, whose tests run, how many steps at once; None: as usual."""

    build: str | None
    jobs: int | None
    tests: TestScope | None
    at_once: int | None


def estimate_plan(plan: WeightedPlan, journal: str, wanted: Wanted) -> PlanEstimate:
    """Return what a plan should take: by the journal's runs, the plan's figures and typical times of steps."""
    now = round(time.time(), 6)
    is_there = os.path.isdir(journal)  # noqa: PTH112 - a path as text
    tracker = read_builds(journal, history=True) if is_there else Tracker()
    name = wanted.build or "plan"
    used = wanted.jobs or os.cpu_count() or 1
    steps = [step.planned for step in plan.steps]
    started = BuildStarted(time=now, build=name, jobs=used, tests=wanted.tests, pid_namespace=pid_namespace())
    run = tracker.feed(name, run_name(now), [started, _here(now, name), Plan(time=now, build=name, steps=steps)])
    outlook = Estimator(tracker.builds).outlook(run, now)
    if outlook is None:
        return PlanEstimate(used, None, ())
    if wanted.at_once is not None:
        outlook.parallel = schedule_of(run, outlook.expected, wanted.at_once, now)
    return PlanEstimate(used, outlook.at(run, now), tuple(outlook.steps(run, now)))


def _here(now: float, build: str) -> Toolchain:
    """Return this machine as a survey records it: runs from before it was started again are known by that."""
    seen = this_machine(Files())
    host, libc, machine = (name or None for name in (seen.triplet, seen.libc, seen.id))
    return Toolchain(time=now, build=build, host=host, kernel=seen.kernel, libc=libc, machine=machine)


def estimate_object(found: PlanEstimate) -> dict[str, Any]:
    """Return an estimate as plain data; seconds."""
    estimate = found.estimate
    return {
        "jobs": found.jobs,
        "seconds": dict(estimate.by_percentile) if estimate is not None else None,
        "basis": estimate.basis if estimate is not None else "nothing is known of how long its steps take",
        "longest": [
            {"phase": each.step.phase, "step": each.step.step, "expected_seconds": round(each.expected_seconds, 3)}
            for each in found.longest
        ],
    }


def estimate_lines(found: PlanEstimate) -> Iterator[str]:
    """Yield an estimate as a person reads it."""
    estimate = found.estimate
    if estimate is None:
        yield "Estimate: none, nothing is known of how long its steps take."
        return
    band = f"{duration(estimate.low)} to {duration(estimate.high)}"
    yield f"Estimate at -j{found.jobs}: {duration(estimate.middle)} (in 8 of 10 cases {band}),"
    yield f"if it began now, done about {clock_time(time.time() + estimate.middle)}; by {plain_line(estimate.basis)}."
    yield "The longest steps:"
    for each in found.longest:
        yield f"  {plain_line(f'{each.step.phase}/{each.step.step}'):<48} {duration(each.expected_seconds):>12}"
