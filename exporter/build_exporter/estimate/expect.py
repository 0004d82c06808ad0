"""Expected time of each step of a run, blended from all sources."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, hypot, log, sqrt
from statistics import fmean, median
from typing import Final

from build_exporter.estimate.facts import Facts
from build_exporter.estimate.history import MAX_OWN, History, Taken
from build_exporter.estimate.kinds import Kind
from build_exporter.estimate.paces import Paces
from build_exporter.estimate.sources import Source, Sources
from build_exporter.estimate.table import VARIANTS, Variant, by_package, typical_logs, typical_package, typical_steps
from build_exporter.estimate.tuning import Tuning
from build_exporter.tracker.names import Name

UNKNOWN_SECONDS: Final = 10.0
"""Seconds of an unknown step before any such step was done: most steps of a plan write a file or two."""
UNKNOWN_PRIOR: Final = 2.0
"""Unknown packages of this run that weigh as much as what packages of the shipped table take."""
SPREAD_PRIOR: Final = 3.0
"""Steps of this run that weigh as much as the usual deviation."""
TELLING_SECONDS: Final = 20.0
_TELLING: Final = log(TELLING_SECONDS)
MOST_OF_A_PACKAGE: Final = 300.0
CLIPPED: Final = 0.5
OUTLIER: Final = 1.5
"""Logarithm: a time further than this from the middle of at least three is no time of this work."""
ABSURD: Final = 3.0
"""Logarithm: a time further than this from what is typical of the step is none, even where it is the only one."""


Candidate = tuple[float, float, Source]
"""A time that a source gives for a step: weight, logarithm, the source."""


@dataclass(slots=True)
class Expected:
    """A step's time: its logarithm, the standard deviation of that, the times it comes from.

    `usual` is the deviation that steps known as this one is have before this run has shown its own. A `guess` is what
    the other unknown steps took; `doubt` is the deviation of what nobody measured, wrong of all such steps alike.
    """

    seconds: float
    spread: float
    candidates: Sequence[Candidate] = ()
    usual: float = 0.0
    guess: bool = False
    doubt: float = 0.0


@dataclass(slots=True)
class Expectations:
    """Returns what a step should take; made anew whenever a step has ended."""

    history: History
    facts: Facts
    sources: Sources
    tuning: Tuning
    tables: list[Mapping[Name, float]] = field(init=False)
    sbu: float = field(init=False)
    paces: Paces = field(init=False)
    scatter: dict[float, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0.0, 0.0]))
    variances: dict[float, float] = field(default_factory=dict)
    unknown: list[float] = field(default_factory=list)
    unknown_packages: list[float] = field(default_factory=list)
    guesses: dict[bool, Expected] = field(default_factory=dict)
    of_package: dict[str, float] = field(default_factory=dict)
    usual: float | None = None
    scatter_before: float = 0.0

    def __post_init__(self) -> None:
        jobs = self.facts.jobs_or_default
        self.tables = [typical_logs(jobs, variant) for variant in VARIANTS]
        self.sbu = log(self.facts.sbu_seconds)
        tuning = self.tuning
        self.paces = Paces(tuning, tuning.pace_clip if self.history.repeats else tuning.pace_clip_packages)

    def learn(self, kinds: Sequence[Kind], newest: Sequence[tuple[Kind, float]]) -> None:
        """Take the steps done: the pace of short and long ones, and of those that nothing is known of.

        `newest` are the last that ended, the last one first: only they show the pace.
        """
        known: dict[Kind, tuple[float, float]] = {}
        for kind in kinds:
            if not kind.is_known:
                (self.unknown_packages if kind.version else self.unknown).extend(map(exp, kind.taken))
            elif kind.taken:
                candidates, usual = self._candidates(kind, 0)
                known[kind] = (_mean(candidates), usual)
        for rank, (kind, seconds) in enumerate(newest):
            if kind in known:
                expected, _ = known[kind]
                self.paces.add(seconds - expected, expected, rank)
        if not self.history.repeats:
            self._carry_over(sum(len(kind.taken) for kind in kinds))
        if not self.history.repeats and self.history.recent:
            self.usual = fmean(taken.seconds for _, taken in self.history.recent)
        self.paces.settle()
        for kind, (expected, usual) in known.items():
            _scatter(kind.taken, expected + self.paces.of(expected), self.scatter[usual])
        self.variances.clear()
        new = [(kind, expected) for kind, (expected, _) in known.items() if self.is_new(kind.name, kind.version)]
        self.of_package = _by_package(new, self.paces, self.tuning)

    def _carry_over(self, ranks: int) -> None:
        """Take the pace and the scatter of the last steps of the runs before: the next one begins with them."""
        squares = []
        for place, (name, taken) in enumerate(self.history.recent):
            times = self.history.names[name]
            before = times[times.index(taken) + 1 :] if taken in times else []
            if before:
                candidates = self._of_runs(before, name, taken.beside)
                expected = _mean(candidates)
                self.paces.add(taken.seconds - expected, expected, ranks + place)
                squares.append(min(1.0, (taken.seconds - expected) ** 2))
        self.scatter_before = fmean(squares) if squares else 0.0

    def of(self, kind: Kind, beside: int) -> Expected:
        """Return what a step of a kind should take that a source knows, with so many steps beside it."""
        found = self._blend(kind, beside)
        found.seconds += self.paces.of(found.seconds)
        if self.is_new(kind.name, kind.version):
            found.seconds += self.of_package.get(kind.package, 0.0)
            found.spread = hypot(found.spread, self.tuning.spread_version)
        return found

    def of_unknown(self, package: str, elsewhere: Sequence[float], *, is_package: bool) -> Expected:
        """Return what a step should take that no source knows by name or figure.

        `elsewhere` is what the other steps of its package took in this run, as logarithms.
        """
        tuning = self.tuning
        if elsewhere:
            if self.sources.is_lfs:
                return Expected(fmean(elsewhere), tuning.spread_plan)
            # unpacking a package says little of testing it
            seconds = fmean([self._guess(is_package=is_package), *map(exp, elsewhere)])
            return Expected(log(seconds), tuning.spread_unknown, guess=True)
        times = self.history.packages.get(package)
        if times:
            seconds = median(taken.seconds + self.sources.runs[taken.run].pace for taken in times)
            return Expected(seconds + self.paces.of(seconds), tuning.spread_plan)
        typical = by_package().get(package)
        if typical is not None:
            jobs = self.facts.jobs_or_default
            seconds = self._typical(lambda variant: typical.sbu(jobs, variant.tests, variant.abis))
            return Expected(seconds + self.paces.of(seconds), tuning.spread_plan)
        if is_package not in self.guesses:
            seconds = log(self._guess(is_package=is_package))
            self.guesses[is_package] = Expected(seconds, tuning.spread_unknown, guess=True)
        return self.guesses[is_package]

    def _typical(self, sbu: Callable[[Variant], float]) -> float:
        """Return the logarithm of the seconds that so many SBU take in the likeliest variant of the shipped table."""
        best = max(range(len(VARIANTS)), key=lambda place: self.sources.variants[place].weight)
        return log(sbu(VARIANTS[best]) * self.facts.sbu_seconds) + self.sources.variants[best].pace

    def _guess(self, *, is_package: bool) -> float:
        """Return the seconds of a step that nothing is known of, by those of its kind so far: of packages or others."""
        if not is_package or not self.sources.is_lfs:
            done = self.unknown + ([] if self.sources.is_lfs else self.unknown_packages)
            if self.usual is None:
                return fmean(done) if done else UNKNOWN_SECONDS
            # one that was never merged here is like those that were
            return (UNKNOWN_PRIOR * exp(self.usual) + sum(done)) / (UNKNOWN_PRIOR + len(done))
        usual = exp(self._typical(lambda variant: typical_package(self.facts.jobs_or_default, variant)))
        return (UNKNOWN_PRIOR * usual + sum(self.unknown_packages)) / (UNKNOWN_PRIOR + len(self.unknown_packages))

    def is_new(self, name: Name, version: str | None) -> bool:
        """Return whether a step's package has a version that its last time did not have."""
        times = self.history.names.get(name) if version is not None else None
        return times is not None and version is not None and times[0].version not in {None, version}

    def _blend(self, kind: Kind, beside: int) -> Expected:
        """Return what the sources say of a step."""
        candidates, spread = self._candidates(kind, beside)
        seconds, variance = candidates[0][1], 0.0
        # loops, here and below, because this is done of every kind of steps to come whenever one has ended
        if len(candidates) > 1:
            seconds, whole = _mean(candidates), 0.0
            for weight, each, _ in candidates:
                whole += weight
                variance += weight * (each - seconds) ** 2
            variance /= whole or 1.0
        count = min(len(candidates), 6)
        variance = (variance * count + 3 * self._usual_variance(spread)) / (count + 3)
        doubt = 0.0
        if kind.name in self.tables[0] and kind.name not in self.history.names:
            doubt = typical_steps()[kind.name].doubt(self._likeliest.tests)
            variance += doubt * doubt
        if self.usual is not None:
            share = variance / _times(self.tuning.decay, len(candidates)) / self.tuning.packages_spread**2
            seconds = (seconds + share * self.usual) / (1.0 + share)
        return Expected(seconds, sqrt(variance), candidates, spread, doubt=doubt)

    @property
    def _likeliest(self) -> Variant:
        """The variant of the shipped table that fits best."""
        return max(zip(VARIANTS, self.sources.variants, strict=True), key=lambda pair: pair[1].weight)[0]

    def _usual_variance(self, spread: float) -> float:
        """Return the variance of steps known in one way: as such steps usually have, and those of this run."""
        if not self.variances:
            for each, (steps, squares) in self.scatter.items():
                self.variances[each] = (SPREAD_PRIOR * each**2 + squares) / (SPREAD_PRIOR + steps)
        return self.variances.get(spread, spread**2)

    def _candidates(self, kind: Kind, beside: int) -> tuple[list[Candidate], float]:
        """Return the times that the sources give for a step, and how much steps known in such a way deviate."""
        tuning, sources, name = self.tuning, self.sources, kind.name
        times = self.history.names.get(name)
        candidates = self._of_runs(times, name, beside) if times else []
        spread = tuning.spread_own if candidates else tuning.spread_plan
        beyond: list[Candidate] = []
        if name in self.tables[0]:
            if not candidates:
                spread = tuning.spread_table
            beyond = [
                (source.weight, table[name] + self.sbu + source.pace, source)
                for source, table in zip(sources.variants, self.tables, strict=True)
            ]
        if kind.planned_seconds:
            source = sources.plan_seconds
            beyond.append((source.weight, log(kind.planned_seconds) + source.pace, source))
        elif kind.planned_sbu:
            source = sources.plan_sbu
            seconds = log(kind.planned_sbu) + self.sbu + source.pace
            beyond.append((source.weight, seconds, source))
        return (_without_absurd(candidates, beyond) + beyond if candidates else beyond), spread

    def _of_runs(self, times: Sequence[Taken], name: Name, beside: int) -> list[Candidate]:
        """Return the times of earlier runs, each later one weighing more, those with as many steps beside it more."""
        candidates: list[Candidate] = []
        weight, decay, width = 1.0, self.tuning.decay, self.tuning.beside
        sources, shifts = self.sources.runs, self.facts.shift
        for taken in times[:MAX_OWN]:
            source = sources[taken.run]
            seconds = taken.seconds + source.pace
            if source.differs:
                seconds += shifts(self.history.runs[taken.run], name)
            # the same work had the same steps beside it
            is_alike = taken.beside == beside or source.is_same_work
            alike = 1.0 if is_alike else exp(-abs(log((1 + taken.beside) / (1 + beside))) / width)
            candidates.append((weight * alike * source.weight, seconds, source))
            weight *= decay
        return candidates


