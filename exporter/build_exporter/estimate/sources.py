"""Accuracy of each source of expected times on the steps done so far: its weight and the pace against it.

A source is an earlier run, a variant of the shipped table, or the plan. All times here are logarithms of seconds.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from math import copysign, exp, log, sqrt
from typing import Final

from build_exporter.estimate.facts import Facts
from build_exporter.estimate.history import History, PastRun
from build_exporter.estimate.kinds import Kind
from build_exporter.estimate.table import VARIANTS, typical_logs
from build_exporter.estimate.tuning import Tuning
from build_exporter.tracker.names import Name
from build_exporter.weighted import weighted_median

MOST_OF_A_STEP: Final = 300.0
"""Seconds for which one step counts at most: the pace is not that of the longest step alone."""
CLIPPED: Final = 0.3
"""A step further than this from the others counts as if it were that far: it was another work."""
OTHER_MACHINE: Final = 0.25
"""Steps that all differ by more than this from an earlier run are another machine's, or other settings'."""
OTHER_MACHINE_STRENGTH: Final = 0.05
SAME_WORK: Final = 0.8
"""Share of the steps of two runs that both have, from which they are the same work."""
LEAST_STEPS: Final = 5
OTHER_WORK: Final = 0.02
"""Weight of a run of other steps where there is one of the same."""
TELLING_SECONDS: Final = 1.0
"""Shorter steps are recorded too coarsely to compare."""


@dataclass(slots=True, eq=False)
class Source:
    """A source of expected times.

    Attributes:
        prior: how much it counts before anything is compared.
        strength: seconds of compared steps that count as much as the assumption that its pace is right.
        residuals, weights: of each step compared, by how much it took longer and what it weighs; none once judged.
        middle: the middle of the first.
        pace: this run's time over its time.
        distance: its mean error on the steps compared, once its pace is allowed for in part.
        compared: seconds of steps compared; `count` is how many, `squares` the sum of what they are off by, squared.
        weight: how much it counts.
        chance: how far it may yet turn out to be the one that is right; falls more slowly than the weight.
        differs: whether it is a run with other settings, whose times are converted.
        is_same_work: whether it is a run of the very steps of this one, where the runs of a build differ.
    """

    prior: float
    strength: float
    residuals: array[float] = field(default_factory=lambda: array("d"))
    weights: array[float] = field(default_factory=lambda: array("d"))
    middle: float = 0.0
    pace: float = 0.0
    distance: float = 0.0
    compared: float = 0.0
    count: int = 0
    squares: float = 0.0
    weight: float = 0.0
    chance: float = 0.0
    differs: bool = False
    is_same_work: bool = False

    def compare(self, taken: Iterable[float], expected: float) -> None:
        """Take what steps took that were done, and the source's one figure for them."""
        residuals, weights = self.residuals, self.weights
        for seconds in taken:
            weight = exp((seconds + expected) / 2)
            if weight >= TELLING_SECONDS:
                residuals.append(seconds - expected)
                weights.append(min(MOST_OF_A_STEP, weight))

    def judge(self, tuning: Tuning) -> None:
        """Work out pace and weight from the steps compared."""
        if residuals := self.residuals:
            weights, self.residuals, self.weights = self.weights, array("d"), array("d")
            self.compared = sum(weights)
            middle = self.middle = weighted_median(zip(residuals, weights, strict=True))
            clipped = scatter = 0.0
            for residual, weight in zip(residuals, weights, strict=True):
                apart = residual - middle
                clipped += weight * (apart if -CLIPPED < apart < CLIPPED else copysign(CLIPPED, apart))
                scatter += weight * (apart if 0.0 <= apart < 1.0 else min(-apart, 1.0) if apart < 0.0 else 1.0)
            scatter /= self.compared
            strength = self.strength
            if len(residuals) > 2 and abs(middle) > OTHER_MACHINE and scatter < abs(middle) / 2:
                strength *= OTHER_MACHINE_STRENGTH
            self.pace = (middle * self.compared + clipped) / (self.compared + strength)
            # a source of the same machine should be right as it is, too; figures in SBU need only be alike
            allowed = middle / 2 if strength > MOST_OF_A_STEP else middle
            error, pace, squares = 0.0, self.pace, 0.0
            for residual, weight in zip(residuals, weights, strict=True):
                apart, square = abs(residual - allowed), (residual - pace) ** 2
                error += weight * apart if apart < 1.0 else weight
                squares += square if square < 1.0 else 1.0  # noqa: FURB136 - the call of `min` takes longer than all else here
            self.distance = error / (self.compared + tuning.evidence)
            self.count, self.squares = len(residuals), squares
        self.weight = self.prior * exp(-self.distance / tuning.likeness)
        self.chance = self.prior * exp(-self.distance / tuning.doubt)


