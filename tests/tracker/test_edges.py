"""Both sides of every guard of the fold and of progress, with values worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
from story import B, at, built, end, needs, over, plan, run_of, start, step_of, suite

from build_exporter.model import events as e
from build_exporter.model.names import MAX_TEXT_LENGTH
from build_exporter.model.states import BuildState, StepState
from build_exporter.tracker import (
    Run,
    Step,
    Tracker,
    aggregates,
    apply_all,
    build_progress,
    expected_at_start,
    expected_seconds,
    fold,
    past_steps,
    phases_progress,
    step_progress,
    summarise,
)
from build_exporter.tracker.progress import CEILING, approach


@pytest.mark.parametrize(
    ("fields", "ratio"),
    [
        ({"done": 3, "total": 0}, None),
        ({"done": 0, "total": 10}, 0.0),
        ({"done": 5, "total": 10}, 0.5),
        ({"done": 20, "total": 10}, 0.999),
        ({"ratio": 1.0}, 0.999),
        ({"ratio": 0.25, "done": 5, "total": 10}, 0.25),
        ({"done": 5}, None),
    ],
)
def test_a_ratio_is_what_is_reported_below_one(fields: dict[str, Any], ratio: float | None) -> None:
    """A step's bar follows its ratio or its count, is never full while it runs, and stands a total of 0."""
    step = step_of(start(1), at(2, **fields))
    assert step.ratio == ratio
    assert step_of(start(1), at(2, ratio=0.6), at(3, ratio=0.4)).ratio == 0.6


def test_another_start_of_a_running_step_is_another_attempt() -> None:
    """The attempt before was interrupted; a builder's own number of the attempt counts where it is higher."""
    run = run_of(start(1), start(5))
    assert (run.finished, run.steps["p", "s"].attempts, run.steps["p", "s"].start) == ({"interrupted": 1}, 2, 5)
    assert run_of(start(1), end(2), start(5)).finished == {"succeeded": 1}
    assert step_of(start(1, attempt=3)).attempts == 3
    assert step_of(start(1), end(2), start(3, attempt=1)).attempts == 2


def test_a_new_attempt_begins_with_nothing_of_the_one_before() -> None:
    """Figures, words, warnings and tests are those of the newest attempt."""
    figures: dict[str, Any] = {"exit_code": 2, "signal": 9, "cpu_seconds": 1.0, "max_rss_bytes": 2, "read_bytes": 3}
    figures |= {"written_bytes": 4, "disk_bytes": 5, "disk_before_bytes": 6, "warnings": 7}
    ended = end(3, status="failed", error_class="killed", message="x", **figures)
    run = run_of(start(1), at(2, ratio=0.5, message="y"), suite(2, "t", 1), ended)
    step = run.steps["p", "s"]
    assert {name: getattr(step, name) for name in figures} == figures
    assert (step.error_class, step.message, list(step.tests)) == ("killed", "x", ["t"])
    apply_all(run, [start(10)])
    cleared = [*figures, "error_class", "message", "ratio", "seconds", "end"]
    assert {name: getattr(step, name) for name in cleared} == dict.fromkeys(cleared)
    assert (step.tests, step.floor, step.reported_ratio, step.reported_warnings) == ({}, 0.0, False, False)
    apply_all(run, [at(11, ratio=0.3, estimated=True)])
    assert step.ratio == 0.3, "the new attempt's own estimate counts"


def test_an_attempt_without_a_start_counts_but_a_skip_does_not() -> None:
    """A step whose start was lost was tried; one that is left out keeps what is known of it."""
    step = step_of(start(1), end(2, warnings=5), end(9, status="failed"))
    assert (step.attempts, step.warnings, step.start, step.seconds) == (2, None, None, None)
    step = step_of(start(1), end(2, status="failed", warnings=5), end(9, status="skipped"))
    assert (step.attempts, step.warnings, step.state) == (1, 5, StepState.SKIPPED)


def test_durations_of_nothing_are_durations() -> None:
    """Zero seconds by the builder's own clock are not replaced by the difference of two others."""
    assert step_of(start(1), end(11, seconds=0.0)).seconds == 0.0
    assert [step_of(start(1), end(time)).seconds for time in (11, -7000)] == [10.0, 0.0], "a clock set back"


