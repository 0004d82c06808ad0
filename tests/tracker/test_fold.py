"""The fold of events into a run's state."""

from __future__ import annotations

from typing import Any

import pytest

from build_exporter.model import events as e
from build_exporter.model.states import BuildState, StepState
from build_exporter.tracker import Run, apply_all, build_progress, phase_progress

PLAN = [
    e.PlannedStep(phase="chapter-5", step="501-binutils-pass1", sbu=1.0),
    e.PlannedStep(phase="chapter-5", step="502-gcc-pass1", sbu=3.0, after=["501-binutils-pass1"]),
    e.PlannedStep(phase="chapter-6", step="601-m4", sbu=0.1, after=["502-gcc-pass1"]),
    e.PlannedStep(phase="chapter-8", step="801-glibc", sbu=12.0, after=["chapter-6/601-m4"]),
]


class Story:
    """Events of one build, one after the other; `run` is the result."""

    def __init__(self) -> None:
        self.run = Run("lfs", "20260101T000000Z")
        self.time = 1000.0

    def apply_event(self, kind: type[e.Event], after: float = 1.0, **fields: Any) -> Story:
        self.time += after
        apply_all(self.run, [kind(time=self.time, build="lfs", **fields)])
        return self

    def begin(self) -> Story:
        return self.apply_event(e.BuildStarted).apply_event(e.Plan, steps=PLAN)

    def start(self, phase: str, step: str, **fields: Any) -> Story:
        return self.apply_event(e.StepStarted, phase=phase, step=step, **fields)

    def finish(self, phase: str, step: str, status: str = "succeeded", after: float = 60.0, **fields: Any) -> Story:
        return self.apply_event(e.StepFinished, after=after, phase=phase, step=step, status=status, **fields)

    @property
    def progress(self) -> float:
        ratio = build_progress(self.run, self.time)
        assert ratio is not None
        return ratio


@pytest.fixture
def story() -> Story:
    """A build without events."""
    return Story()


def test_progress_is_weighted_by_planned_time(story: Story) -> None:
    """A quarter of the planned time done is a quarter of progress, however many steps that were."""
    story.begin().start("chapter-5", "501-binutils-pass1").finish("chapter-5", "501-binutils-pass1")
    assert story.progress == pytest.approx(1 / 16.1)
    story.start("chapter-5", "502-gcc-pass1").finish("chapter-5", "502-gcc-pass1", after=180)
    assert story.progress == pytest.approx(4 / 16.1)
    assert phase_progress(story.run, story.run.phases["chapter-5"], story.time) == 1


def test_a_running_step_moves_with_its_time_and_then_with_what_it_tells(story: Story) -> None:
    """The bar of a long step moves while it runs, and follows the step's own word once it says how far it is."""
    story.begin().start("chapter-5", "501-binutils-pass1").finish("chapter-5", "501-binutils-pass1")
    story.start("chapter-5", "502-gcc-pass1")
    halfway = build_progress(story.run, story.time + 90.0)
    assert halfway == pytest.approx((1 + 3 * 90 / (3 * 60)) / 16.1)
    story.apply_event(e.StepProgress, phase="chapter-5", step="502-gcc-pass1", done=75, total=100)
    assert story.progress == pytest.approx((1 + 3 * 0.75) / 16.1)


def test_the_first_ratio_a_step_shows_takes_nothing_back(story: Story) -> None:
    """A step counted by its time so far may then report less: the bar waits, it does not go back."""
    story.begin().start("chapter-5", "501-binutils-pass1").finish("chapter-5", "501-binutils-pass1")
    story.start("chapter-5", "502-gcc-pass1")
    story.time += 90
    shown = story.progress
    assert shown > 2 / 16.1
    story.apply_event(e.StepProgress, phase="chapter-5", step="502-gcc-pass1", ratio=0.01)
    assert story.progress >= shown


def test_progress_stays_below_one_until_the_build_has_succeeded(story: Story) -> None:
    """All steps done is not the end: only the build's own word is."""
    story.begin()
    for planned in PLAN:
        story.start(planned.phase, planned.step).finish(planned.phase, planned.step)
    assert 0.99 < story.progress < 1
    story.apply_event(e.BuildFinished, status="succeeded")
    assert story.progress == 1
    assert story.run.state is BuildState.SUCCEEDED


def test_without_a_plan_no_progress_is_claimed(story: Story) -> None:
    """Where the steps to come are not known, no share of them is made up."""
    story.apply_event(e.BuildStarted).start("p", "s").finish("p", "s")
    assert build_progress(story.run, story.time) is None


