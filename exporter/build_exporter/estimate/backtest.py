"""Backtest: replays recorded runs and scores each estimate, made with what was known at its time."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from build_exporter.estimate.estimator import Estimator
from build_exporter.estimate.tuning import DEFAULT, Tuning
from build_exporter.journal.follow import Follower
from build_exporter.model import events as e
from build_exporter.model.states import BuildState, StepState
from build_exporter.tracker import Build, Run, Tracker, apply_all
from build_exporter.tracker.earlier_runs import EarlierRuns

HistoryMode = Literal["earlier", "none"]
MARKS: Final = (0.1, 0.25, 0.5, 0.75)
PAUSE_SECONDS: Final = 900.0
"""Time in which no step ran that is longer than this is a night, or a machine that slept, and not build time."""


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run's events, in the order of its file."""

    build: str
    run: str
    events: Sequence[e.Event]


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a backtest: shares of a run's time, history, whether each step is scored, constants."""

    marks: Sequence[float] = MARKS
    history: HistoryMode = "earlier"
    steps: bool = False
    tuning: Tuning = DEFAULT


@dataclass(frozen=True, slots=True)
class Mark:
    """An estimate at one share of a run's time; seconds, None where nothing could be said.

    `error_ratio` is the error over the whole time of the run, negative where the end came later than predicted.
    """

    remaining_seconds: float
    predicted_seconds: float | None
    error_ratio: float | None
    inside_band: bool | None
    low_seconds: float | None = None
    high_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ScoredStep:
    """A step that succeeded, with what was expected of it when it began and how many earlier times of it there were."""

    build: str
    run: str
    phase: str
    step: str
    seconds: float
    predicted_seconds: float | None
    earlier_times: int

    @property
    def error_ratio(self) -> float | None:
        """The error over the true time."""
        if self.predicted_seconds is None or self.seconds <= 0:
            return None
        return (self.predicted_seconds - self.seconds) / self.seconds


@dataclass(frozen=True, slots=True)
class ScoredRun:
    """The estimates of one run by share of its time; `seconds` is its whole time without pauses."""

    build: str
    run: str
    seconds: float
    earlier_runs: int
    marks: dict[float, Mark]
    steps: list[ScoredStep] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Score:
    """Errors over runs at one mark; shares of the runs' time."""

    runs: int
    without_estimate: int
    median_abs_error_ratio: float | None
    p90_abs_error_ratio: float | None
    median_error_ratio: float | None
    band_coverage: float | None


STANDARD: Final = Settings()


def read_runs(journals: Iterable[str]) -> Iterator[RecordedRun]:
    """Yield every run of journals, in the order of their starts, so that each has the earlier ones before it."""
    for journal in journals:
        follower = Follower(journal)
        newest: dict[tuple[str, str], list[e.Event]] = {}
        for batch in follower.poll():
            newest.setdefault((batch.build, batch.run), []).extend(batch.events)
        names = [*newest, *((build, run) for build in follower.build_names() for run in follower.older_runs(build))]
        try:
            for build, run in sorted(names, key=lambda each: (each[1], each[0])):
                events = newest.get((build, run))
                if events is None:
                    events = [event for chunk in follower.read_older(build, run) for event in chunk]
                yield RecordedRun(build, run, events)
        finally:
            follower.close()


def backtest(runs: Iterable[RecordedRun], settings: Settings = STANDARD) -> Iterator[ScoredRun]:
    """Yield the score of each run that succeeded; with history `none` each is estimated as the first on its machine.

    Where steps are scored the other runs come too, with their steps that succeeded and without marks.
    """
    tracker = Tracker()
    for recorded in runs:
        whole = Run(recorded.build, recorded.run)
        apply_all(whole, recorded.events)
        scored = score_run(recorded, whole, tracker.builds, settings)
        if scored is not None:
            yield scored
        if settings.history == "earlier":
            tracker.remember(recorded.build, whole)


