"""Families of steps. A step's lines are rendered when it changes and kept: a finished step costs nothing more."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from itertools import chain, islice

from build_exporter.estimate import Estimator, Outlook, expected_by
from build_exporter.exposition import Family, label_block, sample_line
from build_exporter.failures import excerpt
from build_exporter.model.states import StepState
from build_exporter.monitor import Monitor
from build_exporter.tracker import Run, Step, step_progress
from build_exporter.tracker.step import Key

_LABELS = ("build", "phase", "step")
_PLAIN = {
    "build_step_start_timestamp_seconds": "start",
    "build_step_duration_seconds": "seconds",
    "build_step_cpu_seconds": "cpu_seconds",
    "build_step_peak_memory_bytes": "max_rss_bytes",
    "build_step_read_bytes": "read_bytes",
    "build_step_written_bytes": "written_bytes",
    "build_step_disk_bytes": "disk_bytes",
}
"""Families that show an attribute of the step as it is."""

_PROGRESS = "build_step_progress_ratio"
_WARNINGS = "build_step_warnings"
_EXPECTED = "build_step_expected_seconds"
_TESTS = "build_step_tests"
_OUTCOMES = ("passed", "failed", "expected_failed", "unexpected_passed", "skipped", "errors")

FAMILIES = (
    "build_step_status",
    *_PLAIN,
    _EXPECTED,
    _PROGRESS,
    _WARNINGS,
    "build_step_attempts",
    _TESTS,
    "build_step_failure_info",
)


class RunSeries:
    """The lines of one run's steps, family by family.

    With more than `limit` steps, shown are those that run, failed or were interrupted, then the last that ended.
    """

    def __init__(self, run: Run, limit: int, estimator: Estimator | None = None) -> None:
        self.run = run
        self._estimator = estimator or Estimator()
        self._outlook: Outlook | None = None
        self._expected_by: tuple[Outlook | None, float | None] = (None, None)
        self.hidden = 0
        self._limit = limit
        self._lines: dict[str, dict[Key, bytes]] = {name: {} for name in FAMILIES}
        self.counts: dict[str, int] = {}
        self._bodies: dict[str, bytes] = {}
        self._dirty: set[str] = set(FAMILIES)
        self._prefixes: dict[Key, str] = {}
        self._shown: dict[Key, tuple[StepState, int]] = {}
        self._plans = run.plan_revision
        run.changed.update(run.steps)

    def bodies(self, now: float) -> dict[str, bytes]:
        """Return each family's lines as they are at `now` (Unix seconds); `counts` has how many samples they are."""
        run = self.run
        # asked once for all steps: it compares what is known of every build
        self._outlook = self._estimator.outlook(run, now)
        if run.plan_revision != self._plans:
            self._forget_unplanned()
        if run.changed:
            for key, step in self._worth_rendering():
                self._render(key, step)
            run.changed.clear()
            self._keep_limit()
        self.hidden = len(run.steps) - len(self._shown)
        self._follow_outlook()
        for key, step in run.running.items():
            # a step that reports nothing moves with the clock
            if step.ratio is None and step.has_figures and key in self._shown:
                self._put(_PROGRESS, key, step_progress(run, step, now))
        for name in self._dirty:
            lines = self._lines[name]
            self._bodies[name] = b"".join(lines.values())
            # a step has several lines of tests, and one of all else
            self.counts[name] = self._bodies[name].count(b"\n") if name == _TESTS else len(lines)
        self._dirty.clear()
        return self._bodies

    def _worth_rendering(self) -> Iterable[tuple[Key, Step]]:
        """Return the steps that changed, without those that would have to give way at once to others of them."""
        changed = self.run.changed
        if len(changed) <= self._limit:
            return changed.items()
        begun = (step for step in changed.values() if step.state is not StepState.PENDING)
        chosen = {step.key for step in heapq.nlargest(self._limit, begun, key=_importance)}
        for key in self._shown.keys() & changed.keys() - chosen:
            self._drop(key)
        return [(key, step) for key, step in changed.items() if key in chosen]

    def _render(self, key: Key, step: Step) -> None:
        if step.state is StepState.PENDING and len(self.run.steps) > self._limit:
            return
        before = self._shown.get(key)
        self._shown[key] = (step.state, step.attempts)
        self._put(_PROGRESS, key, None if step.state is StepState.PENDING else step_progress(self.run, step))
        if step.tests:
            self._put_tests(key, step)
        self._put(_WARNINGS, key, step.warnings)
        if before == (StepState.RUNNING, step.attempts) and step.state is StepState.RUNNING:
            return
        self._put("build_step_status", key, int(step.state))
        for name, attribute in _PLAIN.items():
            self._put(name, key, getattr(step, attribute))
        self._put(_EXPECTED, key, self._expected(step))
        self._put("build_step_attempts", key, step.attempts or None)
        self._put_tests(key, step)
        self._put_failure(key, step)

    def _expected(self, step: Step) -> float | None:
        return expected_by(self._outlook, self.run, step)

    def _follow_outlook(self) -> None:
        outlook, pace = self._outlook, self.run.pace.ratio
        if outlook is self._expected_by[0] and pace == self._expected_by[1]:
            return
        self._expected_by = (outlook, pace)
        for key in self._shown:
            step = self.run.steps[key]
            # what was expected of a step is settled when it begins, which a skipped one never did
            if not step.state.is_done or not step.attempts:
                self._put(_EXPECTED, key, self._expected(step))

    def _put(self, name: str, key: Key, value: float | None) -> None:
        lines = self._lines[name]
        if value is None:
            if lines.pop(key, None) is not None:
                self._dirty.add(name)
            return
        prefix = self._prefixes.get(key)
        if prefix is None:
            prefix = self._prefixes[key] = label_block(_LABELS, (self.run.build, *key))
        line = sample_line(name, prefix, value)
        if lines.get(key) != line:
            lines[key] = line
            self._dirty.add(name)

    def _put_lines(self, name: str, key: Key, line: bytes) -> None:
        lines = self._lines[name]
        if line:
            lines[key] = line
            self._dirty.add(name)
        elif lines.pop(key, None) is not None:
            self._dirty.add(name)

    def _put_tests(self, key: Key, step: Step) -> None:
        lines = []
        for suite, report in step.tests.items():
            for outcome in _OUTCOMES:
                count = getattr(report, outcome)
                if count is not None:
                    labels = label_block((*_LABELS, "suite", "outcome"), (self.run.build, *key, suite, outcome))
                    lines.append(sample_line(_TESTS, labels, count))
        self._put_lines(_TESTS, key, b"".join(lines))

    def _put_failure(self, key: Key, step: Step) -> None:
        line = b""
        if step.state is StepState.FAILED:
            values = (self.run.build, *key, step.error_class or "other", excerpt(step.message))
            line = sample_line("build_step_failure_info", label_block((*_LABELS, "class", "excerpt"), values), 1)
        self._put_lines("build_step_failure_info", key, line)

    def _keep_limit(self) -> None:
        steps = self.run.steps
        if len(steps) > self._limit:
            for key in [k for k, (state, _) in self._shown.items() if state is StepState.PENDING]:
                self._drop(key)
            # there may be room again for those that had to give way to others of their kind
            for key, step in islice(chain(self.run.running.items(), self.run.failed.items()), self._limit):
                if key not in self._shown:
                    self._render(key, step)
            surplus = len(self._shown) - self._limit
            for key in heapq.nsmallest(surplus, self._shown, key=lambda key: _importance(steps[key])):
                self._drop(key)

    def _forget_unplanned(self) -> None:
        """Take up the plan's order, and leave out steps it no longer has."""
        self._plans = self.run.plan_revision
        self._shown.clear()
        self._prefixes.clear()
        for lines in self._lines.values():
            lines.clear()
        self._dirty.update(FAMILIES)
        self.run.changed.clear()
        self.run.changed.update(self.run.steps)

    def _drop(self, key: Key) -> None:
        del self._shown[key]
        self._prefixes.pop(key, None)
        for name, lines in self._lines.items():
            if lines.pop(key, None) is not None:
                self._dirty.add(name)


