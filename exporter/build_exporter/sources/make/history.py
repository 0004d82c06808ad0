"""Earlier runs of a build in the journal: which one a log belongs to, and the steps to expect."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from build_exporter.journal.layout import run_path, runs
from build_exporter.model.events import PlannedStep
from build_exporter.model.names import run_start
from build_exporter.model.states import BuildState, StepState
from build_exporter.sources.attach import read_run
from build_exporter.tracker import Key, Run, Step

MAX_RUNS_READ = 10
"""Earlier runs among which one that succeeded is looked for."""

SLACK_SECONDS = 1.0


class Earlier(NamedTuple):
    """An earlier run: its steps as a plan, and how many tasks each had, where they were counted."""

    steps: list[PlannedStep]
    tasks: dict[Key, int]


def newest(journal: str, build: str) -> Run | None:
    """Return the newest run of a build, None where there is none or it can't be read."""
    for name in reversed(runs(journal, build)):
        try:
            return read_run(run_path(journal, build, name), build, name)
        except OSError:
            continue
    return None


def is_of(run: Run, written: float) -> bool:
    """Return whether a log last written to at a time, in Unix seconds, is the one a run was read from.

    It is where the run continues, or ended with that last change.
    """
    if run.start is None or run.start > written + SLACK_SECONDS:
        return False
    return run.status is None or run.end is None or run.end >= written - SLACK_SECONDS


def earlier_steps(journal: str, build: str, start: float) -> Earlier:
    """Return the steps of the newest run before `start` (Unix seconds) that succeeded, as a plan; else nothing.

    Steps whose duration is not known are planned without one. Those that ran side by side share that time, so that
    all together are planned with the time that passed.
    """
    before = [name for name in runs(journal, build) if run_start(name) < int(start)]
    for name in reversed(before[-MAX_RUNS_READ:]):
        try:
            run = read_run(run_path(journal, build, name), build, name)
        except OSError:
            continue
        if run.status is BuildState.SUCCEEDED:
            done = [step for step in run.steps.values() if step.state is StepState.SUCCEEDED]
            done.sort(key=lambda step: step.starts[0] if step.starts else step.end or 0.0)
            tasks = {step.key: run.logs[step.key].tasks for step in done if step.key in run.logs}
            seconds = distribute_seconds(done, tasks)
            return Earlier([_planned(step.phase, step.step, seconds.get(step.key)) for step in done], tasks)
    return Earlier([], {})


def distribute_seconds(steps: Iterable[Step], tasks: Mapping[Key, int]) -> dict[Key, float]:
    """Return the seconds of each step whose duration is known, less what others did while it ran.

    Of the time in which several ran each has the share that its tasks a second have of theirs; where one of them has
    no tasks counted, all have the same.
    """
    spans = {s.key: (s.start, s.start + s.seconds) for s in steps if s.start is not None and s.seconds is not None}
    found = dict.fromkeys(spans, 0.0)
    moments = sorted({moment for span in spans.values() for moment in span})
    for begin, end in itertools.pairwise(moments):
        at_work = [key for key, span in spans.items() if span[0] <= begin and span[1] >= end]
        rates = [tasks.get(key, 0) / (spans[key][1] - spans[key][0]) for key in at_work]
        whole = sum(rates) if all(rates) else 0.0
        for key, rate in zip(at_work, rates, strict=True):
            found[key] += (end - begin) * (rate / whole if whole else 1.0 / len(at_work))
    return found


def _planned(phase: str, step: str, seconds: float | None) -> PlannedStep:
    return PlannedStep(phase=phase, step=step, expected_seconds=round(seconds, 3) if seconds is not None else None)