def score_run(recorded: RecordedRun, whole: Run, builds: Mapping[str, Build], settings: Settings) -> ScoredRun | None:
    """Return the score of a run, all of which `whole` has, by the runs of its build before it; None if it has none."""
    clock = ActiveClock(whole)
    succeeded = whole.status is BuildState.SUCCEEDED and clock.seconds > 0
    if not succeeded and not settings.steps:
        return None
    known = builds.get(recorded.build)
    count = sum(run < recorded.run for run in known.history) if known is not None else 0
    earlier = known.earlier(recorded.run) if known is not None else None
    found = ScoredRun(recorded.build, recorded.run, clock.seconds, count, {})
    estimator = Estimator(builds, settings.tuning)
    for mark in settings.marks if succeeded else ():
        now = clock.at(mark * clock.seconds)
        run = Run(recorded.build, recorded.run, earlier=earlier)
        apply_all(run, (event for event in recorded.events if event.time <= now))
        estimate = estimator(run, now)
        left = (1.0 - mark) * clock.seconds
        if estimate is None:
            found.marks[mark] = Mark(left, None, None, None)
            continue
        error = (estimate.middle - left) / clock.seconds
        found.marks[mark] = Mark(
            left, estimate.middle, error, estimate.low <= left <= estimate.high, estimate.low, estimate.high
        )
    if settings.steps:
        found.steps.extend(_score_steps(recorded, whole, earlier, Estimator(builds, settings.tuning)))
    return found


def _score_steps(
    recorded: RecordedRun, whole: Run, earlier: EarlierRuns | None, estimator: Estimator
) -> Iterator[ScoredStep]:
    """Yield each step's time and what was expected of it when its last attempt began."""
    run = Run(recorded.build, recorded.run, earlier=earlier)
    for event in recorded.events:
        apply_all(run, (event,))
        if not isinstance(event, e.StepStarted):
            continue
        step = whole.steps.get((event.phase, event.step))
        if step is None or step.start != event.time or step.state is not StepState.SUCCEEDED or step.seconds is None:
            continue
        expected = estimator.expected_seconds(run, run.steps[step.key], event.time)
        times = estimator.earlier_times(run, run.steps[step.key], event.time)
        yield ScoredStep(recorded.build, recorded.run, step.phase, step.step, step.seconds, expected, times)


class ActiveClock:
    """The time of a run without its pauses.

    Attributes:
        seconds: its whole time.
    """

    def __init__(self, run: Run) -> None:
        start = run.start or 0.0
        end = run.end if run.end is not None else start
        spans = sorted(
            (step.start, step.end)
            for step in run.steps.values()
            if step.start is not None and step.end is not None and step.end >= step.start
        )
        self._pauses: list[tuple[float, float]] = []
        reached = start
        for begin, until in [*spans, (end, end)]:
            if begin - reached > PAUSE_SECONDS:
                self._pauses.append((reached, begin - reached))
            reached = max(reached, until)
        self._start = start
        self.seconds = max(0.0, end - start - sum(length for _, length in self._pauses))

    def at(self, passed: float) -> float:
        """Return the Unix time at which so many seconds of it had passed."""
        now = self._start + passed
        for begin, length in self._pauses:
            if now >= begin:
                now += length
        return now


def score(runs: Iterable[ScoredRun], mark: float) -> Score:
    """Return the errors over runs at a mark."""
    found = [run.marks[mark] for run in runs if mark in run.marks]
    errors = [each.error_ratio for each in found if each.error_ratio is not None]
    sizes = sorted(abs(error) for error in errors)
    inside = [each.inside_band for each in found if each.inside_band is not None]
    return Score(
        runs=len(found),
        without_estimate=len(found) - len(errors),
        median_abs_error_ratio=statistics.median(sizes) if sizes else None,
        p90_abs_error_ratio=percentile(sizes, 0.9) if sizes else None,
        median_error_ratio=statistics.median(errors) if errors else None,
        band_coverage=sum(inside) / len(inside) if inside else None,
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which a share of ordered ones lies, between two by their distance."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