def test_words_are_cut_and_notes_bounded() -> None:
    """The newest hundred notes stay, each no longer than a text may be; so do words of progress."""
    long = "x" * (MAX_TEXT_LENGTH + 1)
    run = run_of(start(1), at(2, message=long), *(e.Note(time=3, **B, message=f"{n}") for n in range(150)))
    assert len(run.steps["p", "s"].message or "") == MAX_TEXT_LENGTH
    assert [run.notes[0], run.notes[-1], len(run.notes)] == [(3, "50"), (3, "149"), 100]
    assert run_of(e.Note(time=3, **B, message=long)).notes[0][1] == long[:-1]


def test_a_class_found_later_is_the_one_that_counts() -> None:
    """Within half a minute of the end a log may say what failed; later, or without a word, the failure is other."""
    for late, counted in ((32, "killed"), (32.5, "other")):
        run = run_of(start(1), end(2, status="failed"), at(late, error_class="killed", message="boom"))
        assert (run.steps["p", "s"].error_class, run.steps["p", "s"].message) == ("killed", "boom")
        assert run.failure_counts(late + 31) == {("p", counted): 1}
    for known, words in ((None, "x"), ("test-failure", "why")):
        ended = end(2, status="failed", message="x", error_class=known)
        step = run_of(start(1), ended, at(3, error_class="killed", message="why")).steps["p", "s"]
        assert (step.error_class, step.message) == ("killed", words), "words of a class that the log corrects go"
    run = run_of(start(1), end(2, status="failed"))
    assert (run.failure_counts(32), run.failure_counts(32.5)) == ({}, {("p", "other"): 1})
    apply_all(run, [start(5), end(6, status="failed")])
    assert run.failure_counts(6) == {("p", "other"): 1}, "the first of two attempts"
    apply_all(
        run, [at(7, error_class="other"), at(8, error_class="killed"), at(9, error_class="disk-full", message="x")]
    )
    assert run.failure_counts(99) == {("p", "other"): 1, ("p", "killed"): 1}, "each once"
    run = run_of(start(1), end(2), at(3, error_class="killed", message="boom"))
    assert (run.steps["p", "s"].message, run.failure_counts(99)) == (None, {})
    assert run.ignored["step_progress"] == 1


def test_a_run_taken_up_keeps_what_it_is_not_told_again() -> None:
    """Book, jobs and deadline stay as first reported, and so does the earliest start."""
    facts = {"source": "jhalfs", "target": "x86_64", "book": "12.4", "jobs": 4, "tests": "all", "deadline": 99.0}
    run = run_of(built(10, **facts), built(20))
    assert {name: getattr(run, name) for name in facts} == facts
    assert run.start == 10
    run = run_of(built(10, **facts), built(5, jobs=0, deadline=0.0))
    assert (run.start, run.jobs, run.deadline) == (5, 0, 0.0)


def test_an_end_reported_twice_counts_once() -> None:
    """Two writers may report one end; another end counts, and a start between them makes it two."""
    assert run_of(over(5, "failed"), over(6, "failed")).results == {"failed": 1}
    assert run_of(over(5, "failed"), over(6)).results == {"failed": 1, "succeeded": 1}
    assert run_of(over(5, "failed"), built(6), over(7, "failed")).results == {"failed": 2}
    assert run_of(over(5, "failed"), built(6)).end is None
    run = run_of(start(1), over(5, "failed"), start(6))
    assert (run.state, run.end) == (BuildState.RUNNING, None)
    run = run_of(start(1), end(2), over(5), start(6))
    assert (run.state, run.end) == (BuildState.SUCCEEDED, 5), "only a new start of the build takes a success back"


@pytest.mark.parametrize(
    "kind", [e.Note, e.Feedback, e.Alert, e.Acknowledged, e.Escalated, e.SourcesVerified, e.Toolchain]
)
def test_what_people_and_the_exporter_add_is_no_activity(kind: type[Any]) -> None:
    """A build is no more alive for a note, an alert, an answer to one, or what the exporter found out itself."""
    needed: dict[str, dict[str, Any]] = {"Note": {"message": "x"}, "Feedback": {"rating": 1}}
    fields = needed.get(kind.__name__, {})
    assert run_of(start(1), kind(time=9, **B, **fields)).last_event == 1
    assert run_of(start(1), at(9, ratio=0.1), at(5, ratio=0.2)).last_event == 9


