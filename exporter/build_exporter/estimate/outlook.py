"""The remainder of a run: each open step's time with its uncertainty, and from these the end at any moment."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp, hypot, log, sqrt
from statistics import NormalDist
from typing import Final

from build_exporter.estimate.basis import basis_of
from build_exporter.estimate.expect import SPREAD_PRIOR, Expectations, Expected
from build_exporter.estimate.facts import Facts, facts_of
from build_exporter.estimate.history import History, PastRun
from build_exporter.estimate.kinds import Kind, Steps
from build_exporter.estimate.parallel import Parallel, parallel_of
from build_exporter.estimate.sources import Source, Sources, sources_of, usual_pace_spread
from build_exporter.estimate.tuning import Tuning, between
from build_exporter.model.states import StepState
from build_exporter.tracker import Key, Run, Step
from build_exporter.tracker.names import name_of, package_of

PERCENTILE_90: Final = 1.2816
"""Standard deviations between mean and 90th percentile of a normal distribution."""
OVERDUE_SHARE: Final = 0.1
"""Least that is left of a step that reports no ratio, as a share of the time it has run; overdue is not nearly done."""
GUESS_SPREAD: Final = 1.5
"""Standard deviation (logarithm) of the time of all steps together that nothing is known of."""
GUESS_SECONDS: Final = 30.0
"""Seconds of steps that have to be done before steps of which nothing is known are estimated."""
GAP_EVIDENCE: Final = 600.0
"""Seconds of steps that weigh as much as earlier runs for the time between steps."""
SLOWEST: Final = 5.0
"""Most by which a machine is believed to be slower before a step has ended: a first step that takes longer hangs."""
RANKS: Final = 40.0
"""Half-lives after which the pace of a step counts for nothing: a millionth of a millionth."""
TAIL: Final = 1e-9
"""Probability below which the hazard of a normal distribution is its distance from the middle."""
_NORMAL: Final = NormalDist()


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds the run still needs: percentiles 10, 50 and 90, and in words what they rest on."""

    low: float
    middle: float
    high: float
    basis: str = ""

    @property
    def by_percentile(self) -> tuple[tuple[str, float], ...]:
        """The three figures with their percentile as a label value."""
        return (("10", self.low), ("50", self.middle), ("90", self.high))

    def after(self, seconds: float) -> Estimate:
        """Return what is left of it after so many seconds."""
        low, middle, high = (max(0.0, left - seconds) for left in (self.low, self.middle, self.high))
        return Estimate(low, middle, high, self.basis)


@dataclass(frozen=True, slots=True)
class StepOutlook:
    """An open step: seconds it should take in all, and how many are left of them."""

    step: Step
    expected_seconds: float
    remaining_seconds: float
    critical: bool


