"""Durations of a run's steps, in the order of their start, kept for later runs."""

from __future__ import annotations

import bisect
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from build_exporter.model.states import StepState

if TYPE_CHECKING:
    from build_exporter.tracker.state import Run
    from build_exporter.tracker.step import Step

COARSE: Final = 1.0
"""Seconds by which clocks may differ that were never set."""
IDLE_REPEAT: Final = 0.05
"""A step repeated after a success in less than this share of its time had nothing to do."""
_SUCCEEDED: Final = StepState.SUCCEEDED
MAX_PAST_STEPS: Final = 20_000
"""Steps kept of one run for estimates: the largest BitBake builds have half of that."""


@dataclass(frozen=True, slots=True)
class PastStep:
    """A step that succeeded.

    `start` is in seconds after the run's own start, `seconds` what the step took; `beside` counts the other steps that
    ran when it began.
    """

    phase: str
    step: str
    package: str | None
    version: str | None
    start: float
    seconds: float
    beside: int = 0


def work_seconds(run: Run, step: Step) -> float | None:
    """Return the seconds of the newest attempt that did a step's work; None where it has no duration."""
    before, seconds = run.worked.get(step.key, 0.0), step.seconds
    return before if seconds is not None and seconds < IDLE_REPEAT * before else seconds


def keep_work(run: Run, step: Step) -> None:
    """Keep what a step that is about to be repeated took, for where the repeat has nothing to do."""
    seconds = step.seconds
    if step.state is _SUCCEEDED and seconds is not None and seconds >= IDLE_REPEAT * run.worked.get(step.key, 0.0):
        run.worked[step.key] = seconds


def past_steps(run: Run) -> tuple[PastStep, ...]:
    """Return the steps of a run that succeeded, in the order in which they began.

    Where the clock was set back to before the run's start, that is the order of the journal.
    """
    origin = run.start or 0.0
    taken = [
        ((step.end or 0.0) - step.seconds if step.start is None else step.start, step)
        for step in run.steps.values()
        if step.state is StepState.SUCCEEDED and step.seconds is not None
    ]
    starts = sorted(start for start, _ in taken)
    if starts and starts[0] >= origin - COARSE:
        taken.sort(key=lambda each: each[0])
    ends = sorted(step.end if step.end is not None else start for start, step in taken)
    return tuple(
        PastStep(
            sys.intern(step.phase),
            sys.intern(step.step),
            step.package and sys.intern(step.package),
            step.version and sys.intern(step.version),
            start - origin,
            work_seconds(run, step) or 0.0,
            max(0, bisect.bisect_left(starts, start) - bisect.bisect_right(ends, start)),
        )
        for start, step in taken[:MAX_PAST_STEPS]
    )