def test_of_two_surveys_the_newer_counts() -> None:
    """Toolchain and sources are as seen last, however late the older report is read; of one time the later line."""
    kinds: Any = ((e.Toolchain, "toolchain", "jobs"), (e.SourcesVerified, "sources_verified", "verified"))
    for kind, name, field in kinds:
        found = [kind(time=time, **B, **{field: value}) for time, value in ((5, 1), (9, 2), (7, 3), (9, 4))]
        assert [getattr(getattr(run_of(*found[:n]), name), field) for n in (1, 2, 3, 4)] == [1, 2, 2, 4]
    assert run_of(built(1, jobs=4)).jobs_used == 4
    assert run_of(built(1, jobs=4), e.Toolchain(time=2, **B, jobs=8)).jobs_used == 8


def test_a_log_belongs_to_one_step_or_to_several() -> None:
    """Steps that name one file share it, two attempts at one step do not, and no file has a NUL in its name."""
    steps = run_of(
        start(1, "a", log="/l"), start(2, "b", log="/l"), start(3, "c", log="/m"), start(4, "c", log="/m")
    ).steps
    assert {name: step.shares_log for (_, name), step in steps.items()} == {"a": True, "b": True, "c": False}
    assert step_of(start(1, log="\0")).log is None


def test_times_and_logs_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step started without end, and logs without number, take bounded memory; a known log is still renewed."""
    assert list(step_of(*(start(time) for time in range(1, 65))).starts) == list(range(1, 65))
    assert list(step_of(*(start(time) for time in range(1, 66))).starts) == list(range(34, 66))
    monkeypatch.setattr(fold, "MAX_LOGS", 2)
    run = run_of(*(event for n in range(4) for event in (start(n + 1, f"{n}"), end(n + 2, f"{n}"))))
    apply_all(run, [at(9, name, log_bytes=size) for name, size in (("0", 5), ("1", 6), ("2", 7), ("0", 8))])
    assert {name: shape.size for (_, name), shape in run.logs.items()} == {"0": 8, "1": 6}


def test_a_suites_results_are_replaced_by_name() -> None:
    """A passing name gives way to the suite's own; a suite that replaces itself stays."""
    tests = step_of(suite(1, "make", 1), suite(1, "gcc", 2, replaces="make"), suite(1, "gcc", 3, replaces="gcc")).tests
    assert {name: each.passed for name, each in tests.items()} == {"gcc": 3}


MILESTONES = [
    e.PlannedMilestone(name="by step", step="s", phase="q"),
    e.PlannedMilestone(name="by phase", phase="p"),
    e.PlannedMilestone(name="half", progress=0.5),
    e.PlannedMilestone(name="all", progress=1.0),
]


def test_milestones_come_exactly_when_they_are_due() -> None:
    """At the very ratio, by the step of the phase that is named, by a phase skipped in part, and all at the end."""
    run = run_of(plan({"s": 100, "t": 100}, milestones=MILESTONES), plan({"s": 200}, phase="q", continues=True))
    apply_all(run, [start(1), end(2)])
    assert run.milestones == {}, "the step of that name is in another phase"
    apply_all(run, [end(3, "t", "skipped")])
    assert run.milestones == {"by phase": 3, "half": 3}
    assert run.milestone_progress == {"by phase": 0.5, "half": 0.5}
    apply_all(run, [start(4, phase="q"), end(5, phase="q")])
    assert run.milestones.keys() == {"by phase", "half", "by step"}
    apply_all(run, [over(6), over(7, "failed")])
    assert run.milestones["all"] == 6
    assert run.milestone_progress["all"] == 1.0


def test_a_later_plan_without_milestones_keeps_them() -> None:
    """Only a plan that names milestones replaces them; the directory of sources is as the last whole plan has it."""
    run = run_of(plan({"s": 1}, milestones=MILESTONES[1:2], tarballs="/src"), plan({"s": 1}, 1.0, continues=True))
    assert ([each.name for each in run.planned_milestones], run.tarballs) == (["by phase"], "/src")
    apply_all(run, [plan({"s": 1}, 2.0, tarballs="\0")])
    assert ([each.name for each in run.planned_milestones], run.tarballs) == (["by phase"], "")


