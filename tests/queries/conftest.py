"""A small build whose answers can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from build_exporter.model.events import AnyEvent
from build_exporter.queries.context import Context
from build_exporter.queries.request import Request, Window
from build_exporter.tracker import Tracker

START = 1.78e9


class Builder:
    """Feeds events to a tracker; `clock` is the newest event's time."""

    def __init__(self, build: str = "lfs", run: str = "20260102T030405Z") -> None:
        self.tracker = Tracker()
        self.build, self.run, self.clock = build, run, START
        self.events: list[Any] = []

    def add(self, event: str, after: float = 1.0, **fields: object) -> None:
        """Apply an event `after` seconds later than the one before."""
        self.clock += after
        made: Any = msgspec.convert({"time": self.clock, "event": event, "build": self.build, **fields}, AnyEvent)
        self.events.append(made)
        self.tracker.feed(self.build, self.run, [made])

    def step(self, phase: str, step: str, seconds: float = 10.0, status: str = "succeeded", **fields: object) -> None:
        """Apply a whole step."""
        self.add("step_started", after=0.0, phase=phase, step=step)
        self.add("step_finished", after=seconds, phase=phase, step=step, status=status, **fields)

    def context(self, after: float = 0.0, **options: Any) -> Context:
        """Return the state `after` seconds past the newest event."""
        return Context(self.tracker.builds, self.clock + after, **options)

    def request(
        self, after: float = 0.0, within: tuple[float, float] | None = None, filters: dict[str, Any] | None = None
    ) -> Request:
        """Return a question about what happened, with a window in seconds from the start if one is given."""
        window = None if within is None else Window(START + within[0], START + within[1])
        context = self.context(after)
        return Request(context, "x", window=window, filters=filters or {}, events=lambda run: self.events)


@pytest.fixture
def builder() -> Callable[..., Builder]:
    """Make builders."""
    return Builder
