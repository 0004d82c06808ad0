"""Compare two runs step by step, and separate differences from noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from build_exporter.analysis.differences import DEVIATIONS, Cause, Difference, Floors, differences
from build_exporter.analysis.samples import Pace, Sample, pace_of, times_of
from build_exporter.tracker import Key, Run, RunSummary

PAIR_FLOORS: Final = Floors(ratio=1.3, seconds=30.0, samples=1)
"""Two runs alone say nothing of noise, so only large differences between them count."""


class StepChange(msgspec.Struct, frozen=True, kw_only=True):
    """A step in two runs; a figure is null in the run where the step did not succeed.

    `ratio` is after over before, `significant` whether it is beyond noise once the pace of the whole run is allowed
    for; `cause` says what explains it, null where nothing does.
    """

    phase: str
    step: str
    version_before: str | None
    version: str | None
    before_seconds: float | None
    seconds: float | None
    difference_seconds: float | None
    ratio: float | None
    significant: bool
    cause: Cause | None


class RunFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A run in a comparison: wall time, time in steps, steps that succeeded, failed attempts, parallel jobs."""

    run: str
    state: str
    start: float | None
    wall_seconds: float | None
    step_seconds: float
    steps_succeeded: int
    failed_attempts: int
    jobs: int | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two runs of a build. `steps` has the largest differences first; `pace_ratio` says how slow the run is overall."""

    build: str
    before: RunFigures
    after: RunFigures
    pace_ratio: float
    earlier_runs: int
    steps: list[StepChange]


def compare(before: Run, after: Run, history: Sequence[RunSummary] = ()) -> Comparison:
    """Return `after` against `before`; with earlier runs in `history` their noise decides what is significant."""
    old, new = times_of(before), times_of(after)
    pace = pace_of(new, {name: sample.seconds for name, sample in old.items()})
    judged = differences(after, history)
    known = {(each.phase, each.step): each for each in judged.differences}
    noise = _Noise(pace, known, enough=judged.earlier_runs >= Floors().samples)
    rows = [_change(old.get(name), new.get(name), noise) for name in [*new, *(name for name in old if name not in new)]]
    return Comparison(
        build=after.build,
        before=_figures(before),
        after=_figures(after),
        pace_ratio=pace.ratio,
        earlier_runs=judged.earlier_runs,
        steps=sorted(rows, key=_size, reverse=True),
    )


@dataclass(frozen=True, slots=True)
class _Noise:
    """Noise: the pace of the run, and the differences between earlier runs, if there are enough."""

    pace: Pace
    known: Mapping[Key, Difference]
    enough: bool


def _size(change: StepChange) -> tuple[bool, float]:
    return change.significant, abs(change.difference_seconds or 0.0)


def _change(old: Sample | None, new: Sample | None, noise: _Noise) -> StepChange:
    sample = new or old
    assert sample is not None
    both = old is not None and new is not None and old.seconds > 0 and new.seconds > 0
    ratio = new.seconds / old.seconds if old is not None and new is not None and both else None
    judged = noise.known.get(sample.key) if new is not None else None
    changed = old is not None and new is not None and new.version is not None and old.version != new.version
    significant = judged is not None if noise.enough else _is_clear(old, new, ratio, noise.pace)
    return StepChange(
        phase=sample.key[0],
        step=sample.key[1],
        version_before=old.version if old is not None else None,
        version=new.version if new is not None else None,
        before_seconds=old.seconds if old is not None else None,
        seconds=new.seconds if new is not None else None,
        difference_seconds=new.seconds - old.seconds if old is not None and new is not None else None,
        ratio=ratio,
        significant=significant,
        cause=judged.cause if judged is not None else "version" if significant and changed else None,
    )


def _is_clear(old: Sample | None, new: Sample | None, ratio: float | None, pace: Pace) -> bool:
    if ratio is None or old is None or new is None:
        return False
    least = max(math.log(PAIR_FLOORS.ratio), DEVIATIONS * pace.spread)
    beyond = abs(new.seconds - old.seconds * pace.ratio)
    return abs(math.log(ratio / pace.ratio)) >= least and beyond >= PAIR_FLOORS.seconds


def _figures(run: Run) -> RunFigures:
    times = times_of(run)
    end = run.end or run.last_event
    return RunFigures(
        run=run.run,
        state=run.state.value,
        start=run.start,
        wall_seconds=end - run.start if end is not None and run.start is not None else None,
        step_seconds=sum(sample.seconds for sample in times.values()),
        steps_succeeded=len(times),
        failed_attempts=run.failure_counts().total(),
        jobs=run.jobs_used,
    )
