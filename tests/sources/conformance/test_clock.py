"""This machine's clock may be wrong, or set while a build continues: what a record shows has times of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from tests.sources.conftest import BEGIN, MADE, Writing

from build_exporter.model.states import StepState

if TYPE_CHECKING:
    from tests.sources.conformance.conftest import Place
    from tests.sources.conftest import Record

DAY = 86400.0
CLOCKS = {
    "never set": lambda now, index: 3600.0 + index,
    "set back and forth": lambda now, index: now + (0, 2 * DAY, -2 * DAY, 3600.0, -3600.0)[index % 5],
}


def outcome(place: Place, journal: str) -> list[tuple[object, ...]]:
    """Return how the newest run's steps ended, and how long they took."""
    return sorted(
        (step.phase, step.step, step.state.label, step.attempts, step.seconds if place.record.is_dated else None)
        for step in place.runs(journal)[-1].steps.values()
    )


@pytest.mark.parametrize("clock", CLOCKS)
def test_wrong_clock(record: Record, put: Callable[..., Place], clock: str) -> None:
    """Whatever the exporter takes the time to be, every step ends as it did, once, and took as long as it took."""
    place = put(record)
    attachment = place.attach("followed")
    stride = max(1, len(record.pieces) // 40)
    for index in range(stride, len(record.pieces) + stride, stride):
        place.write(min(index, len(record.pieces)))
        place.poll(attachment, CLOCKS[clock](place.file_clock, index))
    attachment.poll(place.now, over=True)
    place.imported()
    assert outcome(place, "followed") == outcome(place, "expected")


def jump(monkeypatch: pytest.MonkeyPatch, at: float, by: float) -> None:
    """Set the clock of what writes records, once it has reached a time."""
    passed: dict[int, float] = {}
    shift: dict[int, float] = {}

    def read(made: Writing) -> float:
        return passed[id(made)] + shift.get(id(made), 0.0)

    def move(made: Writing, value: float) -> None:
        passed[id(made)] = value - shift.get(id(made), 0.0)
        if passed[id(made)] >= at:
            shift[id(made)] = by

    monkeypatch.setattr(Writing, "clock", property(read, move), raising=False)


@pytest.mark.parametrize("by", [-3600.0, -7.0, 3600.0, 3 * DAY])
@pytest.mark.parametrize("name", MADE)
def test_the_clock_is_set_while_the_build_goes_on(
    name: str, by: float, put: Callable[..., Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the builder's own clock is set in the middle, every step ends as it did, and one at most loses its time."""
    if (name, by) == ("jhalfs", -3600.0):
        pytest.skip("set back beyond its first step, a tree is the same as one that is built anew from there on")
    plain = put(MADE[name]())
    plain.write()
    plain.imported()
    middle = (plain.record.pieces[-1].time - BEGIN) / 2
    jump(monkeypatch, BEGIN + middle, by)
    place = put(MADE[name]())
    place.write()
    place.imported()
    assert ends(place) == ends(plain)
    wrong = {key: took for key, took in times(place).items() if took != times(plain)[key]}
    assert len(wrong) <= 1, wrong
    # what happens within one step can't be distinguished from a step that long, but never makes it negative
    assert all(took is None or 0.0 <= took <= 2 * middle + max(0.0, by) for took in wrong.values())


def ends(place: Place) -> set[tuple[str, str, str]]:
    """Return every step with the ways in which it ended, in whichever run: one set back far looks like another."""
    found = {(*key, step.state.label) for run in place.runs("expected") for key, step in run.steps.items()}
    return {each for each in found if each[2] != "pending"}


def times(place: Place) -> dict[tuple[str, str], float | None]:
    """Return what the last attempt at each step took, in whole seconds."""
    return {
        key: None if step.seconds is None else float(round(step.seconds))
        for run in place.runs("expected")
        for key, step in run.steps.items()
        if step.state is not StepState.PENDING
    }
