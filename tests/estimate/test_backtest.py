"""The report card: recorded runs lived again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from story import serial

from build_exporter.estimate.backtest import ActiveClock, RecordedRun, Settings, backtest
from build_exporter.model import events as e
from build_exporter.tracker import Run, apply_all

STEPS = (("a", 100.0), ("b", 300.0), ("c", 50.0), ("d", 150.0))


def recorded(day: int, factor: float = 1.0, status: e.BuildStatus = "succeeded", night: float = 0.0) -> RecordedRun:
    """Return a run of four steps; `night` seconds pass before the third."""
    begin = 1_780_000_000.0 + 86_400.0 * day
    events = serial([(name, seconds * factor) for name, seconds in STEPS], begin, status)
    for event in events[5:]:
        event.time += night
    return RecordedRun("b", f"2026010{day}T000000Z", events)


def test_equal_runs_are_predicted_exactly() -> None:
    """A third run like the two before it is known to the second at every mark."""
    *_, last = backtest([recorded(1), recorded(2), recorded(3)], Settings((0.1, 0.5, 0.75)))
    assert last.earlier_runs == 2
    assert last.seconds == pytest.approx(600.0)
    for share, mark in last.marks.items():
        assert mark.remaining_seconds == pytest.approx((1 - share) * 600.0)
        assert mark.predicted_seconds == pytest.approx(mark.remaining_seconds, rel=0.01)
        assert mark.inside_band


def test_an_error_is_a_share_of_the_whole_run() -> None:
    """A run of 1,200 s of which 300 s are predicted where 600 s are left errs by a quarter."""
    *_, last = backtest([recorded(1), recorded(2), recorded(3, factor=2.0)], Settings((0.5,)))
    mark = last.marks[0.5]
    assert mark.predicted_seconds is not None
    assert mark.remaining_seconds == 600.0
    assert mark.error_ratio == pytest.approx((mark.predicted_seconds - 600.0) / 1200.0)


def test_nothing_of_the_future_is_known() -> None:
    """The first run of a build without a plan has no estimate, whatever follows it."""
    first, *_ = backtest([recorded(1), recorded(2)], Settings((0.5,)))
    assert first.marks[0.5].predicted_seconds is None
    assert first.marks[0.5].inside_band is None


def test_history_none_makes_each_run_the_first() -> None:
    """With `--history none` earlier runs say nothing."""
    scored = list(backtest([recorded(1), recorded(2)], Settings((0.5,), "none")))
    assert [run.marks[0.5].predicted_seconds for run in scored] == [None, None]


def test_a_night_is_not_build_time() -> None:
    """Ten hours in which nothing ran move neither the marks nor the error."""
    *_, last = backtest([recorded(1), recorded(2), recorded(3, night=36_000.0)], Settings((0.5, 0.75)))
    assert last.seconds == pytest.approx(600.0)
    # half of the time is 300 s: 200 s into step b
    assert last.marks[0.5].predicted_seconds == pytest.approx(300.0, rel=0.02)
    assert abs(last.marks[0.75].error_ratio or 1.0) < 0.02


@pytest.mark.parametrize(("pause", "counted"), [(899.0, 1499.0), (901.0, 600.0)])
def test_pauses_from_a_quarter_of_an_hour_on_are_left_out(pause: float, counted: float) -> None:
    """A coffee is build time, a lunch is not."""
    run = Run("b", "20260101T000000Z")
    apply_all(run, recorded(1, night=pause).events)
    assert ActiveClock(run).seconds == pytest.approx(counted)


def test_runs_that_failed_are_not_scored_but_their_steps_are() -> None:
    """A run that failed has no end to compare with; what its steps took is known."""
    runs = [recorded(1), recorded(2, status="failed")]
    assert [run.run for run in backtest(runs, Settings((0.5,)))] == ["20260101T000000Z"]
    *_, failed = backtest(runs, Settings((0.5,), steps=True))
    assert failed.marks == {}
    assert [step.step for step in failed.steps] == [name for name, _ in STEPS]
    assert [step.predicted_seconds for step in failed.steps] == pytest.approx([taken for _, taken in STEPS], rel=0.01)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal of three equal runs."""
    for day in (1, 2, 3):
        run = recorded(day)
        path = tmp_path / run.build / f"{run.run}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"".join(e.encode_line(event) for event in run.events))
    return tmp_path


def test_the_command_speaks_json(journal: Path, command: Any) -> None:
    """Runs and summary by mark, as programs read them."""
    answer = json.loads(command("backtest", str(journal), "--marks", "0.5,0.75", "--output", "json", "--steps").stdout)
    assert [run["run"] for run in answer["runs"]] == [f"2026010{day}T000000Z" for day in (1, 2, 3)]
    assert set(answer["runs"][2]["marks"]) == {"0.5", "0.75"}
    assert answer["summary"]["0.5"]["band_coverage"] == 1.0
    assert answer["steps_summary"]["median_abs_error_ratio"] < 0.01


def test_the_command_prints_a_table(journal: Path, command: Any, tmp_path: Path) -> None:
    """People read the errors in percent; without a run that succeeded it says so and exits with 1."""
    done = command("backtest", str(journal), "--steps")
    assert done.returncode == 0
    assert "3 runs: median error" in done.stdout
    assert "p/b" in done.stdout
    (tmp_path / "empty").mkdir()
    empty = command("backtest", str(tmp_path / "empty"))
    assert (empty.returncode, empty.stdout) == (1, "no run there that succeeded\n")


@pytest.mark.parametrize("marks", ["1.0", "x", "", "0.5,-0.1"])
def test_marks_that_are_none_are_refused(journal: Path, command: Any, marks: str) -> None:
    """A mark is a share of the run's time before its end."""
    assert command("backtest", str(journal), "--marks", marks).returncode == 2
