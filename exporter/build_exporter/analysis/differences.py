"""Find the steps of a run whose time differs from earlier runs beyond noise, and what may explain it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from build_exporter.analysis.samples import (
    Baseline,
    Pace,
    Sample,
    Times,
    baselines,
    comparable,
    pace_of,
    times_of,
    times_of_summary,
)
from build_exporter.tracker import Key, Run, RunSummary

DEVIATIONS: Final = 3.0
"""A difference counts from so many standard deviations: about one false report in a thousand steps."""
CACHE_DIFFERENCE: Final = 0.2
"""Drop of ccache's hit ratio that makes compilations slower by itself."""

Cause = Literal["version", "cache-cold"]


@dataclass(frozen=True, slots=True)
class Floors:
    """The least that is reported: a multiple, seconds beyond it, and samples that it must rest on."""

    ratio: float = 1.15
    seconds: float = 5.0
    samples: int = 3


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A step that took another time than usual.

    `usual_seconds` is the median of `samples` earlier runs at this run's pace, `ratio` how many times that it took,
    `difference_seconds` how much longer (negative: shorter), `noise_ratio` the least ratio that would be reported.
    `cause` is `version` where the package's version changed, from `version_before`, `cache-cold` where ccache knew
    much less than before; null: nothing explains it.
    """

    phase: str
    step: str
    version: str | None
    version_before: str | None
    seconds: float
    usual_seconds: float
    ratio: float
    difference_seconds: float
    noise_ratio: float
    samples: int
    cause: Cause | None

    @property
    def is_regression(self) -> bool:
        """Whether it is slower for no known reason."""
        return self.ratio > 1.0 and self.cause is None


class Differences(msgspec.Struct, frozen=True, kw_only=True):
    """Differences of a run, the most seconds first; `pace_ratio` is the whole run's pace (1: as usual)."""

    run: str
    earlier_runs: int
    pace_ratio: float
    compared_steps: int
    differences: list[Difference]


def differences(run: Run, history: Sequence[RunSummary], floors: Floors | None = None) -> Differences:
    """Return the steps of a run whose time differs from earlier runs beyond noise.

    A step counts when this run alone is clear, or when it and the run before it agree: two weak signs are a clear one.
    """
    floors = floors or Floors()
    chosen = comparable([s for s in history if s.run != run.run], run, floors.samples)
    earlier = [times_of_summary(summary) for summary in chosen]
    now = times_of(run)
    versions = {name: sample.version for name, sample in now.items()}
    base = baselines(earlier, versions)
    cold = _is_cache_cold(run, chosen)
    found = list(_beyond(now, base, floors, cold=cold))
    if len(earlier) > floors.samples:
        before = baselines(earlier[:-1], versions)
        known = {(each.phase, each.step) for each in found}
        found += [
            each
            for each in _beyond(now, before, floors, cold=cold, previous=earlier[-1])
            if (each.phase, each.step) not in known
        ]
    return Differences(
        run=run.run,
        earlier_runs=len(earlier),
        pace_ratio=_pace(now, base).ratio,
        compared_steps=len(now.keys() & base.keys()),
        differences=sorted(found, key=lambda each: -abs(each.difference_seconds)),
    )


def _pace(times: Times, base: Mapping[Key, Baseline]) -> Pace:
    return pace_of(times, {name: each.seconds for name, each in base.items()})


def _beyond(
    now: Times, base: Mapping[Key, Baseline], floors: Floors, *, cold: bool, previous: Times | None = None
) -> Iterator[Difference]:
    """Yield the differences of a run, or of two runs that agree."""
    pace = _pace(now, base)
    pace_before = _pace(previous, base) if previous is not None else None
    for name, sample in now.items():
        usual = base.get(name)
        if usual is None or usual.samples < floors.samples or usual.seconds <= 0 or sample.seconds <= 0:
            continue
        log = math.log(sample.seconds / (usual.seconds * pace.ratio))
        noise = DEVIATIONS * math.hypot(usual.spread, pace.spread)
        if previous is not None and pace_before is not None:
            other = previous.get(name)
            if other is None or other.seconds <= 0 or other.version != sample.version:
                continue
            # two in one direction, neither of them small, against the noise of their mean
            log_before = math.log(other.seconds / (usual.seconds * pace_before.ratio))
            agree = log * log_before > 0 and 2 * min(abs(log), abs(log_before)) >= max(abs(log), abs(log_before))
            log = (log + log_before) / 2.0 if agree else 0.0
            noise /= math.sqrt(2.0)
        least = max(math.log(floors.ratio), noise)
        if abs(log) >= least and abs(sample.seconds - usual.seconds * pace.ratio) >= floors.seconds:
            yield _difference(sample, usual, pace, math.exp(least), cold=cold)


def _difference(sample: Sample, usual: Baseline, pace: Pace, noise_ratio: float, *, cold: bool) -> Difference:
    expected = usual.seconds * pace.ratio
    changed = sample.version is not None and usual.version != sample.version
    slower = sample.seconds > expected
    return Difference(
        phase=sample.key[0],
        step=sample.key[1],
        version=sample.version,
        version_before=usual.version if changed else None,
        seconds=sample.seconds,
        usual_seconds=expected,
        ratio=sample.seconds / expected,
        difference_seconds=sample.seconds - expected,
        noise_ratio=noise_ratio,
        samples=usual.samples,
        cause="version" if changed else "cache-cold" if cold and slower else None,
    )


def _is_cache_cold(run: Run, earlier: Sequence[RunSummary]) -> bool:
    known = run.toolchain
    hits, misses = (known.ccache_hits or 0, known.ccache_misses or 0) if known is not None else (0, 0)
    before = sorted(each.ccache_hit_ratio for each in earlier if each.ccache_hit_ratio is not None)
    if not hits + misses or not before:
        return False
    return before[len(before) // 2] - hits / (hits + misses) > CACHE_DIFFERENCE