def test_steps_dropped_from_a_plan_are_gone_unless_they_began() -> None:
    """A new plan forgets what it has not and what was never tried."""
    run = run_of(plan({"a": 1, "b": 1, "c": 1}), start(1, "a"), plan({"c": 1}, 2.0))
    assert [(name, step.index) for (_, name), step in run.steps.items()] == [("c", 0), ("a", 1)]


def test_more_work_after_a_success_is_shown_as_it_is() -> None:
    """A finished build taken up with a plan ten times as long stands at a tenth, in its phase too, and goes on."""
    run = run_of(plan({"a": 50, "s": 50}), start(1, "a"), end(2, "a"), start(3), at(4, ratio=0.9), end(5), over(6))
    assert build_progress(run, 6) == 1.0
    apply_all(run, [built(10), plan({"a": 50, "s": 50, "t": 900}, 11.0)])
    assert build_progress(run, 11) == pytest.approx(0.1)
    assert phases_progress(run, 11)[0][1] == pytest.approx(0.1)
    again = run_of(plan({"a": 50, "s": 50}), start(1, "a"), end(2, "a"), over(6, "failed"), built(10))
    apply_all(again, [plan({"a": 50, "s": 950}, 11.0)])
    assert build_progress(again, 11) == 0.5, "what failed was not finished"
    apply_all(run, [start(12, "t"), at(13, "t", ratio=0.5), plan({"a": 50, "s": 50, "t": 900, "u": 9000}, 14.0)])
    assert build_progress(run, 14) == pytest.approx(0.55), "from here on a longer plan takes nothing back"


@pytest.mark.parametrize(("repeat", "seconds"), [(0.1, 200.0), (9.9, 200.0), (10.0, 10.0), (190.0, 190.0)])
def test_a_repeat_with_nothing_to_do_is_no_time_of_the_step(repeat: float, seconds: float) -> None:
    """Below a twentieth of its 200 s the next run, the pace and the log's shape still have those of the work."""
    first = plan({"a": 100, "b": 100}), start(0, "a"), end(200, "a"), at(200, "a", log_bytes=900)
    run = run_of(*first, start(300, "a"), end(300 + repeat, "a"), at(300 + repeat, "a", log_bytes=9))
    assert run.steps["p", "a"].seconds == pytest.approx(repeat)
    assert [step.seconds for step in past_steps(run)] == pytest.approx([seconds])
    assert summarise(run).steps["p", "a"] == pytest.approx(seconds)
    assert run.logs["p", "a"].size == (900 if seconds == 200.0 else 9)
    assert expected_seconds(run, run.steps["p", "b"]) == pytest.approx((200 + seconds) / 2)
    apply_all(run, [plan({"a": 100, "b": 100, "c": 1})])
    assert expected_seconds(run, run.steps["p", "b"]) == pytest.approx(seconds), "as counted again from the steps"


def test_a_second_build_shows_progress_before_its_first_step_ends() -> None:
    """By what the step took in the run before, though the plan has an SBU alone; once over, that stays expected."""
    tracker, sbu = Tracker(), [e.PlannedStep(phase="p", step=name, sbu=1.0) for name in "ab"]
    steps = [start(0, "a"), end(60, "a"), start(60, "b"), end(120, "b")]
    tracker.feed("b", "20260101T000000Z", [e.Plan(time=0.0, build="b", steps=sbu), *steps, over(121)])
    run = tracker.feed("b", "20260102T000000Z", [e.Plan(time=0.0, build="b", steps=sbu), steps[0]])
    assert build_progress(run, 30.0) == pytest.approx(0.25)
    apply_all(run, [end(90, "a")])
    assert (expected_at_start(run, run.steps["p", "a"]), expected_at_start(run, run.steps["p", "b"])) == (60.0, 90.0)


def test_the_ratio_of_time_comes_ever_nearer_to_one() -> None:
    """Elapsed over expected is shown as it is to 0.9, then 0.95 at 1 and 0.99 at 1.8, by 1 - 0.01 / (share - 0.8)."""
    shares = {-1.0: 0.0, 0.0: 0.0, 0.5: 0.5, 0.9: 0.9, 1.0: 0.95, 1.8: 0.99, 10.8: 0.999}
    assert [approach(share) for share in shares] == pytest.approx(list(shares.values()))


