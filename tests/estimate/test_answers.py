"""The estimate as the API answers it, the metric of how good estimates were, and the estimate of a plan."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import story
from story import serial

from build_exporter.cli.plan_estimate import _here
from build_exporter.collectors.builds import BuildCollector
from build_exporter.estimate import Accuracy, Estimator
from build_exporter.model import events as e
from build_exporter.monitor import Monitor
from build_exporter.queries.context import Context
from build_exporter.queries.estimate import estimate
from build_exporter.tracker import Tracker

STEPS = (("a", 100.0), ("b", 300.0), ("c", 200.0))


def run_lines(start: float, count: int = 3) -> list[e.Event]:
    """Return a run of so many steps; with less than all the next one runs."""
    if count == len(STEPS):
        return serial(STEPS, start, jobs=4)
    found = serial(STEPS[:count], start, None, jobs=4)
    return [*found, story.start(found[-1].time, STEPS[count][0])]


@pytest.fixture
def tracker() -> Tracker:
    """Three runs, and a fourth whose second step runs."""
    tracker = Tracker()
    for day in (1, 2, 3):
        tracker.feed("b", f"2026010{day}T000000Z", run_lines(86_400.0 * day))
    tracker.feed("b", "20260104T000000Z", run_lines(400_000.0, 1))
    return tracker


def test_the_answer_has_end_basis_and_steps(tracker: Tracker) -> None:
    """Whoever asks learns when it ends, why, and what each step to come should take."""
    context = Context(tracker.builds, 400_130.0, estimate=Estimator(tracker.builds), accuracy=Accuracy(tracker.builds))
    for _ in range(3):
        answer = estimate(context, "b")
    assert answer.remaining_seconds is not None
    assert answer.end is not None
    assert answer.remaining_seconds.p50 == pytest.approx(470.0, rel=0.02)
    assert answer.end.p50 == pytest.approx(400_130.0 + 470.0, abs=10.0)
    assert answer.basis == "3 earlier runs of this build, 1 finished step"
    assert [(step.step, step.state) for step in answer.steps] == [("b", "running"), ("c", "pending")]
    assert answer.steps[0].elapsed_seconds == pytest.approx(30.0)
    assert answer.longest[0].step == "b"
    assert answer.accuracy is not None
    assert answer.accuracy.runs == 2
    assert answer.accuracy.median_abs_error_ratio["0.5"] < 0.02


def test_without_an_estimate_the_answer_says_why(tracker: Tracker) -> None:
    """A run that is over, and one whose steps to come nobody knows, say so."""
    tracker.feed("other", "20260101T000000Z", [e.StepStarted(time=1.0, build="other", phase="p", step="x")])
    context = Context(tracker.builds, 5.0, estimate=Estimator(tracker.builds))
    assert estimate(context, "other").basis == "the steps to come are not known"
    tracker.feed("other", "20260101T000000Z", [e.BuildFinished(time=2.0, build="other", status="failed")])
    answer = estimate(context, "other")
    assert (answer.remaining_seconds, answer.basis) == (None, "the run has ended: failed")


def test_the_exporter_shows_how_good_its_estimates_were(tmp_path: Path) -> None:
    """Error and coverage over the last runs are metrics, worked out a run a scrape."""
    for day in (1, 2, 3):
        path = tmp_path / "b" / f"2026010{day}T000000Z.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"".join(map(e.encode_line, run_lines(1.78e9 + 86_400.0 * day))))
    monitor = Monitor(str(tmp_path))
    monitor.poll()
    for _ in monitor.read_history():
        pass
    collector = BuildCollector(monitor, 10)
    for _ in range(3):
        families = {family.metric.name: family for family in collector.collect()}
    assert {"build_estimate_error_ratio", "build_estimate_band_coverage_ratio"} <= families.keys()


def test_a_plan_is_estimated_before_its_first_step(tmp_path: Path, command: Callable[..., Any]) -> None:
    """Total with band, what it rests on and the longest steps, for people and programs."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "phases:\n  - phase: p\n    steps:\n      - {step: a, seconds: 60}\n      - {step: b, seconds: 15m}\n"
    )
    words = ("plan", "yaml", str(plan), "--estimate", "--jobs", "4", "--journal", str(tmp_path / "none"))
    found = json.loads(command(*words, "--output", "json").stdout)["estimate"]
    assert found["seconds"]["50"] == pytest.approx(960.0, rel=0.01)
    assert found["seconds"]["10"] < 960.0 < found["seconds"]["90"]
    assert [step["step"] for step in found["longest"]] == ["b", "a"]
    assert found["basis"] == "the plan's figures, no finished step yet"
    assert "Estimate at -j4: 16 min 00 s" in command(*words).stdout


def test_a_plan_in_sbu_on_an_unknown_machine_is_unsure_by_its_speed(
    tmp_path: Path, command: Callable[..., Any]
) -> None:
    """An SBU is taken for 140 s and the basis says so; the band has machines half and twice as fast or nearly."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "phases:\n  - phase: p\n    steps:\n" + "".join(f"      - {{step: s{n}, sbu: 1}}\n" for n in range(20))
    )
    words = ("plan", "yaml", str(plan), "--estimate", "--journal", str(tmp_path / "none"), "--output", "json")
    found = json.loads(command(*words).stdout)["estimate"]
    low, middle, high = (found["seconds"][each] for each in ("10", "50", "90"))
    assert middle == pytest.approx(2800.0, rel=0.01)
    assert 1.8 < middle / low < 2.2
    assert 1.8 < high / middle < 2.2
    assert "140 s for an SBU, assumed, as this machine has shown none yet" in found["basis"]
    of: dict[str, Any] = {"build": "lfs", "phase": "p", "step": "x"}
    lfs = [
        _here(1000.0, "lfs"),
        e.Plan(time=1000.0, build="lfs", steps=[e.PlannedStep(phase="p", step="x", sbu=1.0)]),
        e.StepStarted(time=1001.0, **of),
        e.StepFinished(time=1078.0, status="succeeded", **of),
        e.BuildFinished(time=1079.0, build="lfs", status="succeeded"),
    ]
    (tmp_path / "none/lfs").mkdir(parents=True)
    (tmp_path / "none/lfs/20260101T000000Z.jsonl").write_bytes(b"".join(map(e.encode_line, lfs)))
    assert "77 s for an SBU, as here before" in json.loads(command(*words).stdout)["estimate"]["basis"]


def test_a_plan_is_not_estimated_by_nothing(tmp_path: Path, command: Callable[..., Any]) -> None:
    """No number is made up."""
    plan = tmp_path / "plan.yaml"
    plan.write_text("phases:\n  - phase: p\n    steps:\n      - {step: a}\n")
    words = ("plan", "yaml", str(plan), "--estimate", "--journal", str(tmp_path))
    assert "Estimate: none" in command(*words).stdout
