"""`steps`: a build's steps in the order of the plan, filtered, searched, and paged by a cursor."""

from __future__ import annotations

import base64
import binascii
import json
from itertools import islice
from typing import Annotated

import msgspec
from msgspec import Meta

from build_exporter.failures import excerpt
from build_exporter.model.states import StateName, StepState
from build_exporter.queries.attention import is_overdue
from build_exporter.queries.common import Answer
from build_exporter.queries.context import Context, NotFoundError, shown, shown_or_none
from build_exporter.queries.suites import TestSums, test_sums
from build_exporter.tracker import Key, Run, Step, step_progress

MAX_PAGE = 1000


class StepRow(Answer, frozen=True):
    """One step; figures are of its newest attempt.

    `index` is its place in the plan. `seconds` is how long the attempt took, or has taken so far while it runs;
    `expected_seconds` what it should take on this machine. `log` is the path of its log where a log was named; other
    steps write to the same log where `log_shared` is true.
    """

    phase: str
    step: str
    index: int
    state: StateName
    package: str | None
    version: str | None
    attempts: int
    start: float | None
    end: float | None
    seconds: float | None
    expected_seconds: float | None
    progress_ratio: float | None
    overdue: bool
    verdict: str | None
    verdict_evidence: list[str]
    exit_code: int | None
    signal: int | None
    error_class: str | None
    message: str | None
    warnings: int | None
    tests: TestSums | None
    cpu_seconds: float | None
    max_rss_bytes: int | None
    read_bytes: int | None
    written_bytes: int | None
    disk_bytes: int | None
    log: str | None
    log_shared: bool


class Steps(Answer, frozen=True):
    """One page of steps. `matching` counts all that match; `next` goes into `after` for the page that follows."""

    build: str
    run: str
    now: float
    matching: int
    steps: list[StepRow]
    next: str | None


class StepFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which steps are asked for: in a state, of a phase, with a text in a name, after a cursor, so many at a time."""

    state: StateName | None = None
    phase: str | None = None
    q: Annotated[str, Meta(max_length=256, description="Text that phase, step or package contains; any case.")] = ""
    after: Annotated[str, Meta(max_length=8192, description="`next` of the page before.")] = ""
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE, description="Most steps in the answer.")] = 100


def steps(context: Context, name: str, wanted: StepFilter) -> Steps:
    """Return a page of a build's steps in the order of its plan.

    Raises:
        NotFoundError: there is no such build, or `after` is no cursor of it.
    """
    _, run = context.build(name)
    found = [step for step in list(run.steps.values()) if matches(step, wanted)]
    begin = _position(run, found, wanted.after) if wanted.after else 0
    page = list(islice(found, begin, begin + wanted.limit))
    more = begin + len(page) < len(found)
    return Steps(
        build=run.build,
        run=run.run,
        now=context.now,
        matching=len(found),
        steps=[row(context, run, step) for step in page],
        next=_cursor(page[-1].key) if more and page else None,
    )


def matches(step: Step, wanted: StepFilter) -> bool:
    """Return whether a step is in the state, of the phase, and has the text in a name."""
    if wanted.state is not None and step.state.label != wanted.state:
        return False
    if wanted.phase is not None and wanted.phase not in (step.phase, shown(step.phase)):
        return False
    text = wanted.q.casefold()
    return not text or any(text in part.casefold() for part in (step.phase, step.step, step.package or ""))


def _cursor(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _position(run: Run, found: list[Step], cursor: str) -> int:
    """Return where the page after a cursor begins; the cursor names the last step of the page before."""
    try:
        phase, name = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        last = run.steps[phase, name]
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error):
        raise NotFoundError("after is no cursor of this build; allowed: `next` of a page before") from None
    return sum(1 for step in found if step.index <= last.index)


def row(context: Context, run: Run, step: Step) -> StepRow:
    """Return a step's row."""
    running = step.state is StepState.RUNNING
    judged = context.verdict(run, step) if running else None
    elapsed = max(0.0, context.now - step.start) if running and step.start is not None else step.seconds
    used = step.figures
    return StepRow(
        phase=shown(step.phase),
        step=shown(step.step),
        index=step.index,
        state=step.state.label,
        package=shown_or_none(step.package),
        version=shown_or_none(step.version),
        attempts=step.attempts,
        start=step.start,
        end=step.end,
        seconds=elapsed,
        expected_seconds=context.expected(run, step, context.now),
        progress_ratio=step_progress(run, step, context.now),
        overdue=running and is_overdue(context, run, step),
        verdict=judged.verdict.value if judged is not None else None,
        verdict_evidence=[shown(each) for each in judged.evidence] if judged is not None else [],
        exit_code=used.exit_code,
        signal=used.signal,
        error_class=step.error_class,
        message=excerpt(step.message) or None,
        warnings=step.warnings,
        tests=test_sums([step]) if step.tests else None,
        cpu_seconds=used.cpu_seconds,
        max_rss_bytes=used.max_rss_bytes,
        read_bytes=used.read_bytes,
        written_bytes=used.written_bytes,
        disk_bytes=used.disk_bytes,
        log=shown_or_none(step.log),
        log_shared=step.shares_log,
    )
