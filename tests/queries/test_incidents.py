"""Which incidents stand: a build that failed, steps that failed while it goes on, and the number of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.monitor import Monitor
from build_exporter.queries.alerts import alerts
from build_exporter.queries.incidents import Incident, Kind, context_words, incidents, tier_times
from build_exporter.tracker.alerts import Answer

START = 1.78e9
SECRET = {"message": "cannot log in: password=hunter2hunter2"}


def standing(journal: Path, after: float) -> list[Incident]:
    """Return the incidents so many seconds after the start, tiers after 10 and 20 seconds."""
    monitor = Monitor(str(journal))
    monitor.poll()
    return incidents(monitor.tracker.builds.values(), (10.0, 20.0), START + after)


def test_a_step_that_fails_beside_others_is_a_warning_of_its_own(journal: Path, run_file: Callable[..., Any]) -> None:
    """With `make -k` and the like each failed step is reported once, without tiers, and until it is tried again."""
    run = run_file(clock=START)
    for step in ("a", "b", "c"):
        run.add("step_started", after=1, phase="p", step=step)
    # two steps end at the same time, as in a log with seconds
    run.add("step_finished", after=7, phase="p", step="a", status="failed", error_class="linker-error", message="ld: x")
    run.add("step_finished", after=0, phase="p", step="b", status="failed")
    found = standing(journal, 500)
    assert [(each.kind, each.step, each.severity, each.tier) for each in found] == [
        (Kind.STEP_FAILED, "p / a", "warning", 1),
        (Kind.STEP_FAILED, "p / b", "warning", 1),
    ]
    assert found[0].description == "Build lfs: p / a failed (linker-error): ld: x"
    assert len({each.failure for each in found}) == 2
    run.add("step_started", phase="p", step="a")
    assert [each.step for each in standing(journal, 500)] == ["p / b"]


def test_a_builder_that_went_on_before_has_a_minute_until_it_counts_as_failed(
    journal: Path, run_file: Callable[..., Any]
) -> None:
    """A pause between two steps pages nobody; the end of the run does at once, and else a minute of nothing."""
    run = run_file(clock=START)
    run.step("p", "a", seconds=10, status="failed")
    assert [each.kind for each in standing(journal, 11)] == [Kind.FAILED], "it never went on: at once"
    run.step("p", "b", seconds=10)
    assert [each.kind for each in standing(journal, 81.9)] == [Kind.STEP_FAILED]
    later = standing(journal, 82)
    assert [(each.kind, each.since) for each in later] == [(Kind.STEP_FAILED, START + 11), (Kind.FAILED, START + 82)]
    run.add("build_finished", after=1, status="failed")
    over = standing(journal, 23)
    assert [(each.kind, each.since) for each in over] == [(Kind.FAILED, START + 23)]
    assert over[0].failure == later[1].failure


def test_a_build_that_stands_still_names_each_failed_step_once(journal: Path, run_file: Callable[..., Any]) -> None:
    """Two steps that failed one after the other are two alerts; over for good, the build is described by the first."""
    run = run_file(clock=START)
    for step in ("a", "b"):
        run.step("p", step, seconds=10, status="failed", message=f"no {step}.h")
    assert [(each.kind, each.description) for each in standing(journal, 300)] == [
        (Kind.STEP_FAILED, "Build lfs: p / a failed (other): no a.h"),
        (Kind.FAILED, "Build lfs failed at p / b, the newest of 2 failed steps (other): no b.h"),
    ]
    run.add("build_finished", status="failed")
    assert [(each.kind, each.description) for each in standing(journal, 300)] == [
        (Kind.FAILED, "Build lfs failed at p / a, the first of 2 failed steps (other): no a.h"),
    ]


def test_hundreds_of_failed_steps_are_twenty_incidents(journal: Path, run_file: Callable[..., Any]) -> None:
    """`make -k` in a broken tree sends no hundred messages; the first failures are reported."""
    run = run_file(clock=START)
    for number in range(100):
        run.step("p", f"s{number:03}", seconds=1, status="failed")
    run.add("step_started", phase="p", step="last")
    found = standing(journal, 300)
    assert [each.step for each in found] == [f"p / s{number:03}" for number in range(20)]


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
    assert [each.since - build.clock for each in found] == [20.0 if "note" in event["event"] else 0.0] * len(kinds)


@pytest.mark.parametrize(("log", "message", "due"), [("/l", None, True), ("/l", "x", False), (None, None, False)])
def test_a_reason_is_due_where_a_log_may_hold_it(
    builder: Callable[..., Any], log: str | None, message: str | None, due: bool
) -> None:
    """Of a step that failed, and of one that failed while others run, as long as nothing is known of why."""
    build = builder()
    build.add("step_started", phase="p", step="a", log=log)
    build.add("step_finished", phase="p", step="a", status="failed", message=message)
    for going_on in (False, True):
        (found,) = incidents(build.tracker.builds.values(), (), build.clock)
        assert (found.kind is Kind.STEP_FAILED, found.is_reason_due) == (going_on, due)
        build.add("step_started", phase="p", step="b")


def test_a_failed_build_is_described_by_its_first_failure(builder: Callable[..., Any]) -> None:
    """The step that failed first is the cause; the number is the time of the last, 20 s after 20:26:40."""
    build = builder()
    build.step("p", "a", status="failed", error_class="killed")
    build.step("p", "b", status="failed", error_class="test-failure")
    build.add("build_finished", status="failed")
    (found,) = incidents(build.tracker.builds.values(), (), build.clock)
    assert (found.step, found.failure_class, found.failure) == ("p / a", "killed", "20260528T202700.000Z")
    assert found.description == "Build lfs failed at p / a, the first of 2 failed steps (killed)."


def test_an_incident_has_no_secret(builder: Callable[..., Any]) -> None:
    """Neither of what a log said nor of what is asked; beside them how far the build is."""
    build = builder()
    build.step("p", "a")
    build.step("p", "b", status="failed", **SECRET)
    build.add("note", message="waiting-for-input: password=hunter2hunter2")
    failed, waiting = incidents(build.tracker.builds.values(), (), build.clock + 99)
    assert (failed.kind, failed.excerpt) == (Kind.FAILED, "cannot log in: password=***")
    assert failed.description == "Build lfs failed at p / b (other): cannot log in: password=***"
    assert waiting.description == "Build lfs waits until a person answers: password=***."
    assert context_words(build.tracker.builds["lfs"].current, failed)["progress"] == "1 step done."
    other = builder(build="other")
    other.tracker, other.clock = build.tracker, build.clock + 9
    other.step("p", "c", status="failed")
    assert [(row.build, row.alert) for row in alerts(other.context(99)).alerts] == [
        ("lfs", "BuildWaitingForInput"), ("other", "BuildFailed"), ("lfs", "BuildFailed"),
    ], "the newest first"  # fmt: skip


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