def test_a_failed_step_fails_the_build_until_it_is_tried_again(story: Story) -> None:
    """A retry that works leaves no failed build behind, but the failure stays counted."""
    story.begin().start("chapter-5", "501-binutils-pass1")
    story.finish("chapter-5", "501-binutils-pass1", "failed", error_class="compiler-error", exit_code=2)
    assert story.run.state is BuildState.FAILED
    assert [step.step for step in story.run.blocked()] == ["502-gcc-pass1", "601-m4", "801-glibc"]
    story.start("chapter-5", "501-binutils-pass1")
    assert not story.run.failed
    story.finish("chapter-5", "501-binutils-pass1")
    assert story.run.state.value == "running"
    step = story.run.steps["chapter-5", "501-binutils-pass1"]
    assert (step.state, step.attempts, step.exit_code) == (StepState.SUCCEEDED, 2, None)
    assert story.run.failures == {("chapter-5", "compiler-error"): 1}
    assert story.run.blocked() == []


def test_progress_does_not_go_back_when_a_step_fails(story: Story) -> None:
    """What a failed attempt had shown stays on the bar until the next one has caught up."""
    story.begin().start("chapter-8", "801-glibc")
    story.apply_event(e.StepProgress, phase="chapter-8", step="801-glibc", ratio=0.9)
    shown = story.progress
    story.finish("chapter-8", "801-glibc", "failed")
    assert story.progress == shown
    story.start("chapter-8", "801-glibc")
    assert story.progress == shown


def test_an_unknown_failure_class_becomes_other(story: Story) -> None:
    """Labels keep to the closed set whatever a writer says."""
    story.start("p", "s").finish("p", "s", "failed", error_class="gremlins")
    assert story.run.failure_counts() == {("p", "other"): 1}


@pytest.mark.parametrize("seconds", [5.0, 25.0, 35.0])
def test_a_class_that_comes_late_takes_no_count_back(story: Story, seconds: float) -> None:
    """Counters of failures never fall: a class that the log gives counts instead of `other`, or not at all."""
    story.start("p", "s").finish("p", "s", "failed", exit_code=2)
    at_once, before = story.run.failure_counts(story.time), story.run.failure_counts(story.time + seconds)
    story.apply_event(e.StepProgress, seconds, phase="p", step="s", error_class="disk-full", message="no space")
    after = story.run.failure_counts(story.time)
    assert story.run.steps["p", "s"].error_class == "disk-full"
    assert not at_once
    assert before <= after == {("p", "other" if seconds > 30 else "disk-full"): 1}
    story.start("p", "s").finish("p", "s", "failed")
    assert after <= story.run.failure_counts(story.time + 60)
    assert story.run.failure_counts().total() == 2


def test_a_run_taken_up_again_interrupts_what_was_running(story: Story) -> None:
    """After a power cut the step that ran is interrupted, and its next attempt is the second."""
    story.begin().start("chapter-5", "501-binutils-pass1").apply_event(e.BuildStarted, after=3600)
    step = story.run.steps["chapter-5", "501-binutils-pass1"]
    assert step.state is StepState.INTERRUPTED
    story.start("chapter-5", "501-binutils-pass1").finish("chapter-5", "501-binutils-pass1")
    assert (step.state, step.attempts, step.seconds) == (StepState.SUCCEEDED, 2, 60.0)
    assert story.run.finished == {"interrupted": 1, "succeeded": 1}


def test_a_build_that_ends_interrupts_steps_without_an_end(story: Story) -> None:
    """No step runs on for ever because its writer was killed before it could record the end."""
    story.begin().start("chapter-5", "501-binutils-pass1").apply_event(e.BuildFinished, status="failed")
    assert story.run.steps["chapter-5", "501-binutils-pass1"].state is StepState.INTERRUPTED
    assert story.run.state is BuildState.FAILED
    assert not story.run.running


def test_a_late_end_corrects_an_interruption(story: Story) -> None:
    """A parallel step whose end is read after the build's is reported with its true result, counted as one attempt."""
    story.begin().start("chapter-5", "501-binutils-pass1").apply_event(e.BuildFinished, status="failed")
    story.finish("chapter-5", "501-binutils-pass1", "succeeded", after=0.5)
    step = story.run.steps["chapter-5", "501-binutils-pass1"]
    assert (step.state, step.attempts) == (StepState.SUCCEEDED, 1)


def test_a_late_end_corrects_an_interruption_of_the_very_time(story: Story) -> None:
    """Times of files come in ticks: what is read within the one in which a step was given up is not lost."""
    story.begin().start("p", "s").finish("p", "s", "interrupted").finish("p", "s", "succeeded", after=0.0)
    step = story.run.steps["p", "s"]
    assert (step.state, step.attempts) == (StepState.SUCCEEDED, 1)
    story.finish("p", "s", "interrupted", after=0.0)
    assert step.state is StepState.SUCCEEDED


