"""A step whose log is written by a test, read as the exporter reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from build_exporter.model import events as e
from build_exporter.sources.step_logs.expected_failures import ExpectedFailurePatterns, ExpectedFailures
from build_exporter.sources.step_logs.reader import StepContext
from build_exporter.sources.step_logs.suites import Results, SuiteReader
from build_exporter.sources.step_logs.suites.results import COUNTS
from build_exporter.tracker import Run, Step, apply


class TestedStep:
    """A running step of a build, and the journal's events of its tests. `clock` is Unix seconds.

    Attributes:
        reported: every report so far.
    """

    __test__ = False

    def __init__(
        self, step: str = "824-gcc", package: str | None = None, known: ExpectedFailurePatterns | None = None
    ) -> None:
        self.clock = 1_780_000_000.0
        self.run = Run("lfs", "20260528T202640Z")
        self.key = ("chapter-8", step)
        self.reported: list[e.TestsReported] = []
        self._emit(e.BuildStarted)
        self._emit(e.StepStarted, phase="chapter-8", step=step, package=package)
        self.known = known if known is not None else ExpectedFailures().of(self.step)
        self.reader = SuiteReader()

    @property
    def step(self) -> Step:
        """The step, from the journal."""
        return self.run.steps[self.key]

    @property
    def tests(self) -> dict[str, Results]:
        """The journal's newest event of each suite."""
        return {
            suite: Results(*(getattr(report, name) or 0 for name in COUNTS))
            for suite, report in self.step.tests.items()
        }

    def write(self, text: str) -> TestedStep:
        """Go on with the log."""
        for line in text.splitlines():
            self.reader.feed(line)
        return self

    def poll(self, after: float = 1.0, *, over: bool = False, **fields: Any) -> dict[str, Results]:
        """Poll the log so many seconds later; return the journal's events by then."""
        self.clock += after
        poll = StepContext(self.clock, self.run, self.step, 1, over, known_failures=self.known, **fields)
        for event in list(self.reader.emit(poll)):
            assert isinstance(event, e.TestsReported)
            self.reported.append(event)
            apply(self.run, event)
        return self.tests

    def end(self, status: str = "succeeded", **fields: Any) -> dict[str, Results]:
        """End the step and look at the log for the last time."""
        self._emit(e.StepFinished, phase=self.key[0], step=self.key[1], status=status)
        return self.poll(over=True, **fields)

    def other_step_has_tests(self) -> TestedStep:
        """Let another step of the run have results."""
        self._emit(e.TestsReported, phase="chapter-8", step="823-shadow", suite="make check", passed=1, failed=0)
        return self

    def restart(self, log: str) -> TestedStep:
        """Read the whole log again, as after a restart of the exporter."""
        self.reader = SuiteReader()
        return self.write(log)

    def _emit(self, kind: type[e.Event], **fields: Any) -> None:
        self.clock += 1.0
        apply(self.run, kind(time=self.clock, build="lfs", **fields))


@pytest.fixture(scope="session")
def tested() -> Callable[..., TestedStep]:
    """Make steps with tests."""
    return TestedStep
