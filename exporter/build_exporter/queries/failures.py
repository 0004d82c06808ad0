"""`failures`: the first-error card of each failed step."""

from __future__ import annotations

from build_exporter.failures import excerpt
from build_exporter.queries.common import Answer
from build_exporter.queries.context import Context, shown, shown_or_none
from build_exporter.tracker import Run, Step


class Card(Answer, frozen=True, rename={"class_": "class"}):
    """The first-error card of a failed step; at most 4,096 bytes of JSON.

    `context` are the lines around the first error, `location` is file and line of the source where the error names
    them, `blocked_steps` how many steps wait for this one, `since` when it failed.
    """

    build: str
    run: str
    phase: str
    step: str
    attempt: int
    class_: str
    reason: str
    context: list[str]
    location: str | None
    exit_code: int | None
    signal: int | None
    evidence: list[str]
    hint: str | None
    blocked_steps: int
    since: float | None
    log: str | None


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


def cards(context: Context, run: Run) -> list[Card]:
    """Return the card of each failed step, the newest failure first."""
    failed = sorted(run.failed.values(), key=lambda step: step.end or 0.0, reverse=True)
    return [card(context, run, step) for step in failed]


def card(context: Context, run: Run, step: Step) -> Card:
    """Return the card of a failed step."""
    text = excerpt(step.message)
    return Card(
        build=run.build,
        run=run.run,
        phase=shown(step.phase),
        step=shown(step.step),
        attempt=step.attempts,
        class_=step.error_class or "other",
        reason=text.splitlines()[0] if text else "",
        context=text.splitlines(),
        location=None,
        exit_code=step.exit_code,
        signal=step.signal,
        evidence=[],
        hint=None,
        blocked_steps=len(run.blocked()),
        since=step.end,
        log=shown_or_none(step.log),
    )
