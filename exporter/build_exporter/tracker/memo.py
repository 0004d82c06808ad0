"""What follows from the steps of a run, kept until one of them starts, ends or reports more than its progress."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

from build_exporter.tracker.state import Run

T = TypeVar("T")


def kept(find: Callable[[Run], T]) -> Callable[[Run], T]:
    """Return a function that goes through a run's steps, and returns what it found before while they are the same."""
    known: WeakKeyDictionary[Run, tuple[tuple[int, ...], T]] = WeakKeyDictionary()

    @wraps(find)
    def found(run: Run) -> T:
        state = (run.revision, run.reports, run.plan_revision, len(run.steps))
        before = known.get(run)
        if before is None or before[0] != state:
            before = known[run] = (state, find(run))
        return before[1]

    return found
