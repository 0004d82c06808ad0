"""The earlier runs of a build as the plan of the next one: its steps where it has no plan, their weights where it has.

All of this is set when a run's state is made, before its first event: so a restart, which reads the same runs in the
same order, comes to the same progress.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from build_exporter.model.events import PlannedStep
from build_exporter.tracker.durations import PastStep
from build_exporter.tracker.names import Name, name_of

RUNS: Final = 3
"""Earlier runs that a step's usual time is the median of."""
ALIKE: Final = 0.8
"""Share of the steps that two runs must have in common for one to be a plan for the next."""
SIDE_BY_SIDE: Final = 1.15
"""Mean number of steps at once from which the order of an earlier run says little of the next one's."""


@dataclass(frozen=True, slots=True)
class EarlierRuns:
    """Predictions of earlier runs for the next.

    Attributes:
        steps: the steps of the newest run that succeeded, in their order; empty where runs are of different steps.
        places: each step's place among them by its bare name.
        seconds: usual time of a step by its bare name.
        sequential: whether they ran one after the other, in the same order in the newest two runs.
    """

    steps: tuple[PlannedStep, ...]
    places: Mapping[Name, int]
    seconds: Mapping[Name, float]
    sequential: bool


def earlier_runs(runs: Sequence[tuple[tuple[PastStep, ...], float]]) -> EarlierRuns | None:
    """Return what succeeded runs predict for the next one, None without any.

    Args:
        runs: each with its steps and the mean number of them that ran at once, the newest first.
    """
    if not runs:
        return None
    taken: dict[Name, list[float]] = {}
    names = [[name_of(step.phase, step.step, step.version) for step in steps] for steps, _ in runs[:RUNS]]
    for (steps, _), named in zip(runs, names, strict=False):
        for step, name in zip(steps, named, strict=True):
            taken.setdefault(name, []).append(step.seconds)
    newest, concurrency = runs[0]
    is_plan = len(names) == 1 or _alike(set(names[0]), set(names[1]))
    return EarlierRuns(
        steps=tuple(PlannedStep(phase=s.phase, step=s.step, package=s.package, version=s.version) for s in newest)
        if is_plan
        else (),
        places={name: place for place, name in enumerate(names[0])} if is_plan else {},
        seconds={name: statistics.median(each) for name, each in taken.items()},
        sequential=concurrency < SIDE_BY_SIDE and all(_same_order(names[0], other) for other in names[1:2]),
    )


def _alike(first: set[Name], second: set[Name]) -> bool:
    return len(first & second) >= ALIKE * len(first | second)


def _same_order(first: Sequence[Name], second: Sequence[Name]) -> bool:
    """Return whether the steps of both are in one order: a clock set meanwhile leaves them in another."""
    both = set(first) & set(second)
    return [name for name in first if name in both] == [name for name in second if name in both]
