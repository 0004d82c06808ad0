"""Recommendations for a shorter next run, ranked by the time saved; a new kind is one function in `_KINDS`.

Each recommendation rests on at least one measured number and shows its arithmetic. A saving is an upper bound where it
says `at most`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

import msgspec

from build_exporter.analysis.bound import bound_of
from build_exporter.analysis.differences import CACHE_DIFFERENCE, Differences
from build_exporter.analysis.samples import identity, times_of
from build_exporter.model.states import StepState
from build_exporter.tracker import Key, Run, RunSummary, Step

if TYPE_CHECKING:
    from build_exporter.analysis.bottlenecks import Gap

MIN_SECONDS: Final = 30.0
"""Least seconds saved that are worth a change."""
IDLE_SHARE: Final = 0.5
"""A step that keeps less than this share of the jobs busy has room."""
LEAST_PAUSE_SECONDS: Final = 60.0
"""A shorter time without a step may be unpacking and cleaning up."""
MAX_STEPS: Final = 10
MIN_PLANNED: Final = 5
"""Steps with an SBU from which their pace says what one of them should take."""
BEYOND_PLAN: Final = 1.3


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """A change worth trying: what to do, the seconds it saves, how they are worked out, and what was measured."""

    kind: str
    action: str
    saves_seconds: float
    arithmetic: str
    evidence: list[str]
    steps: list[str]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A recommendation of an earlier run against what its steps took in a later one."""

    recommendation: Recommendation
    before_seconds: float
    after_seconds: float
    saved_seconds: float


@dataclass(frozen=True, slots=True)
class _Facts:
    """Input of the kinds."""

    run: Run
    timed: Sequence[Step]
    history: Sequence[RunSummary]
    gaps: Sequence[Gap]
    differing: Differences
    cores: int | None

    @property
    def measured(self) -> list[Step]:
        """The steps that succeeded with a known duration and CPU time."""
        return [step for step in self.timed if step.cpu_seconds is not None and step.state is StepState.SUCCEEDED]


def recommendations(
    run: Run, history: Sequence[RunSummary], gaps: Sequence[Gap], differing: Differences, cores: int | None = None
) -> list[Recommendation]:
    """Return what would make the next run shorter, the most seconds first."""
    timed = [step for step in list(run.steps.values()) if step.seconds and step.attempts]
    facts = _Facts(run, timed, history, gaps, differing, cores)
    found = [each for kind in _KINDS for each in kind(facts) if each.saves_seconds >= MIN_SECONDS]
    return sorted(found, key=lambda each: -each.saves_seconds)


def outcomes(advice: Sequence[Recommendation], before: Run, after: Run) -> list[Outcome]:
    """Return, for the recommendations of an earlier run that name steps, what those steps took in a later one."""
    old, new = times_of(before), times_of(after)
    found = []
    for each in advice:
        names = [name for name in map(_identity, each.steps) if name in old and name in new]
        if names:
            was, now = sum(old[name].seconds for name in names), sum(new[name].seconds for name in names)
            found.append(Outcome(recommendation=each, before_seconds=was, after_seconds=now, saved_seconds=was - now))
    return found


def _identity(label: str) -> Key:
    phase, _, step = label.partition("/")
    return identity((phase, step))


def _label(step: Step) -> str:
    return f"{step.phase}/{step.step}"


def _more_jobs(facts: _Facts) -> Iterator[Recommendation]:
    """Fewer jobs than cores: the parallel part of the CPU time, on all cores instead."""
    jobs, cores = facts.run.jobs_used, facts.cores
    if not jobs or not cores or cores <= jobs or facts.run.concurrency > 1.5:
        return
    busy = [step for step in facts.measured if (step.cpu_seconds or 0.0) > IDLE_SHARE * jobs * (step.seconds or 0.0)]
    seconds = sum(step.seconds or 0.0 for step in busy)
    if busy:
        yield Recommendation(
            kind="jobs",
            action=f"build with -j{cores} instead of -j{jobs}",
            saves_seconds=seconds * (1.0 - jobs / cores),
            arithmetic=f"at most {seconds:.0f} s * (1 - {jobs}/{cores})",
            evidence=[f"{len(busy)} steps of {seconds:.0f} s kept more than half of {jobs} jobs busy", f"{cores} CPUs"],
            steps=[_label(step) for step in sorted(busy, key=lambda s: -(s.seconds or 0.0))[:MAX_STEPS]],
        )


