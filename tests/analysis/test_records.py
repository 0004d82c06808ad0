"""Noise and fit on recorded runs of one public CI; skipped where those records are not there."""

from __future__ import annotations

import copy
import os
from pathlib import Path

import pytest

from build_exporter.analysis.differences import differences
from build_exporter.analysis.fit import fit_disk
from build_exporter.analysis.samples import identity
from build_exporter.model import events as e
from build_exporter.sources.jhalfs.report import JhalfsReports
from build_exporter.sources.protocol import Settings
from build_exporter.tracker import Run, Step, apply, apply_all, summarise

LEAST_RUNS = 4


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    """The recorded runs with -j3, oldest first."""
    records = Path(os.environ.get("BUILD_RECORDS", "/nonexistent")) / "jhalfs" / "jhalfs-ci"
    if not records.is_dir():
        pytest.skip("no build records here (BUILD_RECORDS)")
    found = []
    for path in records.glob("*.report"):
        run = Run("lfs", "")
        apply_all(run, [reported.event for reported in JhalfsReports(Settings(path, "lfs")).poll(0.0)])
        if run.jobs == 3:
            found.append(run)
    found.sort(key=lambda run: run.start or 0.0)
    for place, run in enumerate(found):
        run.run = f"202601{place:02}T000000Z"
    return found


def test_fewer_than_one_false_regression_a_run(runs: list[Run]) -> None:
    """Over two years of real runs, with new packages each fortnight, few steps are called slower without a reason."""
    history = [summarise(run) for run in runs]
    found = [
        each.step
        for place, run in enumerate(runs)
        for each in differences(run, history[:place]).differences
        if each.is_regression
    ]
    assert len(found) < 0.2 * len(runs), found


def test_a_step_made_slower_is_found_within_two_runs(runs: list[Run]) -> None:
    """Each step of half a minute or more, made 30 % slower from some run on, is reported in that run or the next."""
    history = [summarise(run) for run in runs]
    tried, missed = 0, []
    for place in range(LEAST_RUNS, len(runs) - 1, 12):
        first, second = runs[place], runs[place + 1]
        for key, step in first.steps.items():
            later = next((s for s in second.steps.values() if identity(s.key) == identity(key)), None)
            if later is None or (step.seconds or 0) < 30 or later.version != step.version:
                continue
            tried += 1
            slow, slow_later = _with(first, step, 1.3), _with(second, later, 1.3)
            earlier = [*history[:place], summarise(slow)]
            found = differences(slow, earlier[:-1]).differences + differences(slow_later, earlier).differences
            if not any(each.ratio > 1 and identity((each.phase, each.step)) == identity(key) for each in found):
                missed.append(f"{step.step} in {place}")
    assert tried > 60
    assert len(missed) <= 0.02 * tried, missed


def _with(run: Run, step: Step, factor: float) -> Run:
    """Return the run with one step so many times as long."""
    changed = copy.copy(step)
    changed.seconds = (step.seconds or 0.0) * factor
    other = copy.copy(run)
    other.steps = {**run.steps, step.key: changed}
    return other


@pytest.mark.parametrize(("share", "too_small"), [(0.9, True), (1.1, False)])
def test_a_disk_too_small_on_paper(runs: list[Run], share: float, too_small: bool) -> None:
    """A disk 10 % too small is reported at least one step before the one that fails, one with 10 % to spare never."""
    history = [summarise(run) for run in runs]
    for place in range(1, len(runs), 3):
        steps = [step for step in runs[place].steps.values() if step.disk_before_bytes is not None]
        levels = [
            (step.disk_before_bytes or 0, (step.disk_before_bytes or 0) + (step.disk_bytes or 0)) for step in steps
        ]
        capacity = levels[0][0] + share * (max(end for _, end in levels) - levels[0][0])
        failing = next((number for number, (_, end) in enumerate(levels) if end > capacity), len(steps))
        reports = []
        run = Run("lfs", "29990101T000000Z")
        plan = [e.PlannedStep(phase=step.phase, step=step.step, package=step.package) for step in steps]
        apply(run, e.Plan(time=1.0, build="lfs", steps=plan))
        for number, step in enumerate(steps[:failing]):
            apply(run, e.StepStarted(time=2.0 * number + 2, build="lfs", phase=step.phase, step=step.step))
            free = round(capacity - levels[number][0])
            reports += [each.step for each in fit_disk(run, history[:place], free, 2.0 * number + 2).shortages]
            apply(run, e.StepFinished(time=2.0 * number + 3, build="lfs", phase=step.phase, step=step.step,
                                      status="succeeded", disk_bytes=step.disk_bytes,
                                      disk_before_bytes=step.disk_before_bytes))  # fmt: skip
        if too_small:
            assert steps[failing].step in reports, f"run {place}"
        else:
            assert reports == [], f"run {place}"
