"""The estimate of what is left of a run."""

from __future__ import annotations

import pytest

from build_exporter.estimate import Estimate, remaining
from build_exporter.model import events as e
from build_exporter.tracker import Run, apply_all

STEPS = [e.PlannedStep(phase="p", step=name, sbu=sbu) for name, sbu in (("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 4.0))]


@pytest.fixture
def run() -> Run:
    """A run of ten SBU, of which one took a minute."""
    run = Run("b", "20260101T000000Z")
    apply_all(run, [e.BuildStarted(time=0.0, build="b"), e.Plan(time=0.0, build="b", steps=STEPS)])
    report(run, "a", 0.0, 60.0)
    return run


def report(run: Run, step: str, start: float, end: float | None = None) -> None:
    """Report a step that starts and, where `end` is given, succeeds."""
    apply_all(run, [e.StepStarted(time=start, build="b", phase="p", step=step)])
    if end is not None:
        apply_all(run, [e.StepFinished(time=end, build="b", phase="p", step=step, status="succeeded")])


def left(run: Run, now: float) -> Estimate:
    """Return the estimate, which there must be."""
    found = remaining(run, now)
    assert found is not None
    assert 0 <= found.low <= found.middle <= found.high
    return found


def test_what_is_left_is_planned_time_at_the_pace_shown(run: Run) -> None:
    """Nine SBU at a minute each are nine minutes."""
    assert left(run, 60.0).middle == pytest.approx(540.0)


def test_a_running_step_uses_up_its_time(run: Run) -> None:
    """A minute into a two-minute step a minute less is left."""
    report(run, "b", 60.0)
    assert left(run, 120.0).middle == pytest.approx(480.0, rel=0.01)


def test_an_overdue_step_is_not_nearly_done(run: Run) -> None:
    """A last step that has run twice its time is not said to end within seconds."""
    report(run, "b", 60.0, 180.0)
    report(run, "c", 180.0, 360.0)
    report(run, "d", 360.0)
    assert 48.0 <= left(run, 360.0 + 480.0).middle <= 120.0


def test_a_step_that_tells_its_ratio_is_believed(run: Run) -> None:
    """A step nine tenths done after ten minutes needs about one more, whatever the plan said."""
    report(run, "b", 60.0, 180.0)
    report(run, "c", 180.0, 360.0)
    report(run, "d", 360.0)
    apply_all(run, [e.StepProgress(time=960.0, build="b", phase="p", step="d", ratio=0.9)])
    assert left(run, 960.0).middle == pytest.approx(60, rel=0.1)


def test_the_band_narrows_as_steps_keep_to_their_plan() -> None:
    """Steps that take what was planned make the estimate surer, steps that don't make it less sure."""
    widths = []
    for seconds in ((60.0, 60.0, 60.0, 60.0), (30.0, 90.0, 40.0, 80.0)):
        run = Run("b", "20260101T000000Z")
        steps = [e.PlannedStep(phase="p", step=str(number), sbu=1.0) for number in range(8)]
        apply_all(run, [e.BuildStarted(time=0.0, build="b"), e.Plan(time=0.0, build="b", steps=steps)])
        now = 0.0
        for number, taken in enumerate(seconds):
            report(run, str(number), now, now + taken)
            now += taken
            estimate = left(run, now)
            widths.append(estimate.high - estimate.low)
    assert widths[0] > widths[1] > widths[2] > widths[3]
    assert widths[7] > widths[3]


def test_nothing_is_estimated_of_a_run_that_is_over_or_has_told_nothing(run: Run) -> None:
    """No time left is shown when none is known."""
    assert remaining(Run("b", "20260101T000000Z"), 0.0) is None
    apply_all(run, [e.BuildFinished(time=70.0, build="b", status="failed")])
    assert remaining(run, 80.0) is None


def test_a_plan_in_seconds_is_believed_from_the_first_moment() -> None:
    """With expected seconds there is an estimate before any step has ended."""
    run = Run("b", "20260101T000000Z")
    steps = [e.PlannedStep(phase="p", step=name, expected_seconds=100.0) for name in "xy"]
    apply_all(run, [e.BuildStarted(time=0.0, build="b"), e.Plan(time=0.0, build="b", steps=steps)])
    assert left(run, 0.0).middle == pytest.approx(200.0)


def test_parallel_steps_share_the_time() -> None:
    """Steps that run two at a time take half as long in all, but never less than the longest of them needs."""
    run = Run("b", "20260101T000000Z")
    steps = [e.PlannedStep(phase="p", step=name, expected_seconds=100.0) for name in "abcdef"]
    apply_all(run, [e.BuildStarted(time=0.0, build="b"), e.Plan(time=0.0, build="b", steps=steps)])
    report(run, "a", 0.0)
    report(run, "b", 0.0, 100.0)
    apply_all(run, [e.StepFinished(time=100.0, build="b", phase="p", step="a", status="succeeded")])
    assert left(run, 100.0).middle == pytest.approx(200.0)
    report(run, "c", 100.0, 200.0)
    report(run, "d", 200.0, 300.0)
    report(run, "e", 300.0, 400.0)
    report(run, "f", 400.0)
    assert left(run, 400.0).middle == pytest.approx(100.0)


def test_time_between_steps_is_expected_to_go_on_and_pauses_are_not(run: Run) -> None:
    """Unpacking and waiting beside the work make what is left longer by their share; a night slept over does not."""
    apply_all(run, [e.StepStarted(time=62.0, build="b", phase="p", step="b")])
    done = e.StepFinished(time=62.0 + 130.0, build="b", phase="p", step="b", status="succeeded", seconds=120.0)
    apply_all(run, [done])
    assert run.gap_seconds == pytest.approx(12.0)
    assert left(run, 192.0).middle == pytest.approx(7 * 60.0 * (1 + 12.0 / 180.0))
    apply_all(run, [e.StepStarted(time=30_000.0, build="b", phase="p", step="c")])
    assert run.gap_seconds == pytest.approx(12.0)
