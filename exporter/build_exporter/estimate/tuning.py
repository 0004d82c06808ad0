"""The estimator's constants, in one place because they were chosen together, by backtests of public records.

Each is a plain round figure from the middle of a range in which the error hardly changes, chosen so that it holds for
every group of records when the others alone are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

BAND_MARKS: Final = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9)
"""Shares of a run at which the width of the band was measured; between them it is in proportion."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """Constants of the estimator. Logarithms are natural; a source is an earlier run, the table or the plan.

    Attributes:
        decay: weight of each earlier time of a step against the one after it.
        likeness: mean error, as a logarithm, of a source on the steps done so far at which it weighs 1/e as much.
        doubt: the same for how wide the band is: a source that was a little wrong may still be right in the end.
        evidence: seconds of done steps that count as much as the assumption that a source is right.
        own_pace, other_pace: seconds of done steps that count as much as the assumption that an earlier run of this
            build, or of another one, was as fast as this one is.
        scale_pace: the same for figures in SBU: what an SBU takes is for the run to show.
        other: weight of another build's run against one of this build.
        table, plan, plan_seconds: weights of the shipped table, of a plan in SBU and of one in seconds, against that
            of an earlier run.
        package_prior: seconds of a package's steps that count as much as the assumption that a new version takes as
            long as the one before.
        packages_spread: standard deviation of what packages take (logarithm): where runs consist of different packages,
            one whose times scatter is expected nearer to what a package usually takes, as it was often held up.
        size_width: steps whose times differ by this factor (logarithm) count half for each other's pace.
        size_prior: so many steps count as much as the assumption that long and short steps keep the same pace.
        pace_clip, pace_clip_packages: a step further than this (logarithm) from what was expected counts for the pace
            as if it were that far; the second where runs consist of different packages, whose times scatter more.
        half_life: so many steps ago a step's pace counts half.
        beside: difference in steps side by side (logarithm) at which an earlier time weighs 1/e as much.
        spread_own, spread_other, spread_table, spread_plan, spread_unknown: standard deviation of a step's time
            (logarithm) by what is known of it; spread_version: what a new version of its package adds to that.
        pace_spread, scale_spread: the same of the pace of a run, before any step was done, against an earlier run and
            against figures in SBU.
        machine_spread: the same against figures in SBU on a machine that has built nothing yet.
        pace_evidence: seconds of done steps after which the pace is surer by the root of two.
        scale_evidence: so many times as fast it becomes sure against figures in SBU, which say nothing of it at first.
        steps_share, apart_share: how much of the steps' own deviations, and of how far the sources are apart, shows in
            the error of the whole, so that the band holds in eight of ten cases.
        bands_run, bands_table: by what factor the band is wider, in ten cases of which eight should be in it, when each
            share of `BAND_MARKS` of the run is done: with runs of the same steps before it, and without;
            bands_packages: the same for runs of different packages and for steps side by side.
    """

    decay: float = 0.5
    likeness: float = 0.02
    doubt: float = 0.06
    evidence: float = 300.0
    own_pace: float = 4000.0
    other_pace: float = 300.0
    scale_pace: float = 0.0
    other: float = 0.3
    table: float = 0.02
    plan: float = 0.01
    plan_seconds: float = 0.2
    package_prior: float = 100.0
    packages_spread: float = 1.0
    size_width: float = 0.8
    size_prior: float = 2.0
    half_life: float = 10.0
    pace_clip: float = 0.1
    pace_clip_packages: float = 0.8
    beside: float = 0.5
    spread_own: float = 0.035
    spread_other: float = 0.08
    spread_table: float = 0.15
    spread_version: float = 0.05
    spread_plan: float = 0.5
    spread_unknown: float = 1.0
    pace_spread: float = 0.018
    pace_prior: float = 4.0
    scale_spread: float = 0.13
    machine_spread: float = 0.5
    pace_evidence: float = 600.0
    scale_evidence: float = 5.0
    steps_share: float = 0.55
    apart_share: float = 0.75
    bands_run: Sequence[float] = (1.0, 0.8, 1.0, 1.2, 0.75, 0.95)
    bands_packages: Sequence[float] = (4.0, 4.0, 4.0, 5.0, 6.5, 6.5)
    bands_table: Sequence[float] = (1.0, 1.0, 0.9, 1.25, 1.0, 1.25)


DEFAULT = Tuning()


def between(factors: Sequence[float], share: float) -> float:
    """Return the factor at a share of a run, in proportion between those at `BAND_MARKS`."""
    if share >= BAND_MARKS[-1]:
        return factors[-1]
    place = next(place for place, mark in enumerate(BAND_MARKS) if mark > share or mark == BAND_MARKS[-1])
    if not place:
        return factors[0]
    low, high = BAND_MARKS[place - 1], BAND_MARKS[place]
    return factors[place - 1] + (factors[place] - factors[place - 1]) * (share - low) / (high - low)