@dataclass(slots=True, eq=False)
class Outlook:
    """The remainder of a run, as known when its last step ended.

    Attributes:
        expected: by key, what each open step should take; running ones too.
        shares: seconds of the estimate that come from each source, by its `id`.
        pending_seconds: sum over those that have not begun.
        done_seconds: sum over those that have ended.
        scatter_before: variance of single steps (logarithm) in earlier runs, where runs consist of different packages.
        bands: factors of the band's width at the shares of a run; none where none were measured.
        guessed_ratio: share of the time to come that nothing is known of.
        doubt_up, doubt_down: deviations by what nobody measured of the steps to come.
        gap_ratio: time between steps for each second of steps.
        basis: in words, what all this rests on.
    """

    expected: dict[Key, Expected]
    sources: Sources
    facts: Facts
    history: History
    tuning: Tuning
    shares: dict[int, float] = field(default_factory=dict)
    pending_seconds: float = 0.0
    pending_variance: float = 0.0
    done_seconds: float = 0.0
    scatter_before: float = 0.0
    bands: Sequence[float] = ()
    guessed_ratio: float = 0.0
    doubt_up: float = 0.0
    doubt_down: float = 0.0
    gap_ratio: float = 0.0
    pace_spread: float = 0.0
    spread_up: float = 0.0
    spread_down: float = 0.0
    basis: str = ""
    parallel: Parallel | None = None

    @property
    def is_of_unknown_machine(self) -> bool:
        """Whether nothing has shown yet how long an SBU takes: no earlier run and no step of this one."""
        return self.history.sbu_seconds is None and not any(source.compared for source in self.sources.all)

    def at(self, run: Run, now: float) -> Estimate:
        """Return the estimate at `now`."""
        begun = [(step, self.expected[key]) for key, step in _running(run, self)]
        slower = self._slower(begun, now)
        running = [(step.key, left_of(step, expected, now, slower)) for step, expected in begun]
        whole = self.pending_seconds * exp(slower) + sum(left for _, left in running)
        seconds = whole * (1.0 + self.gap_ratio)
        if self.parallel is not None:
            seconds = self.parallel.at(dict(running), now, slower)
        if whole <= 0 or seconds <= 0:
            return Estimate(0.0, 0.0, 0.0, self.basis)
        own = sum(self.variance_of(self.expected[key], left) for key, left in running)
        steps = self.tuning.steps_share * sqrt(self.pending_variance + own) / whole
        width, apart = self._width(begun, whole, now), self.tuning.apart_share
        # what is guessed of unknown steps is wrong of all of them alike
        guess = GUESS_SPREAD * self.guessed_ratio
        down, up = (hypot(self.pace_spread, steps, apart * each) for each in (self.spread_down, self.spread_up))
        return Estimate(
            seconds * exp(-PERCENTILE_90 * hypot(guess, self.doubt_down, width * down)),
            seconds,
            seconds * exp(PERCENTILE_90 * hypot(guess, self.doubt_up, width * up)),
            self.basis,
        )

    def _slower(self, running: Sequence[tuple[Step, Expected]], now: float) -> float:
        """Return how much slower than assumed the machine is likely to be (logarithm), as its first step still runs.

        Both are log-normal: that the step takes more than it has already is an observation of the pace as well, up to
        `SLOWEST`.
        """
        # of steps as unsure as each other the one furthest beyond its time says most
        furthest: dict[float, float] = {}
        for step, expected in running if self.is_of_unknown_machine else ():
            elapsed = now - (now if step.start is None else step.start)
            if elapsed > 0:
                beyond = log(elapsed) - expected.seconds
                furthest[expected.spread] = max(beyond, furthest.get(expected.spread, beyond))
        found = 0.0
        for own, late in furthest.items():
            spread = hypot(self.pace_spread, own)
            beyond = late / spread
            longer = _NORMAL.cdf(-beyond)
            hazard = _NORMAL.pdf(beyond) / longer if longer > TAIL else beyond
            found = max(found, self.pace_spread**2 / spread * hazard)
        return min(found, log(SLOWEST))

    def variance_of(self, expected: Expected, seconds: float) -> float:
        """Return the variance of so many seconds of a step."""
        return (expected.spread**2 + self.scatter_before) * seconds**2

    def _width(self, running: Sequence[tuple[Step, Expected]], left: float, now: float) -> float:
        """Return the factor of the band's width when so many seconds of steps are left."""
        if not self.bands:
            return 1.0
        done = self.done_seconds + sum(now - step.start for step, _ in running if step.start is not None)
        return between(self.bands, max(0.0, done) / (max(0.0, done) + left))

    def steps(self, run: Run, now: float) -> list[StepOutlook]:
        """Return the open steps, in the order in which they should begin."""
        critical = self.parallel.critical if self.parallel is not None else None
        found = []
        for key, expected in list(self.expected.items()):
            step = run.steps.get(key)
            if step is not None and not step.state.is_done:
                running = step.state is StepState.RUNNING
                left = left_of(step, expected, now) if running else exp(expected.seconds)
                found.append(StepOutlook(step, exp(expected.seconds), left, critical is None or key in critical))
        return found


def _running(run: Run, outlook: Outlook) -> list[tuple[Key, Step]]:
    return [(key, step) for key, step in list(run.running.items()) if key in outlook.expected]