def _idle_cores(facts: _Facts) -> Iterator[Recommendation]:
    """Steps that left most of the jobs idle, against what this run's own parallel steps reach."""
    jobs = facts.run.jobs_used
    if not jobs or jobs < 2:
        return
    reached = sorted(
        (step.cpu_seconds or 0.0) / (step.seconds or 1.0) for step in facts.measured if (step.seconds or 0) >= 10
    )
    if len(reached) < 3:
        return
    best = reached[int(len(reached) * 0.9)]
    for step in facts.measured:
        cpu, seconds = step.cpu_seconds or 0.0, step.seconds or 0.0
        if cpu / seconds < IDLE_SHARE * best:
            yield Recommendation(
                kind="idle-cores",
                action=f"see why {_label(step)} keeps {cpu / seconds:.1f} of {jobs} jobs busy: is -j passed to make?",
                saves_seconds=seconds - cpu / best,
                arithmetic=f"at most {seconds:.0f} s - {cpu:.0f} CPU s / {best:.1f}",
                evidence=[f"{cpu / seconds:.1f} cores busy", f"the run's parallel steps keep {best:.1f} busy"],
                steps=[_label(step)],
            )


def _side_by_side(facts: _Facts) -> Iterator[Recommendation]:
    """Steps that need not wait for one another, run one after the other though CPUs were idle."""
    steps = {step.step: step for step in facts.timed}
    if not any(step.after for step in facts.timed) or facts.run.concurrency > 1.5 or not facts.cores:
        return
    cpu = sum(step.cpu_seconds or 0.0 for step in facts.timed)
    whole = sum(step.seconds or 0.0 for step in facts.timed)
    finish: dict[str, float] = {}
    for step in facts.timed:
        needs = (finish.get(need.rpartition("/")[2], 0.0) for need in step.after)
        finish[step.step] = max(needs, default=0.0) + (step.seconds or 0.0)
    critical = max(finish.values(), default=0.0)
    bound = max(critical, cpu / facts.cores)
    if cpu:
        yield Recommendation(
            kind="side-by-side",
            action="run steps that do not need one another side by side",
            saves_seconds=whole - bound,
            arithmetic=f"at most {whole:.0f} s - max({critical:.0f} s longest chain, {cpu:.0f} CPU s / {facts.cores})",
            evidence=[f"{len(steps)} steps ran one at a time", f"the longest chain of needs takes {critical:.0f} s"],
            steps=[],
        )


def _slower(facts: _Facts) -> Iterator[Recommendation]:
    """Steps that became slower for no known reason."""
    for each in facts.differing.differences:
        if each.is_regression:
            yield Recommendation(
                kind="regression",
                action=f"see what made {each.phase}/{each.step} slower than in earlier runs",
                saves_seconds=each.difference_seconds,
                arithmetic=f"{each.seconds:.0f} s - {each.usual_seconds:.0f} s, the median of {each.samples} runs",
                evidence=[f"{each.ratio:.2f} times its usual time, noise reaches {each.noise_ratio:.2f}"],
                steps=[f"{each.phase}/{each.step}"],
            )


def _warm_cache(facts: _Facts) -> Iterator[Recommendation]:
    """ccache knew less than in an earlier run: what that run took for the same steps."""
    known = facts.run.toolchain
    hits, misses = (known.ccache_hits or 0, known.ccache_misses or 0) if known is not None else (0, 0)
    if not hits + misses:
        return
    ratio = hits / (hits + misses)
    warm = [s for s in facts.history if (s.ccache_hit_ratio or 0.0) - ratio > CACHE_DIFFERENCE]
    if not warm:
        return
    best = max(warm, key=lambda summary: summary.ccache_hit_ratio or 0.0)
    shared = [step for step in facts.timed if step.key in best.steps]
    now, then = sum(step.seconds or 0.0 for step in shared), sum(best.steps[step.key] for step in shared)
    yield Recommendation(
        kind="ccache",
        action="keep the compiler cache between runs",
        saves_seconds=now - then,
        arithmetic=f"{now:.0f} s - {then:.0f} s for the same {len(shared)} steps in run {best.run}",
        evidence=[
            f"ccache knew {ratio:.0%} of this run's compilations, {best.ccache_hit_ratio or 0:.0%} of that run's"
        ],
        steps=[],
    )


