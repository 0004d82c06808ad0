"""How far a running step is, out of its log: counters, its size against the last attempt's, and the clock, in one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from build_exporter.model.events import Event, StepProgress
from build_exporter.model.states import StepState
from build_exporter.sources.inside.counters import COUNTER_BEGINS, Counters
from build_exporter.sources.inside.fuse import (
    COUNTER_ERROR,
    LAST_TIME_ERROR,
    OTHER_VERSION,
    PLANNED_TIME_ERROR,
    Evidence,
    by_log,
    by_time,
    fuse,
)
from build_exporter.sources.inside.reader import Look
from build_exporter.sources.inside.size import LEAST_SECONDS, TASK_BEGINS, Growth, is_task
from build_exporter.tracker import expected_seconds

CEILING: Final = 0.995
"""Most that is told: the step itself says when it is done."""

GAIN: Final = 0.01
"""Least gain of a step's ratio that is worth a line in the journal."""


_BEGINS: Final = TASK_BEGINS | COUNTER_BEGINS
_ENDS: Final = frozenset("])")


GAIN_SECONDS: Final = 2.0
SOON_GAIN: Final = 0.05
"""And least gain so soon after the last: a build of thousands of steps would tell a hundred times of each."""


class LogProgress:
    """The share of a step that is done; it never goes back. What its log amounted to is told when it is over."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.growth = Growth()
        self.tasks = 0
        self._told_time = 0.0

    def feed(self, line: str) -> None:
        """Take one line into account."""
        # most lines are none of these, and cost no more than two looks
        if line[:1] in _BEGINS or line[-1:] in _ENDS:
            self.counters.feed(line)
            self.tasks += is_task(line)
        elif " -c " in line:
            self.tasks += 1

    def tell(self, look: Look) -> Iterator[Event]:
        """Yield the ratio of a step that runs, once it has grown enough; of one that succeeded, how its log grew."""
        step = look.step
        elapsed = max(0.0, look.time - step.start) if step.start is not None else 0.0
        if look.over:
            yield from self._amount(look)
            return
        self.growth.see(elapsed, look.read_bytes, self.tasks)
        ratio = None if step.ratio_told or step.start is None else self.ratio(look, elapsed)
        if ratio is None or (step.ratio is not None and not self._is_gain(ratio - step.ratio, look.time)):
            return
        self._told_time = look.time
        yield StepProgress(
            time=look.time,
            build=look.run.build,
            phase=step.phase,
            step=step.step,
            ratio=round(min(CEILING, ratio), 4),
            estimated=True,
        )

    def _is_gain(self, gain: float, time: float) -> bool:
        return gain >= (GAIN if time - self._told_time >= GAIN_SECONDS else SOON_GAIN)

    def ratio(self, look: Look, elapsed: float) -> float | None:
        """Return the ratio that all evidence comes together in, None where the log holds none."""
        found = list(self._evidence(look, elapsed))
        return fuse(found + list(_time(look, elapsed))) if found else None

    def _evidence(self, look: Look, elapsed: float) -> Iterator[Evidence]:
        if self.counters.share is not None:
            yield Evidence(self.counters.share, COUNTER_ERROR)
        if look.last is not None:
            yield by_log(look.last, self.growth, elapsed, same_version=_is_same_version(look))

    def _amount(self, look: Look) -> Iterator[Event]:
        step, size = look.step, look.read_bytes
        if step.state is not StepState.SUCCEEDED or not size or (step.seconds or 0.0) < LEAST_SECONDS:
            return
        known = look.run.logs.get(step.key)
        if known is not None and known.size == size and known.seconds == step.seconds:
            return
        self.growth.see(step.seconds or 0.0, size, self.tasks)
        yield StepProgress(
            time=look.time,
            build=look.run.build,
            phase=step.phase,
            step=step.step,
            log_bytes=size,
            log_tasks=self.tasks,
            log_curve=self.growth.curve(step.seconds or 0.0),
        )


def _time(look: Look, elapsed: float) -> Iterator[Evidence]:
    """Yield what the clock says: by what the step took the last time, else by what is planned."""
    last = look.last
    if last is not None and last.seconds > 0:
        error = LAST_TIME_ERROR if _is_same_version(look) else LAST_TIME_ERROR * OTHER_VERSION
        yield by_time(elapsed, last.seconds, error)
        return
    expected = expected_seconds(look.run, look.step)
    if expected:
        yield by_time(elapsed, expected, PLANNED_TIME_ERROR)


def _is_same_version(look: Look) -> bool:
    return look.last is not None and look.last.version == look.step.version