@dataclass(slots=True)
class Sources:
    """All sources: earlier runs by their place in the history, the table's variants, the plan by its units.

    `is_lfs` is whether the table has steps of the run, so that its figures say something of the others as well.
    """

    runs: list[Source]
    variants: list[Source]
    plan_seconds: Source
    plan_sbu: Source
    is_lfs: bool = False

    @property
    def all(self) -> list[Source]:
        """Every one."""
        return [*self.runs, *self.variants, self.plan_seconds, self.plan_sbu]


def sources_of(
    history: History, facts: Facts, kinds: Sequence[Kind], tuning: Tuning, names: AbstractSet[Name] = frozenset()
) -> Sources:
    """Return every source, judged by what steps took so far; `names` are those of all steps, where runs differ."""
    sbu = log(facts.sbu_seconds)
    # the more its runs differ, the sooner this one's own pace counts
    pace = tuning.own_pace * (tuning.pace_spread / usual_pace_spread(history, tuning)) ** 2
    found = Sources(
        runs=[_of_run(past, facts, tuning, pace) for past in history.runs],
        variants=[Source(tuning.table * facts.prior(variant), tuning.scale_pace) for variant in VARIANTS],
        plan_seconds=Source(tuning.plan_seconds, tuning.other_pace),
        plan_sbu=Source(tuning.plan, tuning.scale_pace),
    )
    favour_same_work(found, history, names)
    tables = [typical_logs(facts.jobs_or_default, variant) for variant in VARIANTS]
    found.is_lfs = any(kind.name in tables[0] for kind in kinds)
    for kind in kinds:
        if not kind.taken:
            continue
        for taken in history.names.get(kind.name, ()):
            source = found.runs[taken.run]
            shift = facts.shift(history.runs[taken.run], kind.name) if source.differs else 0.0
            source.compare(kind.taken, taken.seconds + shift)
        if kind.name in tables[0]:
            for source, table in zip(found.variants, tables, strict=True):
                source.compare(kind.taken, table[kind.name] + sbu)
        if kind.planned_seconds:
            found.plan_seconds.compare(kind.taken, log(kind.planned_seconds))
        elif kind.planned_sbu:
            found.plan_sbu.compare(kind.taken, log(kind.planned_sbu) + sbu)
    for source in found.all:
        source.judge(tuning)
    if not found.plan_sbu.count:
        # whoever measured the plan's SBU did so with another -j: until a step shows it, they are as long as the table's
        typical = max(zip(found.variants, tables, strict=True), key=lambda pair: pair[0].weight)[1]
        known = dict.fromkeys((kind.name, kind.planned_sbu) for kind in kinds if kind.name in typical)
        pairs = [(typical[name] - log(figure), figure) for name, figure in known if figure]
        found.plan_sbu.pace = weighted_median(pairs) if pairs else 0.0
    return found


def favour_same_work(sources: Sources, history: History, names: AbstractSet[Name]) -> None:
    """Give runs of the very steps of this one more weight, where the runs of a build differ, as those of Portage do."""
    if history.repeats or len(names) < LEAST_STEPS:
        return
    for source, past in zip(sources.runs, history.runs, strict=True):
        source.is_same_work = past.own and len(names & past.names) >= SAME_WORK * len(names | past.names)
    if any(source.is_same_work for source in sources.runs):
        for source in sources.runs:
            source.prior *= 1.0 if source.is_same_work else OTHER_WORK


def usual_pace_spread(history: History, tuning: Tuning) -> float:
    """Return the standard deviation (logarithm) of the paces of this machine's runs."""
    # two runs differ by both their deviations; the middle of several runs has less of its own
    squares = sum(pace * pace for pace in history.paces) * 2 / 3
    prior = tuning.pace_prior
    return sqrt((prior * tuning.pace_spread**2 + squares) / (prior + len(history.paces)))


def _of_run(past: PastRun, facts: Facts, tuning: Tuning, own_pace: float) -> Source:
    prior = 1.0 if past.own else tuning.other
    if facts.differ(past):
        return Source(prior * tuning.other, tuning.other_pace, differs=True)
    return Source(prior, own_pace if past.own else tuning.other_pace)