def _importance(step: Step) -> tuple[int, float]:
    """Return which steps go first when there are too many: the done ones, running ones last, each kind by its time."""
    if step.state is StepState.RUNNING:
        return (2, step.start or 0.0)
    return (0 if step.state.is_done else 1, step.end or 0.0)


class StepCollector:
    """Shows the steps of the newest run of each of the `max_builds` builds that were active last."""

    name = "steps"

    def __init__(self, monitor: Monitor, max_steps: int, max_builds: int, estimator: Estimator | None = None) -> None:
        self._monitor = monitor
        self._estimator = estimator or Estimator(monitor.tracker.builds)
        self._max_steps = max_steps
        self._max_builds = max_builds
        self._series: dict[str, RunSeries] = {}

    def limit(self, max_steps: int, max_builds: int) -> None:
        """Take new limits, as after a reload."""
        if (max_steps, max_builds) != (self._max_steps, self._max_builds):
            self._max_steps, self._max_builds = max_steps, max_builds
            self._series.clear()

    def collect(self) -> Iterable[Family]:
        """Return the families of all steps."""
        now = self._monitor.clock()
        families = {name: Family(name) for name in FAMILIES}
        hidden = Family("build_exporter_steps_hidden")
        for run in self._runs():
            series = self._series.get(run.build)
            if series is None or series.run is not run:
                series = self._series[run.build] = RunSeries(run, self._max_steps, self._estimator)
            for name, body in series.bodies(now).items():
                if body:
                    families[name].add_lines((body,), series.counts[name])
            hidden.add(series.hidden, run.build)
        return [*families.values(), hidden]

    def _runs(self) -> list[Run]:
        builds = self._monitor.tracker.recent(self._max_builds)
        for gone in self._series.keys() - {build.name for build in builds}:
            del self._series[gone]
        return [build.current for build in builds if build.current is not None]
