"""Estimates of running builds, kept until a step ends: until then only the running steps move with the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp

from build_exporter.estimate.history import History, history_of
from build_exporter.estimate.outlook import Estimate, Outlook, outlook_of
from build_exporter.estimate.tuning import DEFAULT, Tuning
from build_exporter.model.states import BuildState, StepState
from build_exporter.tracker import Build, Key, Run, Step


@dataclass(frozen=True, slots=True)
class _Kept:
    """An outlook, and what it was made of: while that stays the same, so does the outlook."""

    state: tuple[object, ...]
    past: tuple[object, ...]
    history: History
    outlook: Outlook | None


@dataclass(slots=True)
class _Begun:
    run: str
    seconds: dict[Key, tuple[int, float | None]] = field(default_factory=dict)


class Estimator:
    """Estimates runs with all that the builds' earlier runs tell. Call it as `estimator(run, now)`.

    It may be called from any thread: what it keeps is replaced as a whole.

    Args:
        builds: the tracker's builds by name; it is read again at each call.
        tuning: the constants.
    """

    def __init__(self, builds: Mapping[str, Build] | None = None, tuning: Tuning = DEFAULT) -> None:
        self._builds = builds if builds is not None else {}
        self._tuning = tuning
        self._kept: dict[str, _Kept] = {}
        self._begun: dict[str, _Begun] = {}

    def __call__(self, run: Run, now: float) -> Estimate | None:
        """Return what is left of a run at `now` (Unix seconds), None where that can't be said or the run is over."""
        outlook = self.outlook(run, now)
        return outlook.at(run, now) if outlook is not None else None

    def outlook(self, run: Run, now: float) -> Outlook | None:
        """Return what is to come of a run, None where nothing is known or the run is over."""
        if run.status is not None or run.state is BuildState.PENDING:
            return None
        kept = self._kept.get(run.build)
        past = self._past_state(run)
        counts = (run.finished.total(), sum(step.attempts for step in list(run.running.values())))
        state = (run.run, run.plans, len(run.steps), tuple(run.running), run.tests, run.jobs_used, *counts)
        if kept is None or kept.past != past or kept.state != state:
            history = kept.history if kept is not None and kept.past == past else history_of(run, self._builds)
            kept = _Kept(state, past, history, outlook_of(run, history, now, self._tuning))
            self._kept[run.build] = kept
        return kept.outlook

    def expected_seconds(self, run: Run, key: Key, now: float) -> float | None:
        """Return what an open step should take in all, None where nothing is known."""
        outlook = self.outlook(run, now)
        expected = outlook.expected.get(key) if outlook is not None else None
        return exp(expected.seconds) if expected is not None else None

    def expected_at_start(self, run: Run, step: Step, now: float) -> float | None:
        """Return what a step should take; of one that has begun, what was expected of it then, where that is known."""
        if step.state is StepState.PENDING:
            return self.expected_seconds(run, step.key, now)
        begun = self._begun.get(run.build)
        if begun is None or begun.run != run.run:
            begun = self._begun[run.build] = _Begun(run.run)
        attempt, seconds = begun.seconds.get(step.key, (0, None))
        if attempt != step.attempts and step.state is StepState.RUNNING:
            seconds = self.expected_seconds(run, step.key, now)
            begun.seconds[step.key] = (step.attempts, seconds)
        return seconds if seconds is not None else step.expected_at_start

    def _past_state(self, run: Run) -> tuple[object, ...]:
        counts = tuple(len(build.history) for build in list(self._builds.values()))
        # which other builds are alike depends on the steps of this one
        return (run.run, len(run.steps) if len(counts) > 1 else 0, counts)


def remaining(run: Run, now: float, builds: Mapping[str, Build] | None = None) -> Estimate | None:
    """Return what is left of a run at `now` (Unix seconds), with what the builds' earlier runs tell.

    None where that can't be told: no plan, nothing known of any step of it, or the run is over.
    """
    return Estimator(builds)(run, now)
