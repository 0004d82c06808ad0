"""The estimate of what is left of a run."""

from __future__ import annotations

import pytest
from story import built, end, over, plan, run_of, start

from build_exporter.estimate import Estimate, remaining
from build_exporter.model import events as e
from build_exporter.tracker import Run, apply_all

STEPS = [e.PlannedStep(phase="p", step=name, sbu=sbu) for name, sbu in (("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 4.0))]


@pytest.fixture
def run() -> Run:
    """A run of ten SBU, of which one took a minute."""
    return run_of(built(0), e.Plan(time=0.0, build="b", steps=STEPS), start(0, "a"), end(60, "a"))


def left(run: Run, now: float) -> Estimate:
    """Return the estimate, which there must be."""
    found = remaining(run, now)
    assert found is not None
    assert 0 <= found.low <= found.middle <= found.high
    return found


def test_what_is_left_is_planned_time_at_the_pace_shown(run: Run) -> None:
    """Nine SBU at a minute each are nine minutes."""
    assert left(run, 60.0).middle == pytest.approx(540.0)


def test_nothing_is_left_once_every_step_is_done() -> None:
    """A run whose end is not reported yet has no time left, and no band."""
    found = remaining(run_of(built(0), plan({"a": 60.0}), start(0, "a"), end(60, "a")), 61.0)
    assert found is not None
    assert (found.low, found.middle, found.high, found.basis) == (0.0, 0.0, 0.0, "1 finished step")


def test_the_band_narrows_as_steps_keep_to_their_plan() -> None:
    """Steps that take what was planned make the estimate surer, steps that don't make it less sure."""
    widths = []
    for seconds in ((60.0, 60.0, 60.0, 60.0), (30.0, 90.0, 40.0, 80.0)):
        steps = [e.PlannedStep(phase="p", step=str(number), sbu=1.0) for number in range(8)]
        run = run_of(built(0), e.Plan(time=0.0, build="b", steps=steps))
        now = 0.0
        for number, taken in enumerate(seconds):
            apply_all(run, [start(now, str(number)), end(now + taken, str(number))])
            now += taken
            estimate = left(run, now)
            widths.append(estimate.high - estimate.low)
    assert widths[0] > widths[1] > widths[2] > widths[3]
    assert widths[7] > widths[3]


def test_nothing_is_estimated_of_a_run_that_is_over_or_has_told_nothing(run: Run) -> None:
    """No time left is shown when none is known."""
    assert remaining(Run("b", "20260101T000000Z"), 0.0) is None
    apply_all(run, [over(70, "failed")])
    assert remaining(run, 80.0) is None


def test_parallel_steps_share_the_time() -> None:
    """Steps that run two at a time take half as long in all, but never less than the longest of them needs."""
    run = run_of(built(0), plan(dict.fromkeys("abcdef", 100.0)))
    apply_all(run, [start(0.0, "a")])
    apply_all(run, [start(0.0, "b"), end(100.0, "b")])
    apply_all(run, [end(100, "a")])
    assert left(run, 100.0).middle == pytest.approx(200.0)
    apply_all(run, [start(100.0, "c"), end(200.0, "c")])
    apply_all(run, [start(200.0, "d"), end(300.0, "d")])
    apply_all(run, [start(300.0, "e"), end(400.0, "e")])
    apply_all(run, [start(400.0, "f")])
    assert left(run, 400.0).middle == pytest.approx(100.0)


def test_time_between_steps_is_expected_to_go_on_and_pauses_are_not(run: Run) -> None:
    """Unpacking and waiting beside the work make what is left longer by their share; a night slept over does not."""
    apply_all(run, [start(62, "b"), end(62 + 130, "b", seconds=120.0)])
    assert run.gap_seconds == pytest.approx(12.0)
    assert left(run, 192.0).middle == pytest.approx(7 * 60.0 * (1 + 12.0 / 180.0))
    apply_all(run, [start(30_000, "c")])
    assert run.gap_seconds == pytest.approx(12.0)
