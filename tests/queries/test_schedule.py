"""When the steps to come should begin: one after the other, or side by side as the run does them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.estimate import Estimate, Estimator
from build_exporter.monitor import Monitor
from build_exporter.queries.context import Context
from build_exporter.queries.schedule import schedule

START = 1.78e9


def test_steps_of_a_parallel_run_are_drawn_on_its_lanes(journal: Path, run_file: Callable[..., Any]) -> None:
    """Two run at once: the next begins when the first of them is done, what needs another waits for it."""
    run = run_file(clock=START)
    plan = [{"phase": "p", "step": name, "expected_seconds": 100.0} for name in "abcde"]
    plan[4]["after"] = ["d"]
    run.add("plan", after=0, steps=plan)
    run.add("step_started", after=0, phase="p", step="a")
    run.add("step_started", after=50, phase="p", step="b")
    monitor = Monitor(str(journal))
    monitor.poll()
    now = START + 50
    context = Context(monitor.tracker.builds, now, estimate=Estimator(monitor.tracker.builds))
    build = monitor.tracker.builds["lfs"].current
    assert build is not None
    planned = schedule(context, build)
    left = context.estimate(build, now)
    assert left is not None
    # a has 50 s left, b 100 s: c begins after 50, d after 100, e after d at 200, and ends after 300
    pace = left.middle / 300
    begins = {key[1]: round((begin - now) / pace) for key, (begin, _) in planned.items()}
    assert begins == {"c": 50, "d": 100, "e": 200}
    assert round(max(end for _, end in planned.values()) - now - left.middle, 3) == 0


def test_steps_one_after_the_other_share_what_is_left_of_the_time(builder: Callable[..., Any]) -> None:
    """What runs has the time that theirs does not need; where that is more than is left they are shorter."""
    build = builder()
    build.add("plan", steps=[{"phase": "p", "step": name} for name in "abc"])
    build.add("step_started", phase="p", step="a")
    run = build.tracker.builds["lfs"].current
    for left, begins in ((250.0, (50, 150, 250)), (200.0, (0, 100, 200)), (100.0, (0, 50, 100))):
        context = build.context(
            estimate=lambda run, now, left=left: Estimate(1.0, left, 900.0), expected=lambda *_: 100.0
        )
        planned = schedule(context, run)
        assert [begin - context.now for begin, _ in planned.values()] == pytest.approx(begins[:2])
        assert [end - context.now for _, end in planned.values()] == pytest.approx(begins[1:])
    build.add("build_finished", status="failed")
    assert schedule(context, run) == {}