def test_a_step_is_shown_by_its_state() -> None:
    """Pending 0, done 1, running by time at the pace of the run, failed where it stood, unknown None."""
    run = run_of(plan({"a": 100, "s": 100, "t": 50, "u": None}), start(0, "a"), end(200, "a"), start(200))
    step, unknown = run.steps["p", "s"], run.steps["p", "u"]
    assert expected_seconds(run, step) == 200.0, "the first took twice its plan"
    assert [step_progress(run, step, now) for now in (200, 300, 1e9)] == [0.0, 0.5, 0.999]
    assert [step_progress(run, each) for each in (run.steps["p", "a"], run.steps["p", "t"], step)] == [1.0, 0.0, None]
    apply_all(run, [start(300, "u")])
    assert (expected_seconds(run, unknown), step_progress(run, unknown, 400)) == (None, None)
    apply_all(run, [at(300, ratio=0.25), end(301, status="failed"), end(302, "u", "failed")])
    assert step_progress(run, step) == 0.5, "what its time had shown"
    assert step_progress(run, unknown) is None


def test_phases_do_not_go_back_either() -> None:
    """A phase keeps what a failed step had shown, and is full when its steps are done or skipped, not before."""
    run = run_of(plan({"a": 100, "s": 100}), start(0), at(1, ratio=0.8), end(2, status="failed"))
    assert phases_progress(run, 3)[0][1] == pytest.approx(0.4)
    apply_all(run, [start(4), at(5, ratio=0.1)])
    assert phases_progress(run, 5)[0][1] == pytest.approx(0.4)
    apply_all(run, [end(6)])
    assert phases_progress(run, 6)[0][1] == 0.5
    apply_all(run, [end(7, "a", "skipped")])
    assert (phases_progress(run, 7)[0][1], build_progress(run, 7)) == (1.0, 0.999)


def test_a_phase_moves_with_its_running_step_without_a_plan() -> None:
    """Where the steps to come are not known the build has no ratio, and a phase that of the steps it has."""
    run = run_of(start(0), at(1, ratio=0.5))
    assert (build_progress(run, 1), phases_progress(run, 1)[0][1]) == (None, 0.5)


def test_a_phase_that_never_began_is_at_nothing() -> None:
    """Also of a run that succeeded, in which every other phase is full, however its failure was repaired."""
    run = run_of(plan({"a": 1, "b": 1}), plan({"c": 1}, phase="q", continues=True), start(1, "a"), over(2))
    assert [ratio for _, ratio in phases_progress(run, 3)] == [1.0, 0.0]


def test_of_many_running_steps_the_first_count() -> None:
    """However many steps never end, an event costs the same: 500 of 600 half done are 250 of 600."""
    run = run_of(plan({f"{n}": 1 for n in range(600)}), *(start(1 + n / 1000, f"{n}") for n in range(600)))
    for step in run.running.values():
        step.ratio = 0.5
    assert build_progress(run, 2) == pytest.approx(250 / 600)


def test_weights_are_never_nothing() -> None:
    """Planned seconds count before SBU, at least a tenth each; a step without figures counts ten."""
    planned = {(None, None): 10.0, (0.0, None): 0.1, (5.0, 9.0): 5.0, (None, 0.0): 0.1, (None, 2.0): 200.0}
    for (seconds, sbu), weight in planned.items():
        assert Step("p", "s", 0, expected_seconds=seconds, sbu=sbu).weight == weight
    known = Step("p", "s", 0, expected_seconds=5.0, usual_seconds=7.0)
    assert (known.weight, expected_seconds(Run("b", "20260101T000000Z"), known)) == (7.0, 7.0), (
        "earlier runs before the plan"
    )


