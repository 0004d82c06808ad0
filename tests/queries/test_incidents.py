"""Which incidents stand: a build that failed, steps that failed while it goes on, and the number of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from build_exporter.monitor import Monitor
from build_exporter.queries.incidents import Incident, Kind, incidents

START = 1.78e9


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
