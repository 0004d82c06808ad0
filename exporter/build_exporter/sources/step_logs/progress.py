"""Progress of a running step from its log: counters, size compared with the last attempt's, and elapsed time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from build_exporter.model.events import Event
from build_exporter.model.states import StepState
from build_exporter.sources.step_logs.counters import Counters
from build_exporter.sources.step_logs.fusion import (
    COUNTER_ERROR,
    LAST_TIME_ERROR,
    OTHER_VERSION,
    PLANNED_TIME_ERROR,
    Evidence,
    by_log,
    by_time,
    fuse,
)
from build_exporter.sources.step_logs.growth import MIN_SECONDS, Growth, is_task
from build_exporter.sources.step_logs.reader import StepContext
from build_exporter.tracker import expected_seconds

CEILING: Final = 0.995
"""Highest ratio emitted: the step itself says when it is done."""

GAIN: Final = 0.01
"""Least gain of a step's ratio that is worth a line in the journal."""


GAIN_SECONDS: Final = 2.0
SOON_GAIN: Final = 0.05
"""And least gain so soon after the last: a build of thousands of steps would emit a hundred events for each."""


class LogProgress:
    """The share of a step that is done; it never goes back. Its log's final size is emitted when it is over."""

    WORDS: Final[tuple[bytes, ...]] = ()
    is_busy = False

    def __init__(self) -> None:
        self.counters = Counters()
        self.growth = Growth()
        self.tasks = 0
        self._emitted_at = 0.0

    def feed(self, line: str, words: Sequence[bytes] | None = None) -> None:
        """Take one line into account."""
        self.counters.feed(line)
        self.tasks += is_task(line)

    def feed_block(self, tasks: int, last_lines: Iterable[str]) -> None:
        """Take a block into account: the tasks it mentions, and its last lines, which show how far it is."""
        self.tasks += tasks
        for line in last_lines:
            self.counters.feed(line)

    def emit(self, context: StepContext) -> Iterator[Event]:
        """Yield the ratio of a step that runs, once it has grown enough; of one that succeeded, how its log grew."""
        step = context.step
        elapsed = max(0.0, context.time - step.start) if step.start is not None else 0.0
        if context.over:
            yield from self._amount(context)
            return
        self.growth.see(elapsed, context.read_bytes, self.tasks)
        ratio = None if step.reported_ratio or step.start is None else self.ratio(context, elapsed)
        if ratio is None or (step.ratio is not None and not self._is_gain(ratio - step.ratio, context.time)):
            return
        self._emitted_at = context.time
        yield context.progress(ratio=round(min(CEILING, ratio), 4), estimated=True)

    def _is_gain(self, gain: float, time: float) -> bool:
        return gain >= (GAIN if time - self._emitted_at >= GAIN_SECONDS else SOON_GAIN)

    def ratio(self, context: StepContext, elapsed: float) -> float | None:
        """Return the ratio that all evidence comes together in, None where the log holds none."""
        found = list(self._evidence(context, elapsed))
        return fuse(found + list(_time(context, elapsed))) if found else None

    def _evidence(self, context: StepContext, elapsed: float) -> Iterator[Evidence]:
        if self.counters.share is not None:
            yield Evidence(self.counters.share, COUNTER_ERROR)
        if context.last is not None:
            yield by_log(context.last, self.growth, elapsed, same_version=_is_same_version(context))

    def _amount(self, context: StepContext) -> Iterator[Event]:
        """Yield what the log amounted to: that it was read to its end, and how it grew where that was watched."""
        step, size = context.step, context.read_bytes
        known = context.run.logs.get(step.key)
        is_known = known is not None and known.size == size and known.seconds == step.seconds
        is_long = (step.seconds or 0.0) >= MIN_SECONDS
        is_example = step.state is StepState.SUCCEEDED and size > 0 and is_long
        # thousands of short steps are not worth a line each: should they be read again, that takes no time
        if not is_long or (step.log_read and (is_known or not is_example)):
            return
        event = context.progress(log_bytes=0)
        if is_example:
            event.log_bytes = size
            self.growth.see(step.seconds or 0.0, size, self.tasks)
            event.log_tasks, event.log_curve = self.tasks, self.growth.curve(step.seconds or 0.0)
        yield event


def _time(context: StepContext, elapsed: float) -> Iterator[Evidence]:
    """Yield what the clock says: by what the step took the last time, else by what is planned."""
    last = context.last
    if last is not None and last.seconds > 0:
        error = LAST_TIME_ERROR if _is_same_version(context) else LAST_TIME_ERROR * OTHER_VERSION
        yield by_time(elapsed, last.seconds, error)
        return
    expected = expected_seconds(context.run, context.step)
    if expected:
        yield by_time(elapsed, expected, PLANNED_TIME_ERROR)


def _is_same_version(context: StepContext) -> bool:
    return context.last is not None and context.last.version == context.step.version
