"""Base of the readers of step logs: one per kind of content, each with its own file and a row in `READERS`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from build_exporter.model.events import Event, StepProgress
from build_exporter.sources.step_logs.expected_failures import NO_EXPECTED_FAILURES, ExpectedFailurePatterns
from build_exporter.tracker import LogShape, Run, Step


class StepContext(NamedTuple):
    """One look at the log of one attempt.

    Attributes:
        time: Unix seconds, for the events emitted.
        run: the run so far, from the journal.
        step: the step so far, from the journal.
        read_bytes: how much of the log has been read.
        over: the attempt has ended and its log been read to the end.
        last: how the log of the last attempt that succeeded grew, in this run or an earlier one, where it is known.
        known_failures: tests of the step's package that are known to fail.
        earlier_suites: the suites that had results when the step was built last, before this run.
        runs_tests: the step's own script says that it runs tests and keeps what they print.
    """

    time: float
    run: Run
    step: Step
    read_bytes: int
    over: bool
    last: LogShape | None = None
    known_failures: ExpectedFailurePatterns = NO_EXPECTED_FAILURES
    earlier_suites: frozenset[str] = frozenset()
    runs_tests: bool = False

    def progress(self, **fields: Any) -> StepProgress:
        """Return progress of the step at this time, with more fields."""
        step = self.step
        return StepProgress(time=self.time, build=self.run.build, phase=step.phase, step=step.step, **fields)


class Reader(Protocol):
    """Reads the log of one attempt. After a restart a new one reads it again and skips what `step` holds already."""

    @property
    def WORDS(self) -> tuple[bytes, ...]:  # noqa: N802 - a constant of each
        """Texts one of which is in every line that is wanted; see `scan`."""
        ...

    @property
    def is_busy(self) -> bool:
        """Whether every line is wanted for now."""
        ...

    def feed(self, line: str, words: Sequence[bytes] | None = None) -> None:
        """Take one plain line, cut to `MAX_LINE` characters, into account, with what was found of `WORDS` in it."""
        ...

    def emit(self, context: StepContext) -> Iterator[Event]:
        """Yield what the lines since the last poll add to what is known of the step."""
        ...
