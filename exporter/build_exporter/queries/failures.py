"""`failures`: the first-error card of each failed step."""

from __future__ import annotations

from build_exporter.failures import Card
from build_exporter.queries.common import Answer
from build_exporter.queries.context import Context
from build_exporter.tracker import Run


class Failures(Answer, frozen=True):
    """The failed steps of a build's newest run, the newest failure first."""

    build: str
    run: str
    now: float
    failures: list[Card]


def failures(context: Context, build: str) -> Failures:
    """Return the first-error cards of a build's failed steps.

    Raises:
        NotFoundError: there is no such build.
    """
    _, run = context.build(build)
    return Failures(build=run.build, run=run.run, now=context.now, failures=cards(context, run))


def cards(context: Context, run: Run, most: int | None = None) -> list[Card]:
    """Return the card of each failed step, the newest failure first; at most so many."""
    failed = sorted(run.failed.values(), key=lambda step: step.end or 0.0, reverse=True)
    return [context.card(run, step) for step in failed[:most]]
