"""Estimates of running builds, kept until a step ends: until then only the running steps move with the clock.

Those of a build of many thousand steps are kept longer, and count down, so that estimates take no more than a share of
a core however often steps end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp
from typing import Final

from build_exporter.estimate.history import History, history_of
from build_exporter.estimate.outlook import Estimate, Outlook, outlook_of
from build_exporter.estimate.tuning import DEFAULT, Tuning
from build_exporter.model.states import BuildState
from build_exporter.tracker import Build, Past, Run, Step, expected_at_start
from build_exporter.tracker.names import name_of

FREE_SECONDS: Final = 0.05
"""CPU time of an outlook up to which it is made again after each end: that of some thousand steps."""
REST_RATIO: Final = 20.0
"""Rest after one that took longer, as a multiple of what it took beyond that: five percent of a core."""
SAME_SECONDS: Final = 1.0
"""So long an estimate counts down whatever the running steps report, unless one ends or starts."""


@dataclass(slots=True)
class _Kept:
    """An outlook, and what it was made of: while that stays the same, so does the outlook.

    `until` is how long, on the monotonic clock, one that took long is kept though steps have ended; `newest` is the
    newest estimate made with it, and when in Unix seconds.
    """

    state: tuple[object, ...]
    past: tuple[object, ...]
    history: History
    outlook: Outlook | None
    until: float = 0.0
    newest: tuple[Estimate, float] | None = None

    def holds(self, state: tuple[object, ...]) -> bool:
        """Return whether it is still to be taken in another state of the run."""
        return self.state == state or (self.state[:-1] == state[:-1] and time.monotonic() < self.until)


class Estimator:
    """Estimates runs from the builds' earlier runs. Call it as `estimator(run, now)`.

    It may be called from any thread: what it keeps is replaced as a whole.

    Args:
        builds: the tracker's builds by name; it is read again at each call.
        tuning: the constants.
    """

    def __init__(self, builds: Mapping[str, Build] | None = None, tuning: Tuning = DEFAULT) -> None:
        self._builds = builds if builds is not None else {}
        self._tuning = tuning
        self._kept: dict[str, _Kept] = {}

    def __call__(self, run: Run, now: float) -> Estimate | None:
        """Return what is left of a run at `now` (Unix seconds), None where that can't be said or the run is over."""
        outlook = self.outlook(run, now)
        if outlook is None:
            return None
        kept = self._kept.get(run.build)
        if kept is None or kept.newest is None:
            return outlook.at(run, now)
        estimate, made = kept.newest
        if kept.state[-1] != run.revision:
            # a clock that was set back leaves it as it was
            return estimate.after(max(0.0, now - made))
        if 0.0 <= now - made < SAME_SECONDS:
            return estimate.after(now - made)
        estimate = outlook.at(run, now)
        kept.newest = (estimate, now)
        return estimate

    def outlook(self, run: Run, now: float) -> Outlook | None:
        """Return what is to come of a run, None where nothing is known or the run is over."""
        kept = self._kept.get(run.build)
        if run.status is not None or run.state is BuildState.PENDING:
            if kept is not None and kept.state[0] == id(run):
                # a build that is over needs no memory for what was to come
                self._kept.pop(run.build, None)
            return None
        past = self._past_state(run)
        state = (id(run), run.run, run.plan_revision, run.tests, run.jobs_used, run.revision)
        if kept is None or kept.past != past or not kept.holds(state):
            began = time.thread_time()
            history = kept.history if kept is not None and kept.past == past else history_of(run, self._builds)
            outlook = outlook_of(run, history, now, self._tuning)
            newest = (outlook.at(run, now), now) if outlook is not None else None
            rest = max(0.0, time.thread_time() - began - FREE_SECONDS) * REST_RATIO
            kept = _Kept(state, past, history, outlook, time.monotonic() + rest, newest)
            self._kept[run.build] = kept
            self._drop_gone()
        return kept.outlook

    def expected_seconds(self, run: Run, step: Step, now: float) -> float | None:
        """Return what a step should take in all; of one that is done, what was expected; None if unknown."""
        return expected_by(self.outlook(run, now), run, step)

    def expecting(self) -> Callable[[Run, Step, float], float | None]:
        """Return `expected_seconds` for one moment: it looks once whether the outlook of a run still holds."""
        known: dict[Run, Outlook | None] = {}

        def expected(run: Run, step: Step, now: float) -> float | None:
            if run not in known:
                known[run] = self.outlook(run, now)
            return expected_by(known[run], run, step)

        return expected

    def earlier_times(self, run: Run, step: Step, now: float) -> int:
        """Return how many earlier times of a step there are."""
        outlook = self.outlook(run, now)
        name = name_of(step.phase, step.step, step.version)
        return len(outlook.history.names.get(name, ())) if outlook is not None else 0

    def _drop_gone(self) -> None:
        """Drop what is kept of builds that were forgotten before they were over."""
        if self._builds:
            for name in list(self._kept):
                if name not in self._builds:
                    self._kept.pop(name, None)

    def _past_state(self, run: Run) -> tuple[object, ...]:
        # which other builds are alike depends on the steps of this one, and on its machine, which shows later
        alone = len(self._builds) <= 1
        return (run.run, 0 if alone else len(run.steps), run.machine, len(self._builds), Past.changes)


def expected_by(outlook: Outlook | None, run: Run, step: Step) -> float | None:
    """Return what a step should take in all by the run's outlook; of one that is done, what was expected."""
    expected = outlook.expected.get(step.key) if outlook is not None else None
    if expected is not None and not expected.guess:
        # finer than any clock that times a step
        return round(exp(expected.seconds), 6)
    return expected_at_start(run, step)


def remaining(run: Run, now: float, builds: Mapping[str, Build] | None = None) -> Estimate | None:
    """Return what is left of a run at `now` (Unix seconds), given the builds' earlier runs.

    None when unknown: no plan, nothing known of any step of it, or the run is over.
    """
    return Estimator(builds)(run, now)
