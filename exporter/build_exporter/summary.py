"""Summaries for people: elapsed times, failed tests, warnings, source files that steps will lack."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from build_exporter.formatting import clock_time, duration
from build_exporter.model.events import TestsReported
from build_exporter.model.states import BuildState, StepState
from build_exporter.tracker import Run, Step, kept
from build_exporter.tracker.sources import steps_at_risk

LISTED: Final = 3
"""Steps outside of the plan that are named."""
MOST_COMPARED: Final = 20
"""Steps outside of the plan, and planned ones, whose names are compared."""
ALIKE: Final = 0.8
"""Likeness of two names, 0 to 1, from which one may be the other misspelt."""
IDLE_SECONDS = 300.0
"""A run without a running step has nobody at work after so long."""


class Suite(NamedTuple):
    """A suite of a step that had failures or gave no result."""

    step: Step
    report: TestsReported

    @property
    def text(self) -> str:
        """Its problem: `3 of 260 tests failed`, `no result`."""
        bad, total = self.report.failed + (self.report.errors or 0), tests_run(self.report)
        return f"{bad} of {total} tests failed" if total else "no result"


def elapsed(run: Run, now: float) -> str:
    """Return how long a run has taken: `2 min 08 s since Sat 10:27`, `12 s, ended Sat 10:28`; empty before its start.

    A record without times, imported when it was over, only shows when it was last written to.
    """
    if run.start is None:
        return ""
    if run.end == run.start and run.steps:
        return f"unknown time, recorded {clock_time(run.start)}"
    if run.stopped is not None:
        return f"{duration(run.stopped - run.start)}, ended {clock_time(run.stopped)}"
    return f"{duration(now - run.start)} since {clock_time(run.start)}"


def state_text(run: Run, now: float) -> str:
    """Return a run's state in words: `succeeded, 1 step failed` where a failed step was never repeated, `idle since …`.

    For `idle` see `idle_since`.
    """
    if run.state is BuildState.SUCCEEDED and run.failed:
        return f"succeeded, {len(run.failed)} step{'s' if len(run.failed) > 1 else ''} failed"
    since = idle_since(run, now)
    return f"idle since {clock_time(since)}" if since is not None else run.state.value


def idle_since(run: Run, now: float) -> float | None:
    """Return when something last happened in a run that nobody has ended and nobody is at work in, Unix seconds.

    That is one in which nothing runs and whose writer is gone, or which has been silent for `IDLE_SECONDS`.
    """
    last = run.last_event if run.last_event is not None else now
    is_silent = run.writer_is_gone or now - last > IDLE_SECONDS
    return last if run.state is BuildState.RUNNING and is_silent and (not run.running or run.writer_is_gone) else None


_BAD = (BuildState.FAILED, BuildState.INTERRUPTED)


def is_bad(run: Run) -> bool:
    """Return whether a run has failed or was interrupted, or a step of it failed and was never repeated."""
    return run.state in _BAD or bool(run.failed)


def rank(state: BuildState, failed_steps: int, waiting_for: str | None, idle: float | None) -> int:
    """Return what builds are sorted by: 0 those that need a person, 1 those that run, 2 others, idle ones included."""
    if state in _BAD or failed_steps or waiting_for is not None:
        return 0
    return 1 if state == BuildState.RUNNING and idle is None else 2


def tests_run(report: TestsReported) -> int:
    """Return how many tests a suite had, the skipped ones as well."""
    optional = (report.expected_failed, report.unexpected_passed, report.skipped, report.errors)
    return report.passed + report.failed + sum(count or 0 for count in optional)


def bad_suites(steps: Iterable[Step]) -> Iterator[Suite]:
    """Yield the suites that had failures beyond those known, or gave no result, in the order of the steps."""
    for step in steps:
        for report in step.tests.values():
            if report.failed or report.errors or not tests_run(report):
                yield Suite(step, report)


def unplanned(run: Run) -> str | None:
    """Return in words which steps ran under a name that is almost that of a planned step to come; None without any.

    A plan that earlier runs made is a guess, and a step unlike all that are planned was added on purpose.
    """
    last = next(reversed(run.steps.values()), None)
    if not run.plans or run.adopted or last is None or last.planned:
        return None
    return _misspelt(run)


@kept
def _misspelt(run: Run) -> str | None:
    steps = list(run.steps.values())
    strange = list(islice((step for step in steps if not step.planned), MOST_COMPARED))
    planned = dict.fromkeys(step.phase for step in steps if step.planned)
    pending: dict[tuple[str, str], dict[str, Step]] = defaultdict(dict)
    for step in steps:
        if step.planned and step.state is StepState.PENDING:
            # a pass or a chapter more is another step
            pending[step.phase, _digits(step)][step.step] = step
    from difflib import get_close_matches  # noqa: PLC0415 - slow to load, and seldom needed

    found = []
    for step in strange:
        phases = [step.phase] if step.phase in planned else get_close_matches(step.phase, planned, 1, ALIKE)
        for phase in phases:
            like = dict(islice(pending.get((phase, _digits(step)), {}).items(), MOST_COMPARED))
            found += [(step, like[near]) for near in get_close_matches(step.step, like, 1, ALIKE)]
    if not found:
        return None
    words = [f"{step.phase}/{step.step}, perhaps {near.phase}/{near.step}" for step, near in found]
    more = f"; and {len(words) - LISTED} more" if len(words) > LISTED else ""
    return f"not in the plan: {'; '.join(words[:LISTED])}{more}"


def _digits(step: Step) -> str:
    return "".join(filter(str.isdigit, f"{step.phase}/{step.step}"))


def missing_sources(run: Run) -> Iterator[tuple[Step, str]]:
    """Yield the steps to come that lack a file of theirs, and in a few words which and why."""
    for step, source in steps_at_risk(run):
        what = source.state + (f", {source.detail}" if source.detail else "")
        yield step, f"needs {source.file}: {what}"
