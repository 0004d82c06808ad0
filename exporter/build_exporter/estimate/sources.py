"""Accuracy of each source of expected times on the steps done so far: its weight and the pace against it.

A source is an earlier run, a variant of the shipped table, or the plan. All times here are logarithms of seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from math import copysign, exp, log, sqrt
from typing import Final, NamedTuple

from build_exporter.estimate.facts import Facts
from build_exporter.estimate.history import History, PastRun
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


class Done(NamedTuple):
    """A step done in this run, its time, its figure in the plan, and its place from the last that ended, 0."""

    name: Name
    package: str
    seconds: float
    planned_seconds: float | None
    planned_sbu: float | None
    rank: int
    beside: int
    version: str | None = None


@dataclass(slots=True, eq=False)
class Source:
    """A source of expected times.

    Attributes:
        prior: how much it counts before anything is compared.
        strength: seconds of compared steps that count as much as the assumption that its pace is right.
        pairs: of each step compared, by how much it took longer and what it weighs; none once they are judged.
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
    pairs: list[tuple[float, float]] = field(default_factory=list)
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

    def compare(self, seconds: float, expected: float) -> None:
        """Take a step that was done and the source's figure for it."""
        weight = exp((seconds + expected) / 2)
        if weight >= TELLING_SECONDS:
            self.pairs.append((seconds - expected, min(weight, MOST_OF_A_STEP)))

    def judge(self, tuning: Tuning) -> None:
        """Work out pace and weight from the steps compared."""
        if self.pairs:
            self.compared = sum(weight for _, weight in self.pairs)
            middle = self.middle = weighted_median(self.pairs)
            clipped = scatter = 0.0
            for residual, weight in self.pairs:
                apart = residual - middle
                clipped += weight * (apart if -CLIPPED < apart < CLIPPED else copysign(CLIPPED, apart))
                scatter += weight * (apart if 0.0 <= apart < 1.0 else min(-apart, 1.0) if apart < 0.0 else 1.0)
            scatter /= self.compared
            strength = self.strength
            if len(self.pairs) > 2 and abs(middle) > OTHER_MACHINE and scatter < abs(middle) / 2:
                strength *= OTHER_MACHINE_STRENGTH
            self.pace = (middle * self.compared + clipped) / (self.compared + strength)
            # a source of the same machine should be right as it is, too; figures in SBU need only be alike
            allowed = middle / 2 if strength > MOST_OF_A_STEP else middle
            error = sum(w * min(abs(r - allowed), 1.0) for r, w in self.pairs)
            self.distance = error / (self.compared + tuning.evidence)
            self.count, self.squares = len(self.pairs), sum(min(abs(r - self.pace), 1.0) ** 2 for r, _ in self.pairs)
            # of a large build they are more than all else that is kept of an estimate
            self.pairs.clear()
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
    history: History, facts: Facts, done: Iterable[Done], names: Mapping[Name, float | None], tuning: Tuning
) -> Sources:
    """Return every source, judged by the steps done so far; `names` are those of all its steps, with their SBU."""
    sbu = log(facts.sbu_seconds)
    # the more its runs differ, the sooner this one's own pace counts
    pace = tuning.own_pace * (tuning.pace_spread / usual_pace_spread(history, tuning)) ** 2
    found = Sources(
        runs=[_of_run(past, facts, tuning, pace) for past in history.runs],
        variants=[Source(tuning.table * facts.prior(variant), tuning.scale_pace) for variant in VARIANTS],
        plan_seconds=Source(tuning.plan_seconds, tuning.other_pace),
        plan_sbu=Source(tuning.plan, tuning.scale_pace),
    )
    favour_same_work(found, history, names.keys())
    tables = [typical_logs(facts.jobs_or_default, variant) for variant in VARIANTS]
    found.is_lfs = not names.keys().isdisjoint(tables[0])
    for step in done:
        for taken in history.names.get(step.name, ()):
            source = found.runs[taken.run]
            shift = facts.shift(history.runs[taken.run], step.name) if source.differs else 0.0
            source.compare(step.seconds, taken.seconds + shift)
        if step.name in tables[0]:
            for source, table in zip(found.variants, tables, strict=True):
                source.compare(step.seconds, table[step.name] + sbu)
        if step.planned_seconds:
            found.plan_seconds.compare(step.seconds, log(step.planned_seconds))
        elif step.planned_sbu:
            found.plan_sbu.compare(step.seconds, log(step.planned_sbu) + sbu)
    for source in found.all:
        source.judge(tuning)
    if not found.plan_sbu.count:
        # whoever measured the plan's SBU did so with another -j: until a step shows it, they are as long as the table's
        typical = max(zip(found.variants, tables, strict=True), key=lambda pair: pair[0].weight)[1]
        pairs = [(typical[name] - log(figure), figure) for name, figure in names.items() if figure and name in typical]
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
