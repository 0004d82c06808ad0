"""A plan with its steps' weights for display: ranges and the books' own wording beside the numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from build_exporter.model.events import PlannedMilestone, PlannedStep
from build_exporter.plan.book_figures import Figure


@dataclass(frozen=True, slots=True)
class WeightedStep:
    """A step of a plan, and the figures behind its numbers where they are more than a number."""

    planned: PlannedStep
    sbu: Figure | None = None
    disk: Figure | None = None


@dataclass(frozen=True, slots=True)
class WeightedPlan:
    """A plan.

    Attributes:
        steps: in their order.
        milestones: in order.
        notes: what could not be read or matched, a line each.
        tarballs: the directory of the steps' files, None if the plan names none.
    """

    steps: tuple[WeightedStep, ...]
    milestones: tuple[PlannedMilestone, ...] = ()
    notes: tuple[str, ...] = ()
    tarballs: str | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """Totals of steps.

    Attributes:
        steps: how many they are.
        weighted: how many of them have an SBU.
        less_than: for how many only an upper bound is known.
        sbu_low: sum of the least each may take.
        sbu: sum of the numbers that stand for them.
        sbu_high: sum of the most each may take.
        seconds: sum of the expected durations, None where no step has one.
        disk_bytes: the most that one step needs, None if unknown.
        memory_bytes: the most that one step needs, None if unknown.
    """

    steps: int
    weighted: int
    less_than: int
    sbu_low: float
    sbu: float
    sbu_high: float
    seconds: float | None
    disk_bytes: int | None
    memory_bytes: int | None


def totals(steps: Iterable[WeightedStep]) -> Totals:
    """Return what steps come to."""
    steps = list(steps)
    numbers = [step.planned.sbu for step in steps if step.planned.sbu is not None]
    seconds = [step.planned.expected_seconds for step in steps if step.planned.expected_seconds is not None]
    return Totals(
        steps=len(steps),
        weighted=len(numbers),
        less_than=sum(step.sbu is not None and step.sbu.less_than for step in steps),
        sbu_low=_sum(step.sbu.low if step.sbu else step.planned.sbu for step in steps),
        sbu=_sum(numbers),
        sbu_high=_sum(step.sbu.high if step.sbu else step.planned.sbu for step in steps),
        seconds=sum(seconds) if seconds else None,
        disk_bytes=max((s.planned.disk_bytes for s in steps if s.planned.disk_bytes is not None), default=None),
        memory_bytes=max((s.planned.memory_bytes for s in steps if s.planned.memory_bytes is not None), default=None),
    )


def by_phase(steps: Sequence[WeightedStep]) -> dict[str, list[WeightedStep]]:
    """Return the steps by phase, phases in the order in which they begin."""
    found: dict[str, list[WeightedStep]] = {}
    for step in steps:
        found.setdefault(step.planned.phase, []).append(step)
    return found


def _sum(numbers: Iterable[float | None]) -> float:
    # hundredths are finer than any book prints, and 0.1 + 0.2 is not to be seen
    return round(sum(number for number in numbers if number is not None), 6)
