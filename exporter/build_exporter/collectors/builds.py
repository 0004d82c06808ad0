"""Families of builds as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from build_exporter.estimate import Accuracy, Estimator
from build_exporter.exposition import Family
from build_exporter.model.states import BuildState, StepState
from build_exporter.monitor import Monitor
from build_exporter.tracker import Build, Run, progress_at
from build_exporter.tracker.aggregates import OTHER_FLAG

FINISH_STATUSES = ("succeeded", "failed", "skipped", "interrupted")
MAX_FLAGS = 20
"""Options of compilers shown with their warnings."""
RESULTS = ("succeeded", "failed", "interrupted")
_STEP_STATES = tuple((state, state.label) for state in StepState)


class _Families(dict[str, Family]):
    """Families made as they are first named."""

    def __missing__(self, name: str) -> Family:
        family = self[name] = Family(name)
        return family


class BuildCollector:
    """Shows the newest run, and counts over all runs, of the `max_builds` builds that were active last."""

    name = "builds"

    def __init__(self, monitor: Monitor, max_builds: int, estimator: Estimator | None = None) -> None:
        self.max_builds = max_builds
        self._monitor = monitor
        self._estimator = estimator or Estimator(monitor.tracker.builds)
        self._accuracy = Accuracy(monitor.tracker.builds)

    def collect(self) -> Iterable[Family]:
        """Return the families of these builds."""
        now = self._monitor.clock()
        families = _Families()
        for build in self._monitor.tracker.recent(self.max_builds):
            if build.current is not None:
                _show_run(families, build.current, now, self._estimator)
            _show_counts(families, build, now)
            if build.history_complete:
                self._show_accuracy(families, build.name)
        return families.values()

    def _show_accuracy(self, families: _Families, build: str) -> None:
        # one run a time: scoring all of them would keep a scrape waiting
        self._accuracy.work(build)
        for mark, score in self._accuracy.of(build).items():
            values = {
                "build_estimate_error_ratio": score.median_abs_error_ratio,
                "build_estimate_band_coverage_ratio": score.band_coverage,
            }
            for name, value in values.items():
                if value is not None:
                    families[name].add(value, build, f"{mark:g}")


def _show_ratings(families: _Families, run: Run) -> None:
    for rating, count in sorted(run.ratings.items()):
        families["build_feedback_ratings"].add(count, run.build, str(rating))


def _show_run(families: _Families, run: Run, now: float, estimator: Estimator) -> None:
    name = run.build
    _show_ratings(families, run)
    families["build_info"].add(1, name, run.run, run.source, run.target, run.book)
    state = run.state
    for each in BuildState:
        families["build_state"].add(int(each is state), name, each.value)
    done, phases = progress_at(run, now)
    times = {
        "build_jobs": run.jobs_used,
        "build_start_timestamp_seconds": run.start,
        "build_end_timestamp_seconds": run.stopped,
        "build_last_event_timestamp_seconds": run.last_event,
        "build_progress_ratio": done,
        "build_sbu_seconds": run.seconds_per_sbu,
        "build_gap_seconds": run.gap_seconds,
    }
    for family, value in times.items():
        if value is not None:
            families[family].add(value, name)
    families["build_waiting_for_input"].add(int(run.waiting_for is not None), name)
    steps = families["build_steps"]
    for phase, ratio in phases:
        for step_state, label in _STEP_STATES:
            steps.add(phase.states[step_state], name, phase.name, label)
        if run.has_plan:
            families["build_phase_progress_ratio"].add(ratio, name, phase.name)
    for status in FINISH_STATUSES:
        families["build_steps_finished_total"].add(run.finished[status], name, status)
    for milestone, reached in run.milestones.items():
        families["build_milestone_timestamp_seconds"].add(reached, name, milestone)
    for milestone, ratio in run.milestone_progress.items():
        families["build_milestone_progress_ratio"].add(ratio, name, milestone)
    _show_warnings_and_estimate(families, run, now, estimator)


def _show_warnings_and_estimate(families: _Families, run: Run, now: float, estimator: Estimator) -> None:
    name = run.build
    for flag, count in _most_frequent(run):
        families["build_warnings"].add(count, name, flag)
    estimate = estimator(run, now)
    if estimate is not None:
        for percentile, seconds in estimate.by_percentile:
            families["build_estimated_remaining_seconds"].add(seconds, name, percentile)
            families["build_estimated_end_timestamp_seconds"].add(now + seconds, name, percentile)


def _most_frequent(run: Run) -> Iterator[tuple[str, int]]:
    """Yield the options that warned most in the run, and what the rest of them come to."""
    shown = [(flag, count) for flag, count in run.flag_sums.most_common(MAX_FLAGS) if flag != OTHER_FLAG]
    yield from shown
    rest = run.flag_sums.total() - sum(count for _, count in shown)
    if rest:
        yield OTHER_FLAG, rest


def _show_counts(families: _Families, build: Build, now: float) -> None:
    if not build.history_complete:
        # a count without the older runs would be lower than one shown before a restart
        return
    results = build.runs_by_result()
    for result in RESULTS:
        families["build_runs_total"].add(results[result], build.name, result)
    for (phase, failure), count in build.failures(now).items():
        families["build_failures_total"].add(count, build.name, phase, failure)


class ThresholdCollector:
    """Shows the limits the alert rules compare with."""

    name = "thresholds"

    def __init__(self, thresholds: Mapping[str, float]) -> None:
        self.configure(thresholds)

    def configure(self, thresholds: Mapping[str, float]) -> None:
        """Take other limits."""
        self._family = Family("build_threshold")
        for name, value in thresholds.items():
            self._family.add(value, name)

    def collect(self) -> Iterable[Family]:
        """Return the one family."""
        return [self._family]