def outlook_of(run: Run, history: History, now: float, tuning: Tuning) -> Outlook | None:
    """Return what is to come of a run, None where nothing is known of its steps to come."""
    if not run.has_plan:
        return None
    steps = Steps(run, history)
    facts = facts_of(run, history, steps.typical())
    # where runs are of the same steps nobody asks
    names = set() if history.repeats else {name_of(step.phase, step.step, step.version) for step in steps.all}
    sources = sources_of(history, facts, steps.kinds, tuning, names)
    expectations = Expectations(history, facts, sources, tuning)
    expectations.learn(steps.kinds, steps.last_ended(round(RANKS * tuning.half_life)))
    opened = _opened(run, steps, expectations)
    done = sum(len(kind.taken) for kind in steps.kinds)
    seconds = sum(exp(taken) for kind in steps.kinds for taken in kind.taken)
    is_early = not done or (opened and seconds < GUESS_SECONDS)
    if is_early and not any(expected.candidates for expected in opened.values()):
        return None
    outlook = Outlook(opened, sources, facts, history, tuning, scatter_before=expectations.scatter_before)
    _sum_up(outlook, run)
    outlook.gap_ratio = _gap_ratio(run, history)
    outlook.pace_spread = _pace_spread(outlook)
    outlook.parallel = parallel_of(
        run, _model(history, sources), opened, {k: left_of(s, opened[k], now) for k, s in _running(run, outlook)}, now
    )
    outlook.done_seconds = seconds
    outlook.bands = _bands(outlook)
    outlook.basis = basis_of(outlook, done)
    return outlook


def _model(history: History, sources: Sources) -> PastRun | None:
    """Return the earlier run whose order this one should have: the newest that succeeded, if possible of its work."""
    pairs = zip(sources.runs, history.runs, strict=True)
    found = [(source.is_same_work, past) for source, past in pairs if past.own and past.result == "succeeded"]
    return max(found, key=lambda each: each[0])[1] if found else None


def _opened(run: Run, steps: Steps, expectations: Expectations) -> dict[Key, Expected]:
    """Return what each open step should take: one object for all steps of which the same is known."""
    opened = steps.opened()
    packages = [
        None if kind.is_known else package_of(name_of(step.phase, step.step, step.version), step.package)
        for step, kind in opened
    ]
    elsewhere = steps.times_of(frozenset(filter(None, packages)))
    beside = max(0, round(run.concurrency) - 1, len(run.running) - 1)
    known: dict[Kind, Expected] = {}
    found = {}
    for (step, kind), package in zip(opened, packages, strict=True):
        if package is not None:
            expected = expectations.of_unknown(package, elsewhere.get(package, ()), is_package=step.version is not None)
        else:
            expected = known.get(kind) or known.setdefault(kind, expectations.of(kind, beside))
        found[step.key] = expected
    return found


def _sum_up(outlook: Outlook, run: Run) -> None:
    """Add up the steps that have not begun, and how far each source is from the blend over all open steps."""
    shares: dict[int, float] = defaultdict(float)
    chances: dict[int, float] = defaultdict(float)
    apart: dict[int, float] = defaultdict(float)
    whole = 0.0
    counts = Counter(map(id, outlook.expected.values()))
    running = Counter(id(outlook.expected[key]) for key, _ in _running(run, outlook))
    for number, expected in {id(each): each for each in outlook.expected.values()}.items():
        seconds, pending = exp(expected.seconds), counts[number] - running[number]
        outlook.pending_seconds += pending * seconds
        outlook.pending_variance += pending * outlook.variance_of(expected, seconds)
        seconds *= counts[number]
        whole += seconds
        weight, chance = 0.0, 0.0
        for each, _, source in expected.candidates:
            weight += each
            chance += source.chance
        if weight <= 0 or chance <= 0:
            continue
        by_weight, by_chance, middle = seconds / weight, seconds / chance, expected.seconds
        for each, taken, source in expected.candidates:
            place = id(source)
            shares[place] += each * by_weight
            chances[place] += source.chance * by_chance
            apart[place] += seconds * (taken - middle)
        # of a large build they are more than all else that is kept of an estimate
        expected.candidates = ()
    outlook.shares = shares
    if whole > 0:
        outlook.guessed_ratio = sum(exp(e.seconds) for e in outlook.expected.values() if e.guess) / whole
        outlook.doubt_up, outlook.doubt_down = (_doubt(outlook, whole, sign) for sign in (1, -1))
        few = _few(len(outlook.history.runs))
        squares = [(apart[place] / whole, share / whole) for place, share in chances.items()]
        outlook.spread_up = few * sqrt(sum(share * d * d for d, share in squares if d > 0))
        outlook.spread_down = few * sqrt(sum(share * d * d for d, share in squares if d < 0))


def _doubt(outlook: Outlook, whole: float, sign: int) -> float:
    """Return the deviation of the sum on one side: of all steps that nobody measured alike."""
    doubtful = [(exp(each.seconds), each.doubt) for each in outlook.expected.values() if each.doubt]
    beyond = sum(seconds * (exp(sign * PERCENTILE_90 * doubt) - 1.0) for seconds, doubt in doubtful)
    return log(1.0 + beyond / whole) / PERCENTILE_90


