"""Attempts at steps, each with its own end: state keeps only the newest of each step, the events have them all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from build_exporter.model import events as e
from build_exporter.model.states import failure_class
from build_exporter.queries.request import Request
from build_exporter.tracker import Key, Run, masked_key


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that ended; times in Unix seconds."""

    phase: str
    step: str
    number: int
    start: float | None
    end: float
    status: str
    error_class: str | None
    message: str | None
    log: str | None


def attempts(request: Request, run: Run) -> list[Attempt]:
    """Return the attempts of a run in the order of their ends; from its state alone where its events are not there."""
    return _from_events(request.events(run)) or list(_from_state(run))


def _from_events(events: Iterable[e.Event]) -> list[Attempt]:
    found: list[Attempt] = []
    newest: dict[Key, int] = {}
    started: dict[Key, e.StepStarted] = {}
    counts: dict[Key, int] = {}
    for event in events:
        if isinstance(event, e.StepStarted):
            started[masked_key(event.phase, event.step)] = event
        elif isinstance(event, e.StepFinished):
            key = masked_key(event.phase, event.step)
            begun = started.pop(key, None)
            counts[key] = counts.get(key, 0) + 1
            newest[key] = len(found)
            attempt = Attempt(
                phase=key[0],
                step=key[1],
                number=counts[key],
                start=begun.time if begun is not None else None,
                end=event.time,
                status=event.status,
                error_class=failure_class(event.error_class) if event.status == "failed" else None,
                message=event.message,
                log=begun.log if begun is not None else None,
            )
            found.append(attempt)
        elif isinstance(event, e.StepProgress) and event.error_class:
            # the class that the log gave after the end
            last = newest.get(masked_key(event.phase, event.step))
            if last is not None and found[last].status == "failed":
                message = found[last].message or event.message
                found[last] = replace(found[last], error_class=failure_class(event.error_class), message=message)
    return found


def _from_state(run: Run) -> Iterator[Attempt]:
    ended = [step for step in list(run.steps.values()) if step.end is not None]
    for step in sorted(ended, key=lambda step: step.end or 0.0):
        yield Attempt(
            step.phase, step.step, step.attempts, step.start, step.end or 0.0, step.state.label, step.error_class,
            step.message, step.log,
        )  # fmt: skip
