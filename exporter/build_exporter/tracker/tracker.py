"""The tracker of all builds: the newest run of each, and summaries of earlier runs."""

from __future__ import annotations

import heapq
import math
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import count as counting
from typing import Any, ClassVar, NamedTuple

from build_exporter.journal.removed_runs import Tally
from build_exporter.model.events import Event, TestsReported
from build_exporter.model.states import BuildState, StepState
from build_exporter.tracker.alerts import AlertLog
from build_exporter.tracker.durations import PastStep, past_steps, work_seconds
from build_exporter.tracker.earlier_runs import RUNS, EarlierRuns, earlier_runs
from build_exporter.tracker.fold import MAX_LOGS, apply_all
from build_exporter.tracker.machine import UNKNOWN, Machine
from build_exporter.tracker.state import LogShape, Run
from build_exporter.tracker.step import Key, Step

SETTLE_SECONDS = 600.0
"""A run that another has followed and that has been silent for so long has no writer any more."""


class Usage(NamedTuple):
    """A step of an earlier run: version of its package, CPU seconds, bytes of memory and disk.

    `disk_bytes` is what the step needed, `disk_before_bytes` what was in use before it.
    """

    version: str | None
    cpu_seconds: float | None
    max_rss_bytes: int | None
    disk_bytes: int | None
    disk_before_bytes: int | None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """Summary of a run that is over: result, Unix times, failures by (phase, class), seconds and usage by step.

    `results` counts every end the run had: one that was taken up again had more than one, one that `is_open` has none
    yet. `steps` has the steps that succeeded with a known duration, `usage` the same ones, `past` the same ones in the
    order in which they began. `jobs` is the -j in use, None where unknown; `gap_ratio`, `concurrency`, `target`,
    `machine` and `sbu_seconds`, what an SBU of its plan took, are the run's.
    """

    run: str
    result: str
    results: Counter[str]
    start: float | None
    end: float | None
    failures: Counter[Key]
    steps: dict[Key, float]
    usage: dict[Key, Usage] = field(default_factory=dict)
    jobs: int | None = None
    ccache_hit_ratio: float | None = None
    alerts: AlertLog = field(default_factory=AlertLog)
    last_event: float | None = None
    is_open: bool = False
    past: tuple[PastStep, ...] = ()
    tests: str | None = None
    source: str = ""
    gap_ratio: float = 0.0
    concurrency: float = 1.0
    target: str = ""
    sbu_seconds: float | None = None
    machine: Machine = UNKNOWN


def summarise(run: Run) -> RunSummary:
    """Return what is kept of a run that another has followed; without an end of its own it was interrupted.

    That end is not counted yet: the writer may still be at work, and a counter never takes back what it has counted.
    """
    result = run.status or BuildState.INTERRUPTED
    results = Counter(run.results)
    done = [s for s in run.steps.values() if s.state is StepState.SUCCEEDED and s.seconds is not None]
    return RunSummary(
        run.run,
        result.value,
        results,
        run.start,
        run.end,
        run.failure_counts(),
        {step.key: work_seconds(run, step) or 0.0 for step in done},
        {step.key: _usage(step) for step in done},
        run.jobs_used,
        _ccache_hit_ratio(run),
        run.alerts,
        run.last_event,
        run.status is None,
        past_steps(run),
        run.tests,
        run.source,
        run.gap_ratio,
        run.concurrency,
        run.target,
        run.seconds_per_sbu,
        run.machine,
    )


def _usage(step: Step) -> Usage:
    version = sys.intern(step.version) if step.version is not None else None
    return Usage(version, step.cpu_seconds, step.max_rss_bytes, step.disk_bytes, step.disk_before_bytes)


def _ccache_hit_ratio(run: Run) -> float | None:
    known = run.toolchain
    hits, misses = (known.ccache_hits or 0, known.ccache_misses or 0) if known is not None else (0, 0)
    return hits / (hits + misses) if hits + misses else None


def tally(summary: RunSummary) -> Tally | None:
    """Return what a run adds to the counters over runs, None while its end is not known."""
    if summary.is_open:
        return None
    failures: dict[str, dict[str, int]] = {}
    for (phase, name), count in summary.failures.items():
        failures.setdefault(phase, {})[name] = count
    return Tally(dict(summary.results), failures)


class Past(dict[str, RunSummary]):
    """A build's earlier runs by their names.

    Attributes:
        changes: differs after any change of any build's, and after the end of its newest run: who keeps what follows
            from them compares one number.
    """

    changes: ClassVar[int] = 0
    _version = 0
    _sums: tuple[int, Counter[str], Counter[Key]] = (-1, Counter(), Counter())

    def __setitem__(self, run: str, summary: RunSummary) -> None:
        super().__setitem__(run, summary)
        self._version = Past.changes = next(_changes)

    def pop(self, run: str, *default: Any) -> Any:
        """Remove a run and return it."""
        found = super().pop(run, *default)
        self._version = Past.changes = next(_changes)
        return found

    @property
    def results(self) -> Counter[str]:
        """How often the runs ended, by result."""
        return self._summed()[1]

    @property
    def failures(self) -> Counter[Key]:
        """How many attempts failed in the runs, by (phase, class)."""
        return self._summed()[2]

    def _summed(self) -> tuple[int, Counter[str], Counter[Key]]:
        # each scrape asks; read first, as a run that another thread adds meanwhile may be in or not
        version = self._version
        if self._sums[0] != version:
            results, failures = Counter[str](), Counter[Key]()
            for summary in list(self.values()):
                results.update(summary.results)
                failures.update(summary.failures)
            self._sums = (version, results, failures)
        return self._sums


_changes = counting(1)


