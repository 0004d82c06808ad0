"""What answers show of all steps of a run: found in one pass, and kept until a step starts, ends or reports more."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Final

from build_exporter import summary
from build_exporter.model.states import StepState
from build_exporter.queries.suites import Suite, TestSums, suites_of, test_sums
from build_exporter.tracker import Run, Step, kept

MAX_AROUND: Final = 20
"""Steps that ended last, and that come next."""


@dataclass(slots=True)
class Course:
    """The steps that ended last, the newest first, and those that come next, at most 20 each; sums; tests.

    Attributes:
        ends: when each succeeded step ended, in order.
        warnings: of all steps that do not run.
        retried: how many steps were begun more than once.
        tests, suites, bad_suites: all test results; None and empty where there are none.
    """

    recent: list[Step] = field(default_factory=list)
    upcoming: list[Step] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    read_bytes: int = 0
    written_bytes: int = 0
    warnings: int = 0
    retried: int = 0
    tests: TestSums | None = None
    suites: list[Suite] = field(default_factory=list)
    bad_suites: list[summary.Suite] = field(default_factory=list)


@kept
def course(run: Run) -> Course:
    """Return the course of a run."""
    found, ended, tested = Course(), list[Step](), list[Step]()
    running, pending = StepState.RUNNING, StepState.PENDING
    for step in list(run.steps.values()):
        if step.tests:
            tested.append(step)
        state = step.state
        if state is pending:
            if len(found.upcoming) < MAX_AROUND:
                found.upcoming.append(step)
            continue
        found.retried += step.attempts > 1
        if state is running:
            continue
        if step.end is not None:
            ended.append(step)
            if state is StepState.SUCCEEDED:
                found.ends.append(step.end)
        found.seconds += step.seconds or 0.0
        found.warnings += step.warnings or 0
        if step.used is not None:
            used = step.figures
            found.cpu_seconds += used.cpu_seconds or 0.0
            found.read_bytes += used.read_bytes or 0
            found.written_bytes += used.written_bytes or 0
    found.recent = heapq.nlargest(MAX_AROUND, ended, key=lambda step: (step.end or 0.0, step.index))
    found.ends.sort()
    found.tests, found.suites = test_sums(tested), suites_of(tested)
    found.bad_suites = list(summary.bad_suites(tested))
    return found