def _waits(facts: _Facts) -> Iterator[Recommendation]:
    """Time in which the machine waited for memory, or for the disk, in the steps that this held up."""
    actions = {
        "memory": "give the build more memory, or fewer jobs in its largest steps",
        "io": "build on a faster disk, or in memory (tmpfs)",
    }
    for kind, action in actions.items():
        held = [step for step in facts.timed if bound_of(step, facts.run.jobs_used) == kind and step.waits is not None]
        waited = {step: getattr(step.waits, kind) for step in held}
        if held:
            most = sorted(held, key=lambda step: -waited[step])[:MAX_STEPS]
            yield Recommendation(
                kind=kind,
                action=action,
                saves_seconds=sum(waited.values()),
                arithmetic="at most " + " + ".join(f"{waited[step]:.0f} s" for step in most),
                evidence=[f"{_label(step)} waited {waited[step]:.0f} of {step.seconds:.0f} s" for step in most[:3]],
                steps=[_label(step) for step in most],
            )


def _beyond_plan(facts: _Facts) -> Iterator[Recommendation]:
    """Without earlier runs: steps that took much longer than their SBU say at the pace of the others."""
    planned = [step for step in facts.timed if step.sbu and step.state is StepState.SUCCEEDED]
    if facts.differing.earlier_runs or len(planned) < MIN_PLANNED:
        return
    unit = median((step.seconds or 0.0) / (step.sbu or 1.0) for step in planned)
    for step in planned:
        expected = unit * (step.sbu or 0.0)
        if (step.seconds or 0.0) > BEYOND_PLAN * expected:
            yield Recommendation(
                kind="beyond-plan",
                action=f"see what held up {_label(step)}: other work on the machine, a busy disk",
                saves_seconds=(step.seconds or 0.0) - expected,
                arithmetic=f"{step.seconds:.0f} s - {step.sbu:.2f} SBU * {unit:.0f} s",
                evidence=[f"the median of {len(planned)} planned steps took {unit:.0f} s for each SBU"],
                steps=[_label(step)],
            )


def _failed_attempts(facts: _Facts) -> Iterator[Recommendation]:
    """Time that attempts took which did not succeed, each from its start to its end."""
    worked = facts.run.worked
    lost = {
        step: sum(end - start for start, end in earlier_attempts(step)) - worked.get(step.key, 0.0)
        for step in facts.timed
    }
    lost = {step: seconds for step, seconds in lost.items() if seconds >= 1.0}
    total = sum(lost.values())
    if total:
        most = sorted(lost, key=lambda step: -lost[step])[:MAX_STEPS]
        yield Recommendation(
            kind="failed-attempts",
            action="put right what made these steps fail before the next run",
            saves_seconds=total,
            arithmetic=" + ".join(f"{lost[step]:.0f} s" for step in most),
            evidence=[f"{len(lost)} steps were tried more than once"],
            steps=[_label(step) for step in most],
        )


def earlier_attempts(step: Step) -> list[tuple[float, float]]:
    """Return start and end of a step's attempts before the newest, as far as they are kept."""
    if step.attempts < 2:
        return []
    ends = [end for end in step.ends if step.start is None or end <= step.start]
    return [(start, max(start, end)) for start, end in zip(step.starts, ends, strict=False)]


def _idle_time(facts: _Facts) -> Iterator[Recommendation]:
    """Time in which nothing ran, beyond the usual pause between this run's steps, and without a failure to repair."""
    own = [gap for gap in facts.gaps if not gap.after_failure]
    usual = median(gap.seconds for gap in own) if len(own) > 5 else 0.0
    long = [gap for gap in own if gap.seconds > max(2 * usual, LEAST_PAUSE_SECONDS)]
    total = sum(gap.seconds for gap in long)
    if long:
        most = max(long, key=lambda gap: gap.seconds)
        pauses = "1 pause" if len(long) == 1 else f"{len(long)} pauses"
        yield Recommendation(
            kind="idle",
            action=f"see what the build waits for, as before {most.before}",
            saves_seconds=total,
            arithmetic=" + ".join(f"{gap.seconds:.0f} s" for gap in sorted(long, key=lambda g: -g.seconds)[:MAX_STEPS]),
            evidence=[f"no step ran in {pauses}, the longest of {most.seconds:.0f} s after {most.after}"],
            steps=[],
        )


_KINDS: Final[tuple[Callable[[_Facts], Iterator[Recommendation]], ...]] = (
    _more_jobs, _idle_cores, _side_by_side, _slower, _beyond_plan, _warm_cache, _waits, _failed_attempts, _idle_time,
)  # fmt: skip