@dataclass(slots=True, eq=False)
class Build:
    """A line of builds: its newest run, the earlier ones by their names, and what those counted that were removed.

    `history_complete`: every earlier run has been read; counters over runs are not shown before.
    """

    name: str
    current: Run | None = None
    history: Past = field(default_factory=Past)
    removed: Tally = field(default_factory=Tally)
    history_complete: bool = False
    logs: dict[Key, tuple[str, LogShape]] = field(default_factory=dict)
    """Growth of logs in earlier runs: the newest known per step, with its run."""
    suites: dict[Key, tuple[str, frozenset[str]]] = field(default_factory=dict)
    """The test suites that had results in the earlier runs: of each step those of its newest run that succeeded."""

    def runs_by_result(self) -> Counter[str]:
        """Return how often runs ended, by result; what the newest had ended with stays counted when it continues."""
        counts = Counter(self.current.results) if self.current is not None else Counter()
        counts.update(self.history.results)
        counts.update(self.removed.results)
        return counts

    def earlier(self, run: str) -> EarlierRuns | None:
        """Return what the runs before one, as far as they are known, say of it."""
        before = sorted((each for each in self.history.values() if each.run < run), key=lambda e: e.run, reverse=True)
        good = [(each.past, each.concurrency) for each in before if each.result == "succeeded" and each.past]
        return earlier_runs(good[:RUNS])

    def last_log(self, key: Key) -> LogShape | None:
        """Return how the log of a step's newest attempt that succeeded grew, None where that is not known."""
        own = self.current.logs.get(key) if self.current is not None else None
        if own is not None:
            return own
        earlier = self.logs.get(key)
        return earlier[1] if earlier is not None else None

    def learn_logs(self, run: Run) -> None:
        """Take over from an earlier run how its logs grew."""
        for key, shape in run.logs.items():
            known = self.logs.get(key)
            if known[0] <= run.run if known is not None else len(self.logs) < MAX_LOGS:
                self.logs[key] = (run.run, shape)

    def learn_suites(self, run: Run) -> None:
        """Take over from an earlier run which test suites had results."""
        for key, step in run.steps.items():
            if step.state is not StepState.SUCCEEDED:
                continue
            known = self.suites.get(key)
            if known is not None and known[0] > run.run:
                continue
            found = frozenset(sys.intern(name) for name, report in step.tests.items() if has_results(report))
            if found and (known is not None or len(self.suites) < MAX_LOGS):
                self.suites[key] = (run.run, found)
            elif known is not None:
                del self.suites[key]

    def earlier_suites(self, key: Key) -> frozenset[str]:
        """Return the test suites that had results when a step succeeded last, in a run before the newest."""
        return self.suites.get(key, ("", frozenset[str]()))[1]

    def failures(self, now: float = math.inf) -> Counter[Key]:
        """Return how many attempts failed over all runs until `now`, by (phase, class); see `Run.failure_counts`."""
        total = self.current.failure_counts(now) if self.current is not None else Counter()
        total.update(self.history.failures)
        for phase, classes in self.removed.failures.items():
            total.update({(phase, name): count for name, count in classes.items()})
        return total


class Tracker:
    """Every build's state. `feed` is the only way in."""

    def __init__(self) -> None:
        self.builds: dict[str, Build] = {}

    def feed(self, build: str, run: str, events: Iterable[Event], *, from_start: bool = False) -> Run:
        """Apply events of a run to its state and return it.

        A run newer than the one known becomes the newest, the other one history. With `from_start` the newest
        run is read from its beginning: its state is discarded, because its file was replaced or truncated, and so
        is a newer known run, because its file is gone. Without it events of an older run change nothing:
        they are read as history.
        """
        known = self.builds.get(build)
        if known is None:
            known = self.builds[build] = Build(build)
        current = known.current
        if current is None or run > current.run or from_start:
            if current is not None and run > current.run:
                known.history[current.run] = summarise(current)
                known.learn_logs(current)
                known.learn_suites(current)
            if run in known.history:
                known.history.pop(run)
            current = known.current = Run(build, run, earlier=known.earlier(run))
        if run == current.run:
            before = current.status
            apply_all(current, events)
            if current.status is not before:
                Past.changes = next(_changes)
        return current

    def remember(self, build: str, run: Run) -> None:
        """Keep what there is to keep of an earlier run, in place of what was kept of it before."""
        known = self.builds.setdefault(build, Build(build))
        if known.current is None or known.current.run != run.run:
            known.history[run.run] = summarise(run)
            known.learn_logs(run)
            known.learn_suites(run)

    def settle(self, now: float) -> None:
        """Count earlier runs without an end as interrupted once they have been silent for long at `now`."""
        for build in list(self.builds.values()):
            for name, summary in build.history.items():
                if summary.is_open and now - (summary.last_event or 0.0) > SETTLE_SECONDS:
                    results = summary.results + Counter([summary.result])
                    build.history[name] = replace(summary, results=results, is_open=False)

    def recent(self, count: int) -> list[Build]:
        """Return the builds with a run that were active last, at most `count`, by name."""
        found = [build for build in self.builds.values() if build.current is not None]
        if len(found) > count:
            found = heapq.nlargest(count, found, key=_last_event)
        return sorted(found, key=lambda build: build.name)

    def forget(self, build: str) -> None:
        """Drop a build whose directory is gone."""
        self.builds.pop(build, None)
        Past.changes = next(_changes)


def has_results(report: TestsReported) -> bool:
    """Return whether a suite had any result at all."""
    more = (report.expected_failed, report.unexpected_passed, report.skipped, report.errors)
    return bool(report.passed or report.failed or any(more))


def _last_event(build: Build) -> float:
    return build.current.last_event or 0.0 if build.current is not None else 0.0
