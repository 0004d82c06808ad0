"""The rows of the query commands, figure by figure, of a run worked out by hand, and both sides of each filter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from build_exporter.queries import steps as rows_of
from build_exporter.queries.commands import find
from build_exporter.queries.context import BadRequestError
from build_exporter.queries.incidents import Kind, incidents, tier_times
from build_exporter.queries.request import Reply
from build_exporter.queries.steps import StepFilter, steps
from build_exporter.tracker.alerts import Answer

START = 1.78e9
SECRET = {"message": "cannot log in: password=hunter2hunter2"}
PLANNED = {"a": 100.0, "b": 50.0, "c": 50.0, "d": 50.0}


@pytest.fixture
def story(builder: Callable[..., Any]) -> Any:
    """A took its 100 s, b failed after 60 s and took 61 s of its 50, c failed, d runs since 291 s after it began anew.

    With 161 s for 150 planned the steps after b should take 161 / 3 s, which is 53.67 s.
    """
    build = builder()
    build.add("build_started", after=0.0)
    plan = [{"phase": "q" if step == "d" else "p", "step": step, "expected_seconds": PLANNED[step]} for step in PLANNED]
    build.add("plan", after=0.0, steps=plan)
    build.step("p", "a", seconds=100, message="done")
    build.step("p", "b", seconds=60, status="failed", error_class="test-failure", **SECRET)
    build.step("p", "b", seconds=61)
    build.step("p", "c", seconds=60, status="failed", error_class="killed", **SECRET)
    build.add("step_started", after=0.0, phase="q", step="d")
    build.add("step_started", after=10.0, phase="q", step="d")
    return build


def ask(
    build: Any, name: str, *, within: tuple[float, float] | None = None, after: float = 120.0, **wanted: Any
) -> Any:
    """Return a query's reply two minutes after the newest event; a window is in seconds from the start."""
    reply: Reply = find(name).run(build.request(after, within, wanted))
    return reply


def test_tasks_have_the_figures_of_the_newest_attempt(story: Any) -> None:
    """State, attempts, times, progress of what runs, words of what failed and of nothing else, without secrets."""
    rows = {
        row.step: (row.state, row.attempts, row.start - START, row.seconds, row.error_class, row.message)
        for row in ask(story, "tasks").rows
    }
    assert rows == {
        "a": ("succeeded", 1, 0, 100, None, None),
        "b": ("succeeded", 2, 160, 61, None, None),
        "c": ("failed", 1, 221, 60, "killed", "cannot log in: password=***"),
        "d": ("running", 2, 291, 120, None, None),
    }
    found = {row.step: (row.expected_seconds, row.progress_ratio) for row in ask(story, "tasks").rows}
    assert found["a"] == (100, None)
    assert found["d"] == pytest.approx((161 / 3, 1 - 0.01 / (120 / (161 / 3) - 0.8)))


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({"threshold": 61.0}, "abd"), ({"threshold": 61.5}, "ad"), ({"status": "failed"}, "c"), ({"phase": "q"}, "d"),
        ({"within": (221, 221)}, "bc"), ({"within": (161, 220)}, ""), ({"within": (160, 160), "phase": "p"}, "b"),
    ],
)  # fmt: skip
def test_tasks_on_both_sides_of_each_filter(story: Any, wanted: dict[str, Any], names: str) -> None:
    """At least so many seconds, of a state, of a phase, begun or ended in a window, its first and last moment too."""
    assert "".join(row.step for row in ask(story, "tasks", **wanted).rows) == names


def test_errors_are_the_failed_attempts(story: Any) -> None:
    """The newest first, critical while the step still fails, with their class and words, without secrets."""
    reply = ask(story, "errors")
    assert [(row.step, row.time - START, row.attempt, row.severity, row.error_class) for row in reply.rows] == [
        ("c", 281, 1, "critical", "killed"),
        ("b", 160, 1, "warning", "test-failure"),
    ]
    assert {row.message for row in reply.rows} == {"cannot log in: password=***"}
    filtered: tuple[tuple[dict[str, Any], str, bool], ...] = (
        ({}, "cb", True), ({"severity": "warning"}, "b", False), ({"class": "killed"}, "c", True),
        ({"within": (161, 281)}, "c", True), ({"within": (160, 280)}, "b", False), ({"within": (161, 280)}, "", False),
    )  # fmt: skip
    for wanted, names, bad in filtered:
        reply = ask(story, "errors", **wanted)
        assert ("".join(row.step for row in reply.rows), reply.bad) == (names, bad), wanted