def _few(runs: int) -> float:
    """Return by how much the scatter of so few runs understates that of all: as Student's t does."""
    return 1.0 + 1.4 / (runs - 1) if runs > 1 else 1.0


def _best(outlook: Outlook) -> Source:
    """Return the source that most of the estimate comes from."""
    return max(outlook.sources.all, key=lambda source: outlook.shares.get(id(source), 0.0))


def _is_of_runs(outlook: Outlook, best: Source) -> bool:
    return any(best is source for source in outlook.sources.runs)


def _pace_spread(outlook: Outlook) -> float:
    """Return how unsure the pace of the rest of the run is, by what most of the estimate comes from."""
    tuning, sources, best = outlook.tuning, outlook.sources, _best(outlook)
    if _is_of_runs(outlook, best) and not best.differs:
        own = sum(past.own for past in outlook.history.runs)
        # one run shows nothing of how much runs differ
        factor = 1.0 + 3.0 / own**2 if best.prior >= 1.0 and own else 2.0
        usual = usual_pace_spread(outlook.history, tuning)
        return factor / sqrt(usual**-2 + best.compared / tuning.pace_evidence / tuning.pace_spread**2)
    if outlook.is_of_unknown_machine and best is not sources.plan_seconds:
        return tuning.machine_spread
    scale = tuning.scale_spread / sqrt(1.0 + tuning.scale_evidence * best.compared / tuning.pace_evidence)
    if best is not sources.plan_seconds and best is not sources.plan_sbu:
        return scale
    # nobody knows who wrote the plan's figures: what few steps took against them says little of the others
    variance = (SPREAD_PRIOR * tuning.spread_plan**2 + best.squares) / (SPREAD_PRIOR + best.count)
    return hypot(scale, sqrt(variance / (2 + best.count)))


def _bands(outlook: Outlook) -> Sequence[float]:
    """Return the factors of the band's width, by what the estimate rests on."""
    best = _best(outlook)
    if outlook.parallel is not None or not outlook.history.repeats:
        return outlook.tuning.bands_packages if _is_of_runs(outlook, best) else ()
    if _is_of_runs(outlook, best):
        return outlook.tuning.bands_run if best.prior >= 1.0 else ()
    return outlook.tuning.bands_table if best in outlook.sources.variants else ()


def _gap_ratio(run: Run, history: History) -> float:
    """Return the time between steps for each second of steps: as in this run, and at first as in earlier ones."""
    own = run.pace.taken + run.unweighted_pace.taken
    earlier = [past.gap_ratio for past in history.runs if past.own and past.result == "succeeded"][:3]
    usual = sorted(earlier)[len(earlier) // 2] if earlier else None
    if usual is None:
        return run.gap_ratio
    return min(1.0, (run.gap_seconds + usual * GAP_EVIDENCE) / (own + GAP_EVIDENCE))


def left_of(step: Step, expected: Expected, now: float, slower: float = 0.0) -> float:
    """Return the seconds a running step still needs: by its expected time, and more and more by its own progress.

    `slower` is the logarithm of the pace of a machine that was found to be slower since.
    """
    middle, ratio = expected.seconds + slower, step.ratio
    elapsed = max(0.0, now - step.start) if step.start is not None else 0.0
    if ratio is None or ratio <= 0:
        return _left_by_time(elapsed, middle, expected.spread)
    by_plan = (1.0 - ratio) * exp(middle)
    by_itself = elapsed * (1.0 - ratio) / ratio
    # the further it is, the more its own speed counts
    return ratio * by_itself + (1.0 - ratio) * by_plan


def _left_by_time(elapsed: float, middle: float, spread: float) -> float:
    """Return the middle of what is left of a step that has run so long, its whole time being log-normal."""
    least = OVERDUE_SHARE * elapsed
    if elapsed <= 0:
        return exp(middle)
    share = (1.0 + _NORMAL.cdf((log(elapsed) - middle) / spread)) / 2
    if share >= 1.0 - TAIL:
        return least
    seconds = exp(middle + spread * _NORMAL.inv_cdf(share)) - elapsed
    return max(seconds, least if elapsed > exp(middle) else 0.0)
