"""How far a step is, by what build tools print: ninja's `[12/480]`, percents of cmake and of kernel-like builds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from build_exporter.model.events import Event, StepProgress
from build_exporter.sources.inside.reader import Look

_COUNTED: Final = re.compile(r"^\s*\[\s*(\d{1,7})/(\d{1,7})\]")
_PERCENT: Final = re.compile(r"^\s*\[\s*(\d{1,3})%\]\s")

LEAST_TOTAL: Final = 10
"""A counter to less than this is one of the small runs of ninja before and after the real one."""

CEILING: Final = 0.99
"""Most that a log tells: the step itself says when it is done."""

GAIN: Final = 0.01
"""Least gain of a step's ratio that is worth a line in the journal."""

NEXT_ROUND_SHARE: Final = 0.5
"""Where counting starts over, so much of what is left of the step is taken to be the new round."""


class LogProgress:
    """The share of a step that is done, from 0 to `CEILING`, by the lines of its log; it never goes back.

    A step may count more than once, as when it builds for two targets one after the other: each new round is given
    half of what was left, since how many there are is nowhere said.
    """

    def __init__(self) -> None:
        self.ratio = 0.0
        self._told = 0.0
        self._base = 0.0
        self._round = 0.0
        self._share = 1.0

    def feed(self, line: str) -> None:
        """Take one line into account."""
        share = _share(line)
        if share is None:
            return
        if share < self._round - 0.5:
            # counted back by more than parallel jobs can: a new round
            self._base = self.ratio
            self._share = (1.0 - self._base) * NEXT_ROUND_SHARE
            self._round = 0.0
        self._round = max(self._round, share)
        self.ratio = min(CEILING, max(self.ratio, self._base + self._share * self._round))

    def tell(self, look: Look) -> Iterator[Event]:
        """Yield the ratio of a step that runs, once it has grown enough."""
        step = look.step
        if not look.over and self.ratio >= max(self._told, step.ratio or 0.0) + GAIN:
            self._told = round(self.ratio, 4)
            yield StepProgress(time=look.time, build=look.run.build, phase=step.phase, step=step.step, ratio=self._told)


def _share(line: str) -> float | None:
    counted = _COUNTED.match(line)
    if counted is not None:
        done, total = int(counted[1]), int(counted[2])
        return done / total if total >= LEAST_TOTAL and done <= total else None
    percent = _PERCENT.match(line)
    return min(100, int(percent[1])) / 100 if percent is not None else None
