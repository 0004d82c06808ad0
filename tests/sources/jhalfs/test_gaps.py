"""The time between the steps' own seconds: unpacking, measuring the disk, listing what was installed."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import msgspec
import pytest

from build_exporter.estimate import remaining
from build_exporter.model import events as e
from build_exporter.sources.jhalfs.source import Jhalfs
from build_exporter.sources.protocol import Settings
from build_exporter.tracker import Run, apply_all


def reported(tree: Path) -> list[e.Event]:
    """Return what a tree shows, with the seconds that each step really took as the plan."""
    events = [reported.event for reported in Jhalfs(Settings(tree)).poll(time.time(), over=True)]
    whole = Run("b", "r")
    apply_all(whole, events)
    taken = {key: step.seconds or 0.5 for key, step in whole.steps.items()}
    return [
        msgspec.structs.replace(
            event,
            steps=[
                msgspec.structs.replace(step, expected_seconds=taken[step.phase, step.step]) for step in event.steps
            ],
        )
        if isinstance(event, e.Plan)
        else event
        for event in events
    ]


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_time_between_steps_counts_in_what_is_left(records: Path, share: float) -> None:
    """Were every step's own time known, the end of nine real builds would be reported within a percent."""
    errors = []
    for tree in sorted((records / "jhalfs/alfs-sysroot").iterdir()):
        events = reported(tree)
        start, end = min(event.time for event in events), max(event.time for event in events)
        now = start + share * (end - start)
        run = Run("b", "r")
        apply_all(run, [event for event in events if event.time <= now])
        assert 0.01 < run.gap_seconds / (now - start) < 0.05
        estimate = remaining(run, now)
        assert estimate is not None
        errors.append((now + estimate.middle - end) / (end - now))
    assert abs(statistics.median(errors)) < 0.01
