"""Progress of a running step, from its log while it grows."""

from __future__ import annotations

import itertools
import time
from array import array
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build_exporter.model.events import StepProgress
from build_exporter.model.states import StepState
from build_exporter.sources.step_logs.progress import CEILING, GAIN, LogProgress
from build_exporter.sources.step_logs.reader import StepContext
from build_exporter.tracker import LogShape, Run, Step

LAST = LogShape(100.0, 1000, 0, array("f", [(n + 1) / 20 for n in range(20)]), None)


class Followed:
    """A step started at 0 s, and a reader of its log; what is emitted goes into the step as the tracker does it."""

    def __init__(self, last: LogShape | None = None, expected: float | None = None) -> None:
        self.run = Run("lfs", "20260102T030405Z")
        self.step = Step("p", "s", 0, state=StepState.RUNNING, start=0.0, expected_seconds=expected)
        self.last = last
        self.reader = LogProgress()
        self.reported: list[float] = []

    def poll(self, time: float, size: int, *lines: str, over: bool = False) -> list[StepProgress]:
        """Look at the log once."""
        for line in lines:
            self.reader.feed(line)
        events = list(self.reader.emit(StepContext(time, self.run, self.step, size, over, self.last)))
        for event in events:
            assert isinstance(event, StepProgress)
            if event.ratio is not None:
                assert event.estimated
                self.reported.append(event.ratio)
                self.step.ratio = max(self.step.ratio or 0.0, event.ratio)
        return [event for event in events if isinstance(event, StepProgress)]

    def end(self, time: float, size: int, state: StepState = StepState.SUCCEEDED) -> list[StepProgress]:
        """End the step and look for the last time."""
        self.step.state, self.step.end, self.step.seconds = state, time, time
        return self.poll(time, size, over=True)


def test_nothing_is_told_where_the_log_tells_nothing() -> None:
    """A step without counters and without a past is left to the clock."""
    followed = Followed(expected=100.0)
    followed.poll(50.0, 5000, "checking for gcc... yes")
    assert followed.reported == []


def test_a_counter_alone_is_the_ratio() -> None:
    """Where nothing is planned and nothing remembered the counter is all there is."""
    followed = Followed()
    followed.poll(50.0, 5000, "[120/480] Building a.o")
    assert followed.reported == [0.25]


def test_the_clock_has_a_say_beside_a_counter() -> None:
    """A counter that begins late, after a long configure, does not put the bar back to nothing."""
    followed = Followed(expected=100.0)
    followed.poll(30.0, 5000, "[1/480] Building a.o")
    assert 0.05 < followed.reported[0] < 0.3


def test_the_last_attempt_measures_this_one() -> None:
    """A step without any counter moves by the size of its log."""
    followed = Followed(last=LAST)
    for tenth in range(10):
        followed.poll(10.0 * tenth, 100 * tenth)
    assert followed.reported == pytest.approx([tenth / 10 for tenth in range(10)], abs=0.02)


def test_a_builder_that_tells_itself_is_believed() -> None:
    """Estimates are not even written once the builder says how far it is."""
    followed = Followed(last=LAST)
    followed.step.ratio, followed.step.reported_ratio = 0.1, True
    followed.poll(50.0, 500)
    assert followed.reported == []


def test_few_lines_are_told() -> None:
    """A four-hour step costs the journal no more than a line for each hundredth."""
    followed = Followed(last=LogShape(14_400.0, 14_400, 0, LAST.curve, None))
    for second in range(0, 14_400, 5):
        followed.poll(float(second), second)
    assert len(followed.reported) <= 1 / GAIN
    assert all(later - earlier >= GAIN - 1e-4 for earlier, later in itertools.pairwise(followed.reported))


def test_how_the_log_grew_is_told_when_the_step_is_over() -> None:
    """The next run has something to measure by."""
    followed = Followed()
    for second in range(0, 101, 2):
        followed.poll(float(second), second * 10)
    (event,) = followed.end(100.0, 1000)
    assert event.log_bytes == 1000
    assert event.log_curve == pytest.approx([(n + 1) / 20 for n in range(20)], abs=0.02)
    assert event.ratio is None


@pytest.mark.parametrize("state", [StepState.FAILED, StepState.INTERRUPTED])
def test_the_log_of_an_attempt_that_did_not_succeed_is_no_measure(state: StepState) -> None:
    """A step that broke off half-way does not make the next attempt look done at its half."""
    followed = Followed()
    followed.poll(50.0, 500)
    (event,) = followed.end(50.0, 500, state)
    assert (event.log_bytes, event.log_curve) == (0, None)


def test_a_short_step_is_not_remembered() -> None:
    """Thousands of small steps leave no line each."""
    followed = Followed()
    followed.poll(1.0, 500)
    assert followed.end(2.0, 500) == []


def test_a_log_seen_only_at_its_end_leaves_its_size_alone() -> None:
    """A shape no one saw is not made up."""
    (event,) = Followed().end(100.0, 1000)
    assert (event.log_bytes, event.log_curve) == (1000, None)


@given(
    st.lists(
        st.tuples(st.floats(0, 50), st.integers(0, 500), st.sampled_from(["", "[7/99] x", "[ 80%] y", "[1/20] z"]))
    ),
    st.booleans(),
    st.none() | st.floats(0.1, 1e4),
)
def test_the_bar_moves_one_way_and_is_never_full(
    polls: list[tuple[float, int, str]], remembered: bool, expected: float | None
) -> None:
    """Whatever clock, log and past say, only the step itself ends."""
    followed = Followed(last=LAST if remembered else None, expected=expected)
    time, size = 0.0, 0
    for later, more, line in polls:
        time, size = time + later, size + more
        followed.poll(time, size, line)
    assert followed.reported == sorted(followed.reported)
    assert all(0.0 <= ratio <= CEILING < 1.0 for ratio in followed.reported)


def test_the_second_run_moves_by_the_first(
    serve: Callable[..., Any], run_file: Callable[..., Any], poll: Callable[..., None], tmp_path: Any
) -> None:
    """`serve` moves the bar of a step whose log holds no counter, by what the run before left in the journal."""
    first = run_file(run="20260102T030405Z", clock=1.78e9)
    first.step("p", "s", seconds=3600.0)
    first.add("step_progress", phase="p", step="s", log_bytes=1000, log_curve=[(n + 1) / 20 for n in range(20)])
    first.add("build_finished", status="succeeded")
    log = tmp_path / "s.log"
    log.write_text("x" * 499 + "\n")
    served = serve()
    run_file(run="20260202T030405Z", clock=time.time() - 1800).add("step_started", phase="p", step="s", log=str(log))
    poll(lambda: 0.4 < (served.value("build_step_progress_ratio", step="s") or 0.0) < 0.6, what="half of the log")
