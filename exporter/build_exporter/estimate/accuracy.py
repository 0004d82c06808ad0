"""Accuracy of estimates of a build's earlier runs, computed one run at a time while an exporter runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from build_exporter.estimate.backtest import RecordedRun, Score, ScoredRun, Settings, score, score_run
from build_exporter.estimate.history import newest_first
from build_exporter.model import events as e
from build_exporter.tracker import Build, Run, RunSummary, apply_all

RUNS: Final = 5
"""Newest runs that are scored: what an estimate was worth years ago says little of today's."""
MAX_STEPS: Final = 2000
"""Runs of more steps would take longer to score than a scrape should wait."""
MARKS: Final = (0.25, 0.5, 0.75)


class Accuracy:
    """Scores of the builds' earlier runs. `work` scores one more run, `of` returns what is known."""

    def __init__(self, builds: Mapping[str, Build]) -> None:
        self._builds = builds
        self._scored: dict[tuple[str, str], ScoredRun | None] = {}

    def work(self, build: str) -> None:
        """Score the newest run of a build that has not been scored, if there is one."""
        runs = self._runs(build)
        summary = next((each for each in runs if (build, each.run) not in self._scored), None)
        if summary is None:
            return
        newest = {each.run for each in runs}
        # neither older runs nor builds that are gone are asked for again
        kept = {
            (name, run): scored
            for (name, run), scored in self._scored.items()
            if (run in newest if name == build else name in self._builds)
        }
        self._scored = {**kept, (build, summary.run): self._score(build, summary)}

    def of(self, build: str) -> dict[float, Score]:
        """Return the scores of a build by mark; empty before an earlier run was scored."""
        found = [self._scored.get((build, summary.run)) for summary in self._runs(build)]
        runs = [run for run in found if run is not None and run.earlier_runs]
        return {mark: score(runs, mark) for mark in MARKS} if runs else {}

    def _runs(self, build: str) -> list[RunSummary]:
        known = self._builds.get(build)
        runs = newest_first(known) if known is not None else []
        return [run for run in runs if run.result == "succeeded" and 0 < len(run.past) <= MAX_STEPS][:RUNS]

    def _score(self, build: str, summary: RunSummary) -> ScoredRun | None:
        recorded = RecordedRun(build, summary.run, _events(build, summary))
        whole = Run(build, summary.run)
        apply_all(whole, recorded.events)
        return score_run(recorded, whole, self._builds, Settings(MARKS))


def _events(build: str, summary: RunSummary) -> list[e.Event]:
    """Return a run's events as far as they are remembered: its steps, known from its start, and their times."""
    start = summary.start or 0.0
    steps = [e.PlannedStep(phase=s.phase, step=s.step, package=s.package, version=s.version) for s in summary.past]
    timed: list[e.Event] = []
    for step in summary.past:
        begin = start + step.start
        timed.append(e.StepStarted(time=begin, build=build, phase=step.phase, step=step.step))
        timed.append(
            e.StepFinished(
                time=begin + step.seconds,
                build=build,
                phase=step.phase,
                step=step.step,
                status="succeeded",
                seconds=step.seconds,
            )
        )
    timed.sort(key=lambda event: event.time)
    end = summary.end if summary.end is not None else timed[-1].time
    return [
        e.BuildStarted(time=start, build=build, jobs=summary.jobs),
        e.Plan(time=start, build=build, steps=steps),
        *timed,
        e.BuildFinished(time=end, build=build, status="succeeded"),
    ]
