"""Estimates of running builds, kept until a step ends: until then only the running steps move with the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp

from build_exporter.estimate.history import History, history_of
from build_exporter.estimate.outlook import Estimate, Outlook, outlook_of
from build_exporter.estimate.tuning import DEFAULT, Tuning
from build_exporter.model.states import BuildState
from build_exporter.tracker import Build, Key, Run


@dataclass(slots=True)
class _Kept:
    state: tuple[object, ...]
    past: tuple[object, ...]
    history: History
    outlook: Outlook | None


class Estimator:
    """Estimates runs with all that the builds' earlier runs tell. Call it as `estimator(run, now)`.

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
        return outlook.at(run, now) if outlook is not None else None

    def outlook(self, run: Run, now: float) -> Outlook | None:
        """Return what is to come of a run, None where nothing is known or the run is over."""
        if run.status is not None or run.state is BuildState.PENDING:
            return None
        kept = self._kept.get(run.build)
        past = self._past_state(run)
        state = (run.run, run.plans, len(run.steps), run.finished.total(), len(run.running), run.tests, run.jobs_used)
        if kept is None or kept.past != past:
            history = history_of(run, self._builds)
            kept = self._kept[run.build] = _Kept((), past, history, None)
        if kept.state != state or next(iter(run.running), None) not in (
            kept.outlook.expected if kept.outlook else {None}
        ):
            kept.outlook = outlook_of(run, kept.history, now, self._tuning)
            kept.state = state
        return kept.outlook

    def expected_seconds(self, run: Run, key: Key, now: float) -> float | None:
        """Return what an open step should take in all, None where nothing is known."""
        outlook = self.outlook(run, now)
        expected = outlook.expected.get(key) if outlook is not None else None
        return exp(expected.seconds) if expected is not None else None

    def _past_state(self, run: Run) -> tuple[object, ...]:
        counts = tuple(len(build.history) for build in list(self._builds.values()))
        return (run.run, len(run.steps) if len(counts) > 1 else 0, counts)


def remaining(run: Run, now: float, builds: Mapping[str, Build] | None = None) -> Estimate | None:
    """Return what is left of a run at `now` (Unix seconds), with what the builds' earlier runs tell.

    None where that can't be told: no plan, nothing known of any step of it, or the run is over.
    """
    return Estimator(builds)(run, now)
