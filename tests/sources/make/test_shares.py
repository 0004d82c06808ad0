"""The run before as a measure of the next: directories built side by side share the time that passed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.model.states import StepState
from build_exporter.sources.make.history import distribute_seconds
from build_exporter.tracker import Step
from build_exporter.tracker.progress import build_progress

BEGAN = 1767400000


def step(name: str, start: float, seconds: float | None) -> Step:
    """Return a step that has succeeded."""
    return Step("build", name, 0, state=StepState.SUCCEEDED, start=start, seconds=seconds)


def console(began: int) -> list[str]:
    """Return the dated console of a build of 100 s: `big` and `small` side by side, then `last` alone.

    For 60 s `big` compiles a file a second, from 20 to 40 s `small` one in two; then `last` one in four.
    """
    lines: list[tuple[int, str]] = [(0, "make -C big"), (0, "make[1]: Entering directory '/p/big'")]
    for second in range(100):
        if second == 20:
            lines += [(second, "make -C small"), (second, "make[1]: Entering directory '/p/small'")]
        if second == 40:
            lines.append((second, "make[1]: Leaving directory '/p/small'"))
        if second == 60:
            lines.append((second, "make[1]: Leaving directory '/p/big'"))
            lines += [(second, "make -C last"), (second, "make[1]: Entering directory '/p/last'")]
        if second < 60:
            lines.append((second, f"gcc -c big{second}.c"))
        if 20 <= second < 40 and second % 2 == 0:
            lines.append((second, f"gcc -c small{second}.c"))
        if second >= 60 and second % 4 == 0:
            lines.append((second, f"gcc -c last{second}.c"))
    lines.append((100, "make[1]: Leaving directory '/p/last'"))
    return [f"[{began + second}] {text}\n" for second, text in lines]


def test_time_side_by_side_is_shared_by_tasks() -> None:
    """Planned seconds add up to the time that passed, and the more a step compiles a second the more of it is its."""
    steps = [step("a", 0, 10), step("b", 5, 10), step("c", 20, 5), step("d", 30, None)]
    tasks = {("build", "a"): 30, ("build", "b"): 10}
    found = distribute_seconds(steps, tasks)
    assert found == pytest.approx({("build", "a"): 8.75, ("build", "b"): 6.25, ("build", "c"): 5.0})
    assert distribute_seconds(steps, {})["build", "a"] == pytest.approx(7.5)
    assert sum(found.values()) == pytest.approx(20)


def test_progress_keeps_with_the_time(follow: Callable[..., Any], tmp_path: Path) -> None:
    """The second run of a build with directories side by side shows a progress within 5 % of its share of time."""
    log = tmp_path / "x.log"
    follower = follow(log)
    log.write_text("".join(console(BEGAN)))
    os.utime(log, (BEGAN + 100, BEGAN + 100))
    follower.poll(BEGAN + 200, over=True)
    assert {key[1]: shape.tasks for key, shape in follower.newest.logs.items()} == {"big": 55, "small": 15, "last": 10}
    again = BEGAN + 1000
    lines = console(again)
    log.unlink()
    follower = follow(log)
    errors, ratios = [], []
    for number, line in enumerate(lines[:-1]):
        with log.open("a") as file:
            file.write(line)
        now = int(line[1:11])
        os.utime(log, (now, now))
        follower.poll(now)
        if number == len(lines) // 2:
            follower.restart()
            follower.poll(now)
        if len(follower.runs()) < 2:
            # nothing is at work yet
            continue
        progress = build_progress(follower.newest, now)
        assert progress is not None
        errors.append(progress - (now - again) / 100)
        big = follower.newest.steps["build", "big"]
        if big.state is StepState.RUNNING and big.ratio is not None:
            ratios.append(big.ratio)
    assert len(errors) > 80
    assert max(map(abs, errors)) < 0.05
    assert ratios == sorted(ratios)
    assert len(set(ratios)) > 30
    planned = [found.expected_seconds for found in follower.newest.steps.values() if found.planned]
    assert sum(seconds or 0 for seconds in planned) == pytest.approx(100, abs=1)
