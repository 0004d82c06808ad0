"""What the stream may leave out under a flood."""

from __future__ import annotations

from build_exporter.journal.positions import START
from build_exporter.web.stream.messages import Item, coalesced


def item(event: str, step: str, number: int) -> Item:
    """Return an item whose time is its number."""
    return Item("b", float(number), event, ("p", step), b"", START)


def test_only_progress_gives_way_to_newer_progress() -> None:
    """Of the progress of one attempt the newest stays; starts, ends and everything else stay, in their order."""
    happened = [
        ("step_started", "a"), ("step_progress", "a"), ("step_progress", "b"), ("step_progress", "a"), ("note", "a"),
        ("step_finished", "a"), ("step_started", "a"), ("step_progress", "a"), ("step_progress", "a"),
        ("step_progress", "b"),
    ]  # fmt: skip
    items = [item(event, step, number) for number, (event, step) in enumerate(happened)]
    assert [each.time for each in coalesced(items)] == [0, 3, 4, 5, 6, 8, 9]