@pytest.mark.parametrize("before", [(), (e.Note(time=9999, **B, message="late"),)], ids=["in order", "after a later"])
def test_time_between_steps_is_a_gap_up_to_a_minute(before: tuple[e.Event, ...]) -> None:
    """A pause of a minute counts, a longer one is a person's; so does a step's time beyond its own seconds.

    It is the same whether events come in the order of their times or after a later one.
    """

    def gap(pause: float, seconds: float | None = None) -> float:
        first, second = (start(100, "a"), end(200, "a")), (start(200 + pause), end(300 + pause, seconds=seconds))
        return run_of(*before, *first, *second).gap_seconds

    assert [gap(0), gap(60), gap(60.5)] == [0, 60, 0]
    assert [gap(0, 100), gap(0, 40), gap(0, 39.5), gap(0, 130)] == [0, 60, 0, 0]
    assert run_of(start(100, "a"), end(110, "a", seconds=1), start(150), end(151)).gap_ratio == 1.0


def test_warning_options_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Known options are counted on by name, further ones as other, and of further steps none."""
    monkeypatch.setattr(aggregates, "MAX_FLAGS", 1)
    monkeypatch.setattr(aggregates, "MAX_FLAGGED", 2)
    run = run_of(*(event for n in range(3) for event in (start(n + 1, f"{n}"), end(n + 2, f"{n}"))))
    apply_all(run, [at(9, f"{n}", warning_flags={"-Wa": 1, "-Wb": 2, "-Wc": 4}) for n in range(3)])
    assert run.flag_sums == {"-Wa": 2, "other": 12}
    assert set(run.warning_flags) == {("p", "0"), ("p", "1")}


def test_pace_over_steps() -> None:
    """Taken over planned: 700 seconds for 300."""
    seconds = (100, 200, 400)
    steps = [event for n, each in enumerate(seconds) for event in (start(n, f"{n}"), end(n + 1, f"{n}", seconds=each))]
    run = run_of(plan({f"{n}": 100 for n in range(3)}), *steps)
    assert run.pace.ratio == pytest.approx(700 / 300)
    sbu = [e.PlannedStep(phase="p", step=name, sbu=each) for name, each in (("0", 1.0), ("1", 4.0), ("x", None))]
    run = run_of(e.Plan(time=0, **B, steps=sbu), *steps[:4], start(8, "x"), end(9, "x"))
    assert run.seconds_per_sbu == 60.0


def test_a_build_that_nobody_ended_stopped_with_its_last_failure() -> None:
    """While anything runs it has not; the newest of several failures is when it came to a standstill."""
    events = [start(1, "a"), start(2, "b"), end(5, "a", "failed"), end(9, "b", "failed")]
    assert [run_of(*events[:n]).stopped for n in (2, 3, 4)] == [None, None, 9]
    repaired = run_of(*events, start(30, "b"), end(34, "b", status="failed"), start(40, "b"), end(45, "b"))
    assert repaired.stopped == 45
    assert run_of(*events, over(20, "failed")).stopped == 20


def test_a_build_waits_for_a_person_until_something_happens() -> None:
    """The newest note says so, with nothing after it and nothing running."""
    note = e.Note(time=5, **B, message="waiting-for-input: disk 2")
    assert run_of(start(1), end(2), note).waiting_for == "disk 2"
    for events in ((start(1), note), (start(1), end(6), note), (note, over(9)), (e.Note(time=9, **B, message="disk"),)):
        assert run_of(*events).waiting_for is None


def test_only_steps_to_come_are_blocked() -> None:
    """What already runs or is done is not held up by a failure behind it."""
    waiting = needs({name: ["s"] for name in ("done", "runs", "waits")})
    run = run_of(waiting, start(1, "done"), end(2, "done"), start(3, "runs"), start(4))
    assert run.blocked() == []
    apply_all(run, [end(5, status="failed")])
    assert [step.step for step in run.blocked()] == ["waits"]
    run = run_of(needs({"s": [], "last": ["first"], "first": ["s"]}), start(1), end(2, status="failed"))
    assert [step.step for step in run.blocked()] == ["last", "first"], "in the plan's order"


def test_a_step_that_failed_after_all_takes_nothing_from_the_bar_of_its_phase() -> None:
    """Both steps were done; the late news of one that had failed leaves the bar where it was, short of its end."""
    events = [plan({"a": 10, "b": 10}), start(1, "a"), end(2, "a"), start(3, "b"), end(4, "b"), end(5, "a", "failed")]
    run = run_of(*events)
    assert phases_progress(run, 6)[0][1] == CEILING
