"""`estimate`: when a run ends, what that rests on, what the steps to come should take, how good estimates have been."""

from __future__ import annotations

import msgspec


class Percentiles(msgspec.Struct, frozen=True, kw_only=True):
    """A figure's band: in eight of ten cases the true value lies between `p10` and `p90`."""

    p10: float
    p50: float
    p90: float


class ExpectedStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step that runs or is to come.

    `expected_seconds` is its whole duration, null where nothing is known of it; `remaining_seconds` what is left of it;
    `elapsed_seconds` for how long it has run, null before its start. `critical`: the build ends later if it does.
    """

    phase: str
    step: str
    state: str
    expected_seconds: float | None
    elapsed_seconds: float | None
    remaining_seconds: float
    critical: bool


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """How good estimates of this build's earlier runs were, each made with what was known at that share of its time.

    `median_abs_error_ratio` is the median error over the run's whole time, `band_coverage` the share of true values
    that lay inside the band; both by share of the run's time (`"0.25"`). `runs` counts the runs they come from.
    """

    runs: int
    median_abs_error_ratio: dict[str, float]
    band_coverage: dict[str, float]


class EstimateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The estimate of a build's newest run at `now`; times Unix seconds, durations seconds.

    Without an estimate `remaining_seconds` and `end` are null and `basis` says why. `slots` is how many steps are taken
    to run side by side. `steps` are the running steps and those to come, in the order in which they should begin, at
    most 500; `longest` the ten of them with the most time left.
    """

    build: str
    run: str
    now: float
    remaining_seconds: Percentiles | None
    end: Percentiles | None
    basis: str
    slots: int
    steps: list[ExpectedStep]
    longest: list[ExpectedStep]
    accuracy: Accuracy | None
