"""Trends of the durations of steps and of the pace of whole runs over the last runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from statistics import median
from typing import Final, Literal

import msgspec

from build_exporter.analysis.differences import DEVIATIONS, Floors
from build_exporter.analysis.samples import Times, baselines, pace_of, times_of_summary
from build_exporter.tracker import Key, RunSummary

LEAST_RUNS: Final = 4
"""Fewer runs show no direction."""

Direction = Literal["increasing", "decreasing", "steady"]


class StepTrend(msgspec.Struct, frozen=True, kw_only=True):
    """A step over runs: durations oldest first, and the change over them all by the median slope, at an equal pace.

    `change_ratio` is how many times as long the step takes at the end as at the beginning.
    """

    phase: str
    step: str
    direction: Direction
    change_ratio: float
    change_seconds: float
    median_seconds: float
    seconds: list[float]
    versions: list[str | None]


class RunTrend(msgspec.Struct, frozen=True, kw_only=True):
    """A run as a whole; `pace_ratio` is above 1 where it was slower than the runs' median, by the steps they share."""

    run: str
    result: str
    start: float | None
    step_seconds: float
    steps_succeeded: int
    pace_ratio: float


class Trends(msgspec.Struct, frozen=True, kw_only=True):
    """Trends of a build, steps with the largest change in seconds first."""

    build: str
    runs: list[RunTrend]
    steps: list[StepTrend]


def trends(build: str, history: Sequence[RunSummary], floors: Floors | None = None) -> Trends:
    """Return how steps have moved over the runs given, a direction only beyond the floors and the steps' own noise."""
    floors = floors or Floors()
    ordered = sorted(history, key=lambda summary: summary.run)
    all_times = [times_of_summary(summary) for summary in ordered]
    base = {name: each.seconds for name, each in baselines(all_times, {}).items()}
    paces = [pace_of(times, base).ratio for times in all_times]
    names = dict.fromkeys(name for times in all_times for name in times)
    rows = [_trend(name, all_times, paces, floors) for name in names]
    return Trends(
        build=build,
        runs=[_run(*each) for each in zip(ordered, all_times, paces, strict=True)],
        steps=sorted((row for row in rows if row), key=lambda row: -abs(row.change_seconds)),
    )


def _run(summary: RunSummary, times: Times, pace: float) -> RunTrend:
    return RunTrend(
        run=summary.run,
        result=summary.result,
        start=summary.start,
        step_seconds=sum(sample.seconds for sample in times.values()),
        steps_succeeded=len(times),
        pace_ratio=pace,
    )


def _trend(name: Key, all_times: Sequence[Times], paces: Sequence[float], floors: Floors) -> StepTrend | None:
    found = [(place, times[name], pace) for place, (times, pace) in enumerate(zip(all_times, paces, strict=True))
             if name in times]  # fmt: skip
    scaled = [(place, max(sample.seconds, 0.1) / pace) for place, sample, pace in found]
    if len(scaled) < LEAST_RUNS:
        return None
    slope = median((math.log(b) - math.log(a)) / (j - i) for (i, a), (j, b) in combinations(scaled, 2))
    whole = slope * (scaled[-1][0] - scaled[0][0])
    middle = median(seconds for _, seconds in scaled)
    rest = [math.log(seconds) - slope * place for place, seconds in scaled]
    noise = DEVIATIONS * 1.4826 * median(abs(value - median(rest)) for value in rest)
    change = middle * math.expm1(whole)
    clear = abs(whole) >= max(math.log(floors.ratio), noise) and abs(change) >= floors.seconds
    phase, step = found[-1][1].key
    return StepTrend(
        phase=phase,
        step=step,
        direction="steady" if not clear else "increasing" if whole > 0 else "decreasing",
        change_ratio=math.exp(whole),
        change_seconds=change,
        median_seconds=middle,
        seconds=[sample.seconds for _, sample, _ in found],
        versions=[sample.version for _, sample, _ in found],
    )