def _scatter(taken: Iterable[float], expected: float, sums: list[float]) -> None:
    """Add the weights and the squared errors of steps that should all have taken as long."""
    weights, squares = sums
    for seconds in taken:
        # short steps are timed too coarsely to say how sure long ones are
        weight = exp(seconds) / TELLING_SECONDS if seconds < _TELLING else 1.0
        square = (seconds - expected) ** 2
        weights += weight
        squares += weight * square if square < 1.0 else weight
    sums[:] = weights, squares


def _by_package(known: Sequence[tuple[Kind, float]], paces: Paces, tuning: Tuning) -> dict[str, float]:
    """Return how much longer than expected, as a logarithm, the steps of each package took beyond the run's pace.

    A new compiler that takes longer in its first pass does so in its last.
    """
    sums: dict[str, tuple[float, float]] = {}
    for kind, expected in known:
        weight = min(exp(expected), MOST_OF_A_PACKAGE)
        for seconds in kind.taken:
            residual = max(-CLIPPED, min(CLIPPED, seconds - expected - paces.of(expected)))
            whole, total = sums.get(kind.package, (tuning.package_prior, 0.0))
            sums[kind.package] = (whole + weight, total + weight * residual)
    return {package: total / whole for package, (whole, total) in sums.items()}


def _times(decay: float, count: int) -> float:
    """Return how many times count as much as so many of them, each of which counts less than the one after it."""
    return sum(decay**place for place in range(count))


def _mean(candidates: Sequence[Candidate]) -> float:
    whole, total = 0.0, 0.0
    for weight, seconds, _ in candidates:
        whole += weight
        total += weight * seconds
    return total / whole if whole > 0 else fmean(seconds for _, seconds, _ in candidates)


def _without_absurd(times: list[Candidate], typical: list[Candidate]) -> list[Candidate]:
    """Return the times of earlier runs without those that can't be a time of this step."""
    if len(times) > 2:
        ordered = sorted([seconds for _, seconds, _ in times])
        middle = ordered[len(ordered) // 2]
        if ordered[-1] - middle < OUTLIER and middle - ordered[0] < OUTLIER:
            return times
        return [time for time in times if abs(time[1] - middle) < OUTLIER]
    if times and typical:
        middle = _mean(typical)
        return [time for time in times if abs(time[1] - middle) < ABSURD]
    return times
