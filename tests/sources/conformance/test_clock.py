"""This machine's clock may be wrong, or set while a build continues: what a record shows has times of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

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
