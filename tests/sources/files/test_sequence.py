"""A sequential build read again and again: what is emitted is what is new, by tables of looks at its record."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from build_exporter.model import events as e
from build_exporter.sources.dedup import is_recorded_by_count
from build_exporter.sources.distinct_times import DistinctTimes
from build_exporter.sources.idle import IdleTimer
from build_exporter.sources.sequence import Attempt, Emitter
from build_exporter.tracker import Run, apply


def attempt(step: str, start: float | None, end: float, ending: str | None = None) -> Attempt:
    """Return an attempt at a step."""
    return Attempt("p", step, start, end, ending)  # type: ignore[arg-type]


def words(event: e.Event) -> str:
    """Return an event as its time and what it says."""
    kind = {e.BuildStarted: "run", e.StepStarted: "starts", e.BuildFinished: "", e.StepFinished: ""}[type(event)]
    said = kind or event.status  # type: ignore[attr-defined]
    return f"{event.time:g} {getattr(event, 'step', None) or 'build'} {said}"


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([[attempt("a", 1, 2)], [attempt("a", 1, 3)], [attempt("a", 1, 4, "succeeded")]],
         [["1 a starts"], [], ["4 a succeeded"]]),
        ([[attempt("a", 1, 4, "failed")], [attempt("a", 1, 4, "succeeded")], [attempt("a", 1, 4, "failed")]],
         [["1 a starts", "4 a failed"], ["4 a succeeded"], []]),
        ([[attempt("a", 1, 4, "failed")], [attempt("a", 1, 4, "interrupted")], [attempt("a", 1, 5)]],
         [["1 a starts", "4 a failed"], [], []]),
        ([[attempt("a", 1, 3)], [attempt("a", 5, 6)]], [["1 a starts"], ["3 a failed", "5 a starts"]]),
        ([[attempt("a", 1, 3, "succeeded")], [attempt("a", 5, 6)]],
         [["1 a starts", "3 a succeeded"], ["5 a starts"]]),
        ([[attempt("a", 1, 3)], [attempt("a", None, 6, "succeeded")]], [["1 a starts"], ["6 a succeeded"]]),
        ([[attempt("a", None, 6, "failed")]], [["6 a failed"]]),
        ([[attempt("b", 3, 4, "failed"), attempt("a", 1, 2, "succeeded")]],
         [["1 a starts", "2 a succeeded", "3 b starts", "4 b failed"]]),
        ([[attempt("a", 1.25, 4.75, "succeeded"), attempt("b", 4, 9)]],
         [["1.25 a starts", "4.75 a succeeded", "4 b starts"]]),
        ([[attempt("b", 4.5, 9, "succeeded"), attempt("a", 4.25, 4.5, "succeeded")]],
         [["4.5 b starts", "9 b succeeded", "4.25 a starts", "4.5 a succeeded"]]),
    ],
)  # fmt: skip
def test_what_is_new_is_emitted(looks: list[list[Attempt]], expected: list[list[str]]) -> None:
    """A start once, an end once or a better one later; a second start ends the first attempt as failed."""
    emitter = Emitter()
    assert [words(each.event) for each in emitter.begin(e.BuildStarted(time=1, build="b"))] == ["1 build run"]
    assert [[words(each.event) for each in emitter.emit(look)] for look in looks] == expected


def test_a_run_that_is_over_goes_on_or_is_replaced() -> None:
    """Its end is emitted once; a later step resumes it, and another run ends it at its newest event."""
    emitter = Emitter()
    assert list(emitter.emit([attempt("a", 1, 2)])) == []
    assert list(emitter.finish("failed", 3)) == []
    begun = e.BuildStarted(time=1, build="b")
    found = [[*emitter.begin(begun)], [*emitter.begin(begun)], [*emitter.emit([attempt("a", 1, 2, "succeeded")])]]
    found += [[*emitter.finish("succeeded", 9)], [*emitter.finish("succeeded", 10)]]
    found += [[*emitter.emit([attempt("c", 12, 13)])], [*emitter.begin(e.BuildStarted(time=50, build="b"))]]
    assert [[words(each.event) for each in part] for part in found] == [
        ["1 build run"], [], ["1 a starts", "2 a succeeded"], ["9 build succeeded"], [],
        ["12 build run", "12 c starts"], ["12 build interrupted", "50 build run"],
    ]  # fmt: skip
    assert [each.run_start for part in found for each in part] == [1.0] * 7 + [50.0]
    planned = [e.PlannedStep(phase="p", step="a")]
    assert [each.event.time for _ in range(2) for each in emitter.plan(planned, [])] == [50]
    assert len(list(emitter.plan(planned, [], "tarballs"))) == 1


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([(100, 40), (110, 40), (115, 40)], [60, 70, 75]), ([(100, 140), (110, 140)], [0, 10]),
        ([(100, 40), (220, 40), (341, 40)], [60, 180, 300]), ([(100, 40), (90, 40), (95, 40)], [60, 60, 65]),
        ([(100, 40), (110, 30), (120, 30)], [60, 0, 10]), ([(100, 40), (110, 105), (120, 105)], [60, 0, 10]),
    ],
)  # fmt: skip
def test_silence_adds_up(looks: list[tuple[float, float]], expected: list[float]) -> None:
    """Looks at `(now, last change)`: two minutes at most between two of them, none backwards, a change begins anew."""
    timer = IdleTimer()
    assert [timer.seconds(now, changed) for now, changed in looks] == expected


ENDS: tuple[Literal["succeeded", "failed"], ...] = ("succeeded", "failed")


def events_of() -> list[e.Event]:
    """Return a start, an end of each kind, a plan and progress, as a record without times has them again and again."""
    place: dict[str, Any] = {"time": 99.0, "build": "b", "phase": "p", "step": "s"}
    ends = [e.StepFinished(**place, status=status) for status in ENDS]
    plan = e.Plan(time=99, build="b", steps=[])
    return [e.BuildStarted(time=99, build="b"), e.StepStarted(**place), *ends, plan, e.StepProgress(**place, ratio=0.5)]


@pytest.mark.parametrize(
    ("told", "nth", "known"),
    [
        ("", 1, "100001"), ("S", 1, "110000"), ("SF", 1, "111101"), ("SF", 2, "000101"), ("SFS", 1, "111101"),
        ("SFS", 2, "010000"), ("SFS", 3, "000000"), ("SFSD", 1, "111101"), ("SFSD", 2, "011101"),
        ("P", 1, "100011"), ("PP", 2, "000011"), ("PP", 3, "000001"), ("BB", 2, "100001"),
    ],
)  # fmt: skip
def test_what_is_known_by_its_number(told: str, nth: int, known: str) -> None:
    """Of a record without times so many starts, ends and plans are known as have been seen, and the last end's like."""
    run = Run("b", "20260102T030405Z")
    place: dict[str, Any] = {"build": "b", "phase": "p", "step": "s"}
    for time, letter in enumerate("B" + told.removeprefix("B"), 1):
        at = float(time)
        made: dict[str, e.Event] = {
            "B": e.BuildStarted(time=at, build="b"),
            "P": e.Plan(time=at, build="b", steps=[]),
            "S": e.StepStarted(time=at, **place),
            "F": e.StepFinished(time=at, **place, status="failed"),
            "D": e.StepFinished(time=at, **place, status="succeeded"),
        }
        apply(run, made[letter])
    assert "".join(str(int(is_recorded_by_count(run, each, nth))) for each in events_of()) == known


def test_times_of_what_is_seen_at_one_moment() -> None:
    """Starts and ends of a step, and of the run, are a millisecond apart; all else keeps its time."""
    times, (begun, start, end, _, plan, _) = DistinctTimes(), events_of()
    found = [times.of(each) for each in (begun, start, end, plan, begun, end, plan)]
    assert found == [99.0, 99.0, 99.001, 99, 99.001, 99.002, 99]
    start.time = 100.00049
    assert [times.of(start), times.of(end)] == [100.0, 100.001]
