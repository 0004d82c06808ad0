"""Whether coming steps fit: against free disk and memory, before they start."""

from __future__ import annotations

import pytest
from tests.analysis.conftest import MakeRun

from build_exporter.analysis.fit import fit_disk, fit_memory
from build_exporter.model import events as e
from build_exporter.tracker import RunSummary, apply_all, summarise

GB = 10**9
PLAN = [e.PlannedStep(phase="p", step=name, expected_seconds=60.0) for name in ("a", "b", "c")]


@pytest.fixture
def history(make_run: MakeRun) -> list[RunSummary]:
    """One run: `a` needs 2 GB and leaves 1, `b` needs 5 GB and leaves none, `c` needs 4 GB."""
    figures = {
        "p/a": {"seconds": 60.0, "disk_bytes": 2 * GB, "disk_before_bytes": 10 * GB, "max_rss_bytes": GB},
        "p/b": {"seconds": 60.0, "disk_bytes": 5 * GB, "disk_before_bytes": 11 * GB, "max_rss_bytes": 2 * GB},
        "p/c": {"seconds": 60.0, "disk_bytes": 4 * GB, "disk_before_bytes": 11 * GB, "max_rss_bytes": GB},
    }
    return [summarise(make_run(figures, "20260101T000000Z"))]


@pytest.mark.parametrize(("free", "short"), [(6.0, []), (5.9, ["b"]), (4.9, ["b", "c"])])
def test_the_first_step_that_will_not_fit(
    make_run: MakeRun, history: list[RunSummary], free: float, short: list[str]
) -> None:
    """`b` needs 5 GB after `a` has kept 1 GB: 6 GB are enough, less is reported before `a` has begun."""
    found = fit_disk(make_run({}, plan=PLAN, over=False), history, round(free * GB), 1000.0)
    assert [each.step for each in found.shortages] == short
    if short:
        first = found.shortages[0]
        assert (first.short_bytes, first.in_seconds, first.basis) == (round((6 - free) * GB), 60.0, "history")
    assert (found.steps, found.known_steps, found.largest_bytes) == (3, 3, 5 * GB)


def test_a_run_in_which_nothing_succeeded_tells_nothing(make_run: MakeRun) -> None:
    """A history of one failed step neither breaks the account nor says anything."""
    failed = summarise(make_run({"p/a": {"seconds": 60.0, "status": "failed"}}))
    assert fit_disk(make_run({}, plan=PLAN, over=False), [failed], GB, 1000.0).known_steps == 0


def test_own_measurement_scales_what_history_says(make_run: MakeRun, history: list[RunSummary]) -> None:
    """Where this run's `a` needed 1.5 times what history says, so will `b`: 7.5 GB."""
    run = make_run({"p/a": {"seconds": 60.0, "disk_bytes": 3 * GB}}, plan=PLAN, over=False)
    found = fit_disk(run, history, 7 * GB, 1060.0)
    assert [(each.step, each.needed_bytes) for each in found.shortages] == [("b", round(7.5 * GB))]


def test_what_a_running_step_has_taken_is_not_taken_twice(make_run: MakeRun, history: list[RunSummary]) -> None:
    """Half of `b` has used half of its 5 GB: 2.5 GB free are enough for the rest of it."""
    run = make_run({"p/a": {"seconds": 60.0}}, plan=PLAN, over=False)
    apply_all(
        run,
        [
            e.StepStarted(time=1060.0, build="lfs", phase="p", step="b"),
            e.StepProgress(time=1070.0, build="lfs", phase="p", step="b", ratio=0.5),
        ],
    )
    assert fit_disk(run, history, round(2.5 * GB), 1070.0).shortages == []
    assert [each.step for each in fit_disk(run, history, round(2.4 * GB), 1070.0).shortages] == ["b"]


def test_the_plan_tells_where_history_does_not(make_run: MakeRun) -> None:
    """On the first run the book's figure is what a step is held to."""
    plan = [e.PlannedStep(phase="p", step="a", disk_bytes=3 * GB)]
    (found,) = fit_disk(make_run({}, plan=plan, over=False), [], 2 * GB, 1000.0).shortages
    assert (found.basis, found.short_bytes, found.in_seconds) == ("plan", GB, 0.0)


@pytest.mark.parametrize(("jobs", "short"), [(4, []), (8, ["b"])])
def test_more_jobs_need_more_memory(make_run: MakeRun, history: list[RunSummary], jobs: int, short: list[str]) -> None:
    """`b` peaked at 2 GB with -j4, so -j8 needs 4 GB; the advice is the -j that fits."""
    found = fit_memory(make_run({}, plan=PLAN, over=False, jobs=jobs), history, 3 * GB, 1000.0)
    assert [each.step for each in found.shortages] == short
    if short:
        assert "-j6 instead of -j8" in found.shortages[0].advice