def test_one_recovery_makes_no_step_flaky(story: Any) -> None:
    """In one run nothing repeats and nothing is flaky; what failed and came right took 61 s for it."""
    rows = {row.step: row for row in ask(story, "failing-steps").rows}
    assert {step: (row.pattern, row.open, row.recovered, row.recovery_seconds) for step, row in rows.items()} == {
        "b": ("once", False, 1, 61.0),
        "c": ("once", True, 0, None),
    }


@pytest.mark.parametrize(
    ("within", "rate"),
    [(None, 2 * 3600 / 411), ((99, 221), 2 * 3600 / 122), ((100, 221), 3600 / 121), ((100, 220), 0.0),
     ((100, 160), 0.0), ((100, 159), None), ((-900, 100), 36.0)],
)  # fmt: skip
def test_speed_counts_what_ended_in_the_time(
    story: Any, within: tuple[float, float] | None, rate: float | None
) -> None:
    """After its first and up to its last moment, from the run's start on; a minute at least; two of five succeeded."""
    (row,) = ask(story, "speed", within=within).rows
    assert row.steps_per_hour_lately == (None if rate is None else pytest.approx(rate))
    assert row.steps_per_hour == pytest.approx(2 * 3600 / 411)
    assert (row.success_ratio, row.concurrency) == (0.4, 1.0)
    assert row.pace_ratio == pytest.approx(161 / 150)
    bad = [ask(story, "speed", within=within, threshold=least).bad for least in (1e6, 1.0)]
    assert bad == [True, rate == 0.0], "no step lately is slow"


def test_a_timeline_has_how_late_each_step_was(story: Any) -> None:
    """By their starts; late is beyond a twentieth of what was expected when it began, or the tolerance given."""
    reply = ask(story, "timeline")
    assert [(row.step, row.start - START, row.end and row.end - START, row.seconds) for row in reply.rows] == [
        ("a", 0, 100, 100), ("b", 160, 221, 61), ("c", 221, 281, 60), ("d", 291, None, 120),
    ]  # fmt: skip
    beyond = [row.deviation_seconds for row in reply.rows]
    assert beyond == pytest.approx([0.0, 11.0, 60 - 161 / 3, 120 - 161 / 3])
    for tolerance, late in ((None, "bcd"), (0.2, "bd"), (0.25, "d"), (9.0, "")):
        rows = ask(story, "timeline", tolerance=tolerance).rows
        assert "".join(row.step for row in rows if row.late) == late
    assert [row.step for row in ask(story, "timeline", within=(160, 221)).rows] == ["b", "c"]


@pytest.mark.parametrize(("deadline", "words", "bad"), [(1e6, "before it", False), (412.0, "after it", True)])
def test_a_timeline_shows_the_side_of_the_deadline(
    builder: Callable[..., Any], deadline: float, words: str, bad: bool
) -> None:
    """A run that ends after its deadline does not end before it."""
    build = builder()
    build.add("build_started", after=0.0, deadline=START + deadline)
    build.add("plan", after=0.0, steps=[{"phase": "p", "step": step, "expected_seconds": 400.0} for step in "ab"])
    build.step("p", "a", seconds=400.0)
    build.add("step_started", phase="p", step="b", after=0.0)
    reply = ask(build, "timeline", after=0.0)
    assert ([words in line for line in reply.lines], reply.bad) == ([True], bad)


