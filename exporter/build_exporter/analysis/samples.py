"""Durations of the same step in several runs: what is comparable, and how much of a difference is noise."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from build_exporter.model.states import StepState
from build_exporter.tracker import Key, Run, RunSummary, work_seconds
from build_exporter.weighted import weighted_median

MAX_RUNS: Final = 10
"""Earlier runs that a baseline rests on: machines and packages change."""
LEAST_ALIKE: Final = 3
"""Runs with the same version that make a baseline of their own."""
LEAST_SPREAD: Final = 0.03
"""Standard deviation of the logarithm of a duration that every step is granted, however even its few samples are."""
PACE_LEAST_SECONDS: Final = 5.0
"""Shorter steps say little of how fast the machine is: records keep whole seconds."""
_PLACE: Final = re.compile(r"^\d{3,4}-(?=.)")
"""The number that jhalfs puts before a step's name: chapter and place, which shift when a book gains a package."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A step that succeeded in a run: its own name there, seconds, and version of its package."""

    key: Key
    seconds: float
    version: str | None


Times = Mapping[Key, Sample]
"""Samples of one run by `identity`."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Durations of a step in earlier runs, each scaled to the machine's usual pace.

    `spread` is the standard deviation of the logarithm, `version` that of the samples, None where they differ or none
    is known.
    """

    seconds: float
    spread: float
    samples: int
    version: str | None


@dataclass(frozen=True, slots=True)
class Pace:
    """Pace of a whole run: seconds taken for each second of the baseline, and the spread over its steps."""

    ratio: float
    spread: float


def identity(key: Key) -> Key:
    """Return phase and step without the number of its place: `502-gcc-pass1` may be `503-gcc-pass1` later."""
    return key[0], _PLACE.sub("", key[1])


def times_of(run: Run) -> dict[Key, Sample]:
    """Return the samples of a run that may still go on."""
    return _by_identity(
        Sample(step.key, seconds, step.version)
        for step in list(run.steps.values())
        if step.state is StepState.SUCCEEDED and (seconds := work_seconds(run, step)) is not None
    )


def times_of_summary(summary: RunSummary) -> dict[Key, Sample]:
    """Return the samples of an earlier run."""
    return _by_identity(
        Sample(key, seconds, summary.usage[key].version if key in summary.usage else None)
        for key, seconds in summary.steps.items()
    )


def _by_identity(samples: Iterable[Sample]) -> dict[Key, Sample]:
    found = list(samples)
    counts = Counter(identity(sample.key) for sample in found)
    # two steps of one name in a phase are distinguished by their places alone
    return {name if counts[name := identity(sample.key)] == 1 else sample.key: sample for sample in found}


def comparable(history: Sequence[RunSummary], run: Run, least: int) -> list[RunSummary]:
    """Return the newest earlier runs, oldest first: of the same variant (target and tests), no other -j or machine.

    Where fewer than `least` are of this variant, -j or machine, those of others are taken too.
    """
    ordered = sorted(history, key=lambda summary: summary.run)
    jobs, machine = run.jobs_used, run.machine
    here = [summary for summary in ordered if not machine.is_other(summary.machine)]
    ordered = here if len(here) >= least else ordered
    alike = [summary for summary in ordered if jobs is None or summary.jobs in {None, jobs}]
    variant = [summary for summary in alike if (summary.target, summary.tests) == (run.target, run.tests)]
    return next((each for each in (variant, alike) if len(each) >= least), ordered)[-MAX_RUNS:]


def baselines(earlier: Sequence[Times], versions: Mapping[Key, str | None]) -> dict[Key, Baseline]:
    """Return what each step took in earlier runs.

    Where `versions` names a version that enough runs had, only they count; else all of them.
    """
    raw = {name: median(s.seconds for s in samples) for name, samples in _gathered(earlier, versions).items()}
    paces = [pace_of(times, raw).ratio for times in earlier]
    scaled = [
        {name: Sample(s.key, s.seconds / pace, s.version) for name, s in times.items()}
        for times, pace in zip(earlier, paces, strict=True)
    ]
    return {name: _baseline(samples) for name, samples in _gathered(scaled, versions).items()}


def _gathered(earlier: Sequence[Times], versions: Mapping[Key, str | None]) -> dict[Key, list[Sample]]:
    found: dict[Key, list[Sample]] = {}
    for times in earlier:
        for name, sample in times.items():
            found.setdefault(name, []).append(sample)
    for name, samples in found.items():
        wanted = versions.get(name)
        alike = [sample for sample in samples if sample.version == wanted]
        if wanted is not None and len(alike) >= LEAST_ALIKE:
            found[name] = alike
    return found


def _baseline(samples: Sequence[Sample]) -> Baseline:
    middle = median(sample.seconds for sample in samples)
    logs = [math.log(max(sample.seconds, 0.1) / max(middle, 0.1)) for sample in samples]
    found = {sample.version for sample in samples}
    return Baseline(middle, max(LEAST_SPREAD, _deviation(logs)), len(samples), found.pop() if len(found) == 1 else None)


def _deviation(logs: Sequence[float]) -> float:
    """Return the standard deviation estimated from the median absolute one, which a few odd values do not move."""
    return 1.4826 * median(map(abs, logs)) if logs else 0.0


def pace_of(times: Times, base: Mapping[Key, float]) -> Pace:
    """Return a run's pace against the seconds of a baseline; long steps count more than short ones."""
    logs = [
        (math.log(sample.seconds / base[name]), min(sample.seconds, base[name]))
        for name, sample in times.items()
        if base.get(name, 0.0) >= PACE_LEAST_SECONDS and sample.seconds > 0
    ]
    if not logs:
        return Pace(1.0, 0.0)
    middle = weighted_median(logs)
    return Pace(math.exp(middle), 1.4826 * weighted_median([(abs(log - middle), weight) for log, weight in logs]))
