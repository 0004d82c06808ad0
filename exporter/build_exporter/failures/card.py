"""The first-error card: all that is known of one failure, in at most 4,096 bytes of JSON.

It is computed from the run in the journal and the step's log alone; no exporter needs to run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from build_exporter.diagnostics.diagnosis import UNKNOWN_SPEAKER, Diagnosis, diagnose, with_failed_tests
from build_exporter.diagnostics.signals import signal_name
from build_exporter.failures.book import page_of
from build_exporter.failures.excerpt import excerpt
from build_exporter.model.redaction import redact
from build_exporter.model.states import FailureClass
from build_exporter.model.text import plain_line
from build_exporter.tracker import Run, Step

MAX_CARD_BYTES: Final = 4096
MAX_CONTEXT_LINES: Final = 12
MAX_LINE: Final = 200
MAX_HINT: Final = 300
MAX_PATH: Final = 400
MAX_EVIDENCE: Final = 6

_KEY_MATERIAL: Final = re.compile(r"^[A-Za-z0-9+/=]{56,}$")
_OPAQUE: Final = "***"


class Card(msgspec.Struct, frozen=True, kw_only=True, rename={"class_": "class"}):
    """One failure.

    Attributes:
        build: of which build.
        run: of which run of it.
        phase: of which phase.
        step: of which step.
        attempt: at which attempt, from 1.
        class_: one of the closed set of failure classes; `class` in JSON.
        reason: the line that says best why, at most 300 characters.
        context: lines of the log around it.
        location: `FILE:LINE` of the source, null where none is named.
        exit_code: of the step's command, null where unknown.
        signal: name of the signal that ended it, null without.
        evidence: what else speaks for the class and reason, the strongest first.
        hint: what people do about it, null where nothing general can be said.
        blocked_steps: number of steps that cannot start before this is put right.
        since: when the step failed, Unix seconds.
        log: path of its log, null where it has none.
        page: address of the book's page on the step, null where there is none.
    """

    build: str
    run: str
    phase: str
    step: str
    attempt: int
    class_: str
    reason: str
    context: tuple[str, ...]
    location: str | None
    exit_code: int | None
    signal: str | None
    evidence: tuple[str, ...]
    hint: str | None
    blocked_steps: int
    since: float | None
    log: str | None
    page: str | None


def card(run: Run, step: Step, lines: Iterable[str] = ()) -> Card:
    """Return the card of a failed step.

    Args:
        run: the run, from the journal.
        step: a step of it.
        lines: the last lines of the step's log, raw; none where there is no log, or it may not be read.
    """
    kept = list(lines)
    found = with_failed_tests(diagnose(kept, exit_code=step.exit_code, signal=step.signal), failed_tests(step))
    reason, kind = _journal_first(step, found)
    made = Card(
        build=run.build,
        run=run.run,
        phase=_line(step.phase),
        step=_line(step.step),
        attempt=max(1, step.attempts),
        class_=kind,
        reason=excerpt(next((line.strip() for line in reason.splitlines() if line.strip()), reason)),
        context=tuple(_line(line) for line in _context(found, reason, bool(kept))),
        location=_line(found.location) if found.location else None,
        exit_code=step.exit_code,
        signal=signal_name(step.signal) if step.signal else None,
        evidence=tuple(_line(text) for text in _evidence(step, found, reason)),
        hint=(found.hint if found.error_class == kind else "")[:MAX_HINT] or None,
        blocked_steps=len(run.blocked()),
        since=step.end,
        log=plain_line(step.log)[:MAX_PATH] if step.log else None,
        page=page_of(run, step),
    )
    return _fitted(made)


def _journal_first(step: Step, found: Diagnosis) -> tuple[str, str]:
    """Return reason and class: the journal's words where it has any, since its writer may know more than the log.

    The user's own rules come before both.
    """
    if found.is_own:
        return found.reason, found.error_class
    if not step.message:
        return found.reason, _class(step, found)
    said = with_failed_tests(diagnose([step.message]), failed_tests(step))
    if said.error_class == FailureClass.TEST_FAILURE and _class(step, said) == said.error_class:
        return said.reason, said.error_class
    if said.is_own:
        return step.message, said.error_class
    if step.error_class in (None, FailureClass.OTHER):
        kind = said.error_class if said.error_class != FailureClass.OTHER else found.error_class
        return step.message, kind
    return step.message, _class(step, found)


def _class(step: Step, found: Diagnosis) -> str:
    known = step.error_class
    return known if known is not None and known != FailureClass.OTHER else found.error_class


def failed_tests(step: Step) -> list[str]:
    """Return the names of the tests that the step's suites reported as failed, as far as they are kept."""
    return [name for report in step.tests.values() for name in report.failing or ()]


def _context(found: Diagnosis, reason: str, has_log: bool) -> Sequence[str]:
    if not has_log:
        # a single line is the reason itself
        said = [line for line in reason.splitlines() if line.strip()]
        return said[:MAX_CONTEXT_LINES] if len(said) > 1 else ()
    return [line for line in found.context if line.strip()][:MAX_CONTEXT_LINES]


def _evidence(step: Step, found: Diagnosis, reason: str) -> Iterable[str]:
    """Return how it ended, who said what, and what the tests gave, the strongest first."""
    failed = sum(report.failed + (report.errors or 0) for report in step.tests.values())
    speaker = f"{found.speaker}: " if found.speaker != UNKNOWN_SPEAKER else ""
    own = [f"{speaker}{found.reason}"] if found.reason else []
    ended = [f"exit code {step.exit_code}"] if step.exit_code else []
    ended += [f"ended by {signal_name(step.signal)}"] if step.signal else []
    tests = [f"{failed} tests failed"] if failed else []
    said = (reason, f"{speaker}{reason}")
    every = dict.fromkeys((*own, *ended, *tests, *found.evidence))
    return [text for text in every if text not in said][:MAX_EVIDENCE]


def _line(text: str) -> str:
    """Return text of a build fit to be shown: one plain line, without secrets, not long."""
    if _KEY_MATERIAL.match(text.strip()):
        return _OPAQUE
    line = redact(plain_line(text[: 4 * MAX_LINE])).replace("\t", "    ").rstrip()
    return line if len(line) <= MAX_LINE else line[: MAX_LINE - 1] + "…"


def _fitted(made: Card) -> Card:
    """Return the card within its size: evidence and context give way from their ends, then long texts."""
    while _size(made) > MAX_CARD_BYTES:
        if made.evidence:
            made = msgspec.structs.replace(made, evidence=made.evidence[:-1])
        elif made.context:
            made = msgspec.structs.replace(made, context=made.context[:-1])
        else:
            half = {name: getattr(made, name)[: len(getattr(made, name)) // 2] for name in ("reason", "step", "phase")}
            made = msgspec.structs.replace(made, **half, log=None, location=None, page=None)
    return made


def _size(made: Card) -> int:
    """Return the bytes of the card in the longest form of JSON that is usual, with all but ASCII escaped."""
    return len(json.dumps(msgspec.to_builtins(made)))