def test_history_is_of_the_runs_in_the_window(builder: Callable[..., Any]) -> None:
    """Each run as a whole, or the times of a package; what began before the window is left out."""
    old, new = builder(run="20260101T000000Z"), builder(run="20260102T000000Z")
    new.tracker, old.clock = old.tracker, START - 9000
    for build, seconds in ((old, 30.0), (new, 20.0)):
        build.add("build_started", after=0.0)
        build.step("p", "801-gcc", seconds=seconds)
        build.add("build_finished", after=1.0, status="succeeded")
    for package, times in ((None, [31.0, 21.0]), ("gcc", [30.0, 20.0]), ("glibc", [])):
        assert [row.seconds for row in ask(new, "history", package=package).rows] == times
        assert [row.seconds for row in ask(new, "history", package=package, within=(-8999, 99)).rows] == times[1:]


def test_what_fits_is_asked_of_builds_that_go_on(story: Any) -> None:
    """Disk and memory of a running build, where what is free is known; nothing is to come of one that is over."""
    given: dict[str, Any] = {"free": 2**40, "memory": 2**40}
    assert [each.resource for each in ask(story, "fit", **given).answer.fits] == ["disk", "memory"]
    with pytest.raises(BadRequestError, match="--free and --memory"):
        ask(story, "fit", free=1)
    story.add("build_finished", status="failed")
    assert ask(story, "fit", **given).answer.fits == []


def test_results_of_suites_are_added_up(builder: Callable[..., Any]) -> None:
    """Errors are failures; what was expected to fail, or passed against expectation, is in the total alone."""
    build = builder()
    build.add("step_started", phase="p\x1b[1mq", step="s")
    some = {"passed": 3, "failed": 1, "errors": 2, "skipped": 4, "expected_failed": 8, "unexpected_passed": 16}
    for suite, counts in (("x", some), ("y", {"passed": 5, "failed": 0})):
        build.add("tests_reported", phase="p\x1b[1mq", step="s", suite=suite, **counts)
    for phase in ("p\x1b[1mq", steps(build.context(), "lfs", StepFilter()).steps[0].phase):
        (row,) = steps(build.context(), "lfs", StepFilter(phase=phase)).steps
        assert row.tests == rows_of.TestSums(suites=2, total=39, passed=8, failed=3, skipped=4)
        assert "\x1b" not in row.phase


@pytest.mark.parametrize(
    ("event", "age", "kinds"),
    [
        ({"event": "note", "message": "waiting-for-input: disk 2"}, 19.9, []),
        ({"event": "note", "message": "waiting-for-input: disk 2"}, 20.0, [Kind.WAITING_FOR_INPUT]),
        ({"event": "build_finished", "status": "failed"}, 86399.0, [Kind.FAILED]),
        ({"event": "build_finished", "status": "failed"}, 86400.0, []),
    ],
)
def test_incidents_stand_from_their_limit_on(
    builder: Callable[..., Any], event: dict[str, Any], age: float, kinds: list[Kind]
) -> None:
    """A question that nobody answers for 20 s is one; a build that has been silent for a day is none any more."""
    build = builder()
    build.step("p", "s")
    build.add(**event)
    found = incidents(build.tracker.builds.values(), (), build.clock + age)
    assert [each.kind for each in found] == kinds


@pytest.mark.parametrize(
    ("taken", "sent_on", "now", "tiers"),
    [
        (None, [], 9.9, (0.0,)),
        (None, [], 10.0, (0.0, 10.0)),
        (None, [], 99.0, (0.0, 10.0, 20.0)),
        (15.0, [], 99.0, (0.0, 10.0)),
        (10.0, [], 99.0, (0.0, 10.0)),
        (9.0, [], 99.0, (0.0,)),
        (5.0, [(7.0, 2)], 99.0, (0.0, 7.0)),
        (None, [(4.0, 3)], 5.0, (0.0, 4.0, 4.0)),
        (None, [(12.0, 2)], 12.0, (0.0, 10.0)),
    ],
)
def test_tiers_are_reached_by_time_or_by_a_person(
    taken: float | None, sent_on: list[tuple[float, int]], now: float, tiers: tuple[float, ...]
) -> None:
    """After 10 and 20 s, unless somebody has it by then; whom a person calls is called at once, and those before."""
    answer = None if taken is None else Answer(taken, "BuildFailed", "f", "me", "")
    calls = [Answer(at, "BuildFailed", "f", "me", "", tier) for at, tier in sent_on]
    assert tier_times(0.0, answer, calls, (10.0, 20.0), now) == tiers