def test_a_clock_set_back_gives_no_negative_duration(story: Story) -> None:
    """A step that ends before it began took no time rather than less than none."""
    story.start("p", "s").finish("p", "s", after=-7000.0)
    assert story.run.steps["p", "s"].seconds == 0.0
    assert story.run.steps["p", "s"].state is StepState.SUCCEEDED


def test_an_end_read_before_its_start_is_one_attempt(story: Story) -> None:
    """Two writers' lines may come in the wrong order: that is still one attempt, with its start."""
    story.finish("p", "s", after=10.0)
    end = story.time
    story.start("p", "s", log="/logs/s.log", after=-5.0)
    step = story.run.steps["p", "s"]
    assert (step.attempts, step.start, step.end, step.state) == (1, end - 5.0, end, StepState.SUCCEEDED)


def test_a_new_plan_keeps_what_has_happened_and_drops_what_will_not(story: Story) -> None:
    """A rewritten Makefile changes what is to come, not what was built."""
    story.begin().start("chapter-5", "501-binutils-pass1").finish("chapter-5", "501-binutils-pass1")
    shown = story.progress
    longer = [e.PlannedStep(phase="chapter-8", step="802-zlib", sbu=100.0)]
    story.apply_event(e.Plan, steps=longer)
    assert set(story.run.steps) == {("chapter-8", "802-zlib"), ("chapter-5", "501-binutils-pass1")}
    assert story.progress == shown


def test_needs_in_a_circle_end(story: Story) -> None:
    """A plan whose steps need each other in a circle blocks them all and hangs nothing."""
    circle = [
        e.PlannedStep(phase="p", step="a", after=["c"]),
        e.PlannedStep(phase="p", step="b", after=["a"]),
        e.PlannedStep(phase="p", step="c", after=["b"]),
        e.PlannedStep(phase="p", step="free"),
    ]
    story.apply_event(e.Plan, steps=circle).start("p", "a").finish("p", "a", "failed")
    assert [step.step for step in story.run.blocked()] == ["b", "c"]


def test_parallel_steps_show_how_many_ran_at_once(story: Story) -> None:
    """Two steps side by side all the time are a concurrency of two."""
    story.start("p", "a").start("p", "b", after=0.0)
    story.finish("p", "a", after=100.0).finish("p", "b", after=0.0)
    assert story.run.concurrency == pytest.approx(2.0)


def test_more_steps_than_any_build_has_are_not_kept(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer gone mad cannot fill the exporter's memory with names."""
    monkeypatch.setattr("build_exporter.tracker.aggregates.MAX_STEPS", 10)
    for number in range(100):
        story.start("p", f"step-{number}")
    assert len(story.run.steps) == 11
    assert story.run.ignored["too_many_steps"] == 90


def test_a_plan_in_parts_is_the_plan_in_one(story: Story) -> None:
    """A plan too long for a line counts as a whole: its parts neither drop each other nor move the bar."""
    story.begin().start("chapter-5", "501-binutils-pass1").finish("chapter-5", "501-binutils-pass1")
    shown = story.progress
    story.apply_event(e.Plan, steps=PLAN[:1]).apply_event(e.Plan, steps=PLAN[1:], continues=True)
    assert list(story.run.steps) == [(planned.phase, planned.step) for planned in PLAN]
    assert story.progress == shown


def test_the_reason_of_a_failure_is_not_what_was_done_last(story: Story) -> None:
    """Words of progress do not stand as the reason; words that come after a failure without any do."""
    story.begin().start("chapter-5", "501-binutils-pass1")
    story.apply_event(e.StepProgress, phase="chapter-5", step="501-binutils-pass1", message="[12/40] a.c")
    story.finish("chapter-5", "501-binutils-pass1", "failed")
    step = story.run.steps["chapter-5", "501-binutils-pass1"]
    assert step.message is None
    story.apply_event(e.StepProgress, phase="chapter-5", step="501-binutils-pass1", message="a.c:3: error: boom")
    assert step.message == "a.c:3: error: boom"
    story.apply_event(e.StepProgress, phase="chapter-5", step="501-binutils-pass1", message="later words")
    assert step.message == "a.c:3: error: boom"


def test_a_suite_reported_under_a_passing_name_is_not_counted_twice(story: Story) -> None:
    """Tests shown as those of `make check` go over to the suite's own name once that is known."""
    story.begin().start("chapter-6", "601-m4")
    at: dict[str, Any] = {"phase": "chapter-6", "step": "601-m4"}
    story.apply_event(e.TestsReported, **at, suite="make check", passed=12, failed=1)
    story.apply_event(e.TestsReported, **at, suite="GNU m4 1.4.19", passed=250, failed=1, replaces="make check")
    tests = story.run.steps["chapter-6", "601-m4"].tests
    assert {name: report.passed for name, report in tests.items()} == {"GNU m4 1.4.19": 250}
