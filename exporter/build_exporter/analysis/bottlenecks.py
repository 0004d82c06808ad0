"""Bottlenecks of a run: where its time went, what delayed it, and what would save most, each with its arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from build_exporter.analysis.advice import Recommendation, earlier_attempts, recommendations
from build_exporter.analysis.bound import Bound, bound_of, is_serial
from build_exporter.analysis.differences import Differences, differences
from build_exporter.model.states import StepState
from build_exporter.tracker import Run, RunSummary, Step

MAX_SLOWEST: Final = 10
MAX_GAPS: Final = 10
LEAST_GAP_SECONDS: Final = 10.0
"""Shorter pauses between steps are the work of whatever runs them."""


class SlowStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step by the time of all its `attempts`; `share` is that of all steps' time.

    `cores` is how many its newest attempt kept busy (null: not measured).

    `efficiency_ratio` is the share of the parallel jobs that it kept busy; `bound` what held it up, null: not measured,
    or nothing in particular.
    """

    phase: str
    step: str
    seconds: float
    share: float
    cores: float | None
    efficiency_ratio: float | None
    bound: Bound | None = None
    attempts: int = 1


class PhaseTime(msgspec.Struct, frozen=True, kw_only=True):
    """A phase's time in steps and its share of all."""

    phase: str
    seconds: float
    share: float
    steps: int


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which no step ran: after which step, before which.

    `after_failure`: the step before did not succeed, or the one after is tried again; a person's work lies between.
    """

    after: str
    before: str
    start: float
    seconds: float
    after_failure: bool = False


class Analysis(msgspec.Struct, frozen=True, kw_only=True):
    """Use of a run's time.

    `parallel_efficiency_ratio` is CPU time over the time of the steps it was measured for times the jobs;
    `serial_ratio` the share of that time in steps that kept about one core busy; both null where no CPU time is known.
    `concurrency` is how many steps ran at once on average. `bounds` is the share of the steps' time that was held up by
    the CPUs, memory, the disk, or by work in one process after the other, as far as that was measured.
    """

    build: str
    run: str
    wall_seconds: float | None
    step_seconds: float
    cpu_seconds: float | None
    jobs: int | None
    concurrency: float
    parallel_efficiency_ratio: float | None
    serial_ratio: float | None
    idle_seconds: float
    ccache_hit_ratio: float | None
    phases: list[PhaseTime]
    slowest: list[SlowStep]
    gaps: list[Gap]
    differences: Differences
    recommendations: list[Recommendation]
    bounds: dict[Bound, float] = {}


def analyze(run: Run, history: Sequence[RunSummary] = (), cores: int | None = None) -> Analysis:
    """Return where a run's time went.

    Args:
        run: the run, over or not.
        history: summaries of earlier runs.
        cores: CPUs of the machine, None where not known.
    """
    timed = [
        step for step in list(run.steps.values()) if step.attempts and (step.seconds is not None or _seconds(step))
    ]
    whole = sum(map(_seconds, timed))
    measured = [step for step in timed if step.cpu_seconds is not None and step.seconds]
    span = sum(step.seconds or 0.0 for step in measured)
    cpu = sum(step.cpu_seconds or 0.0 for step in measured)
    jobs = run.jobs_used
    gaps = idle_gaps(run)
    differing = differences(run, history)
    end = run.end or run.last_event
    return Analysis(
        build=run.build,
        run=run.run,
        wall_seconds=end - run.start if end is not None and run.start is not None else None,
        step_seconds=whole,
        cpu_seconds=cpu if measured else None,
        jobs=jobs,
        concurrency=run.concurrency,
        parallel_efficiency_ratio=cpu / (span * jobs) if span and jobs else None,
        serial_ratio=_serial(measured) / span if span else None,
        idle_seconds=sum(gap.seconds for gap in gaps),
        ccache_hit_ratio=_hit_ratio(run),
        phases=_phases(timed, whole),
        slowest=[_slow(step, whole, jobs) for step in sorted(timed, key=_seconds, reverse=True)[:MAX_SLOWEST]],
        gaps=sorted(gaps, key=lambda gap: -gap.seconds)[:MAX_GAPS],
        differences=differing,
        recommendations=recommendations(run, history, gaps, differing, cores),
        bounds=_bounds(timed, whole, jobs),
    )


def idle_gaps(run: Run) -> list[Gap]:
    """Return the times between steps in which none ran, at least ten seconds each, in their order."""
    spans = sorted(span for step in list(run.steps.values()) for span in _spans(step))
    found, last = [], spans[0] if spans else None
    for before, span in pairwise(spans):
        last = max(last or before, before, key=lambda each: each[1])
        if span[0] - last[1] >= LEAST_GAP_SECONDS:
            repaired = span[4] or not last[3]
            found.append(
                Gap(after=last[2], before=span[2], start=last[1], seconds=span[0] - last[1], after_failure=repaired)
            )
    return found


def _spans(step: Step) -> Iterator[tuple[float, float, str, bool, bool]]:
    """Yield start, end and name of a step's attempts, whether each succeeded, and whether it is a repeat."""
    name = f"{step.phase}/{step.step}"
    earlier = earlier_attempts(step)
    for nth, (start, end) in enumerate(earlier):
        yield start, end, name, False, nth > 0
    if step.start is not None:
        went_well = step.state not in (StepState.FAILED, StepState.INTERRUPTED)
        yield step.start, step.end if step.end is not None else float("inf"), name, went_well, bool(earlier)


def _seconds(step: Step) -> float:
    return (step.seconds or 0.0) + sum(end - start for start, end in earlier_attempts(step))


def _cores(step: Step) -> float | None:
    return step.cpu_seconds / step.seconds if step.cpu_seconds is not None and step.seconds else None


def _serial(steps: Iterable[Step]) -> float:
    return sum(step.seconds or 0.0 for step in steps if is_serial(_cores(step) or 0.0))


def _bounds(steps: Sequence[Step], whole: float, jobs: int | None) -> dict[Bound, float]:
    sums: dict[Bound, float] = {}
    for step in steps:
        bound = bound_of(step, jobs)
        if bound is not None:
            sums[bound] = sums.get(bound, 0.0) + _seconds(step)
    return {bound: seconds / whole for bound, seconds in sorted(sums.items(), key=lambda each: -each[1])}


def _slow(step: Step, whole: float, jobs: int | None) -> SlowStep:
    cores = _cores(step)
    return SlowStep(
        phase=step.phase,
        step=step.step,
        seconds=_seconds(step),
        share=_seconds(step) / whole if whole else 0.0,
        cores=cores,
        efficiency_ratio=cores / jobs if cores is not None and jobs else None,
        bound=bound_of(step, jobs),
        attempts=step.attempts,
    )


def _phases(steps: Sequence[Step], whole: float) -> list[PhaseTime]:
    sums: dict[str, list[float]] = {}
    for step in steps:
        sums.setdefault(step.phase, []).append(_seconds(step))
    rows = [
        PhaseTime(phase=name, seconds=sum(each), share=sum(each) / whole if whole else 0.0, steps=len(each))
        for name, each in sums.items()
    ]
    return sorted(rows, key=lambda row: -row.seconds)


def _hit_ratio(run: Run) -> float | None:
    known = run.toolchain
    hits, misses = (known.ccache_hits or 0, known.ccache_misses or 0) if known is not None else (0, 0)
    return hits / (hits + misses) if hits + misses else None
