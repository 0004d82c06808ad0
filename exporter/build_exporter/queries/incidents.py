"""Incidents: a build or a step that failed, waits for input, or lacks disk space or memory, and needs a person at once.

An incident has a number of its own, the time it began, so that a second failure of a build is another alert: servers
that merge alerts by their labels would otherwise hide it. The number follows from the journal alone, so it is the same
after a restart.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Final, Literal, NamedTuple

import msgspec

from build_exporter.estimate import remaining
from build_exporter.failures import excerpt
from build_exporter.failures.card import card
from build_exporter.formatting import duration, percent
from build_exporter.model.states import BuildState, StepState
from build_exporter.tracker import Build, Run, Step, build_progress
from build_exporter.tracker.alerts import Answer

FORGOTTEN_SECONDS: Final = 86400.0
"""A build whose newest event is older is history: it makes no alert, however it ended."""

WAITING_SECONDS: Final = 20.0
"""A person at the keyboard answers within this; only then somebody else is called."""


GOING_ON_SECONDS: Final = 60.0
"""A builder that went on after a failed step pauses between steps; it stands still once nothing happens for so long."""

MAX_STEP_FAILURES: Final = 20
"""Failed steps of a run that are incidents of their own: `make -k` may leave hundreds."""


class Kind(StrEnum):
    """Kinds of incidents; the closed set of the label `kind`."""

    FAILED = "failed"
    STEP_FAILED = "step-failed"
    WAITING_FOR_INPUT = "waiting-for-input"
    DISK_FULL = "disk-full"
    OUT_OF_MEMORY = "out-of-memory"


class Form(NamedTuple):
    """What the alerts of a kind have in common; only critical ones have tiers."""

    name: str
    summary: str
    severity: Literal["critical", "warning"] = "critical"


ALERTS: Final = {
    Kind.FAILED: Form("BuildFailed", "A build has failed and stopped."),
    Kind.STEP_FAILED: Form("BuildStepFailed", "A step has failed, and the build went on.", "warning"),
    Kind.WAITING_FOR_INPUT: Form("BuildWaitingForInput", "A build waits for somebody to type an answer."),
    Kind.DISK_FULL: Form("BuildDiskFull", "A file system that a build writes to is full."),
    Kind.OUT_OF_MEMORY: Form("BuildOutOfMemory", "The kernel killed a process of a build for lack of memory."),
}
"""The alert that each kind makes."""


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One incident as it stands. Times are Unix seconds.

    Attributes:
        failure: its number, unique among the incidents of a build and kind.
        since: when it began to stand.
        tiers: when it reached tier 1, 2 and so on; tier 1 is its first message.
        acknowledged: a person's word that they have it, None without one.
        description: what has happened in one or two sentences; `excerpt` what the log said.
        is_reason_due: nothing is known of why a step failed, and its log may not be read yet.
    """

    build: str
    kind: Kind
    failure: str
    since: float
    description: str
    step: str = ""
    failure_class: str = ""
    excerpt: str = ""
    is_reason_due: bool = False
    tiers: tuple[float, ...] = ()
    acknowledged: Answer | None = None

    @property
    def alert(self) -> str:
        """Name of its alert."""
        return ALERTS[self.kind].name

    @property
    def severity(self) -> Literal["critical", "warning"]:
        """Severity of its alert; only critical incidents have tiers."""
        return ALERTS[self.kind].severity

    @property
    def tier(self) -> int:
        """Tier to which it has been escalated."""
        return len(self.tiers)

    @property
    def key(self) -> tuple[str, Kind, str]:
        """Its identity."""
        return (self.build, self.kind, self.failure)


def failure_number(at: float) -> str:
    """Return the number of an incident that began at a Unix time: UTC to the millisecond."""
    seconds, milliseconds = divmod(round(at * 1000), 1000)
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}.{milliseconds:03d}Z"


def incidents(
    builds: Iterable[Build], escalation: Sequence[float], now: float, host: Sequence[Incident] = ()
) -> list[Incident]:
    """Return the incidents of the builds' newest runs, those of the machine among them.

    `escalation` are seconds until tier 2, 3 and so on, `host` what the machine does to running builds.
    """
    runs = (build.current for build in builds)
    return [
        _with_answers(found, run, escalation, now)
        for run in runs
        if run is not None and now - (run.last_event or 0.0) < FORGOTTEN_SECONDS
        for found in (*_of_run(run, now), *(each for each in host if each.build == run.build and run.running))
    ]


def _of_run(run: Run, now: float) -> Iterator[Incident]:
    failed = sorted(run.failed.values(), key=lambda step: (step.end or 0.0, step.index))
    passed = _passed(run, failed)
    yield from (_step_failure(run, step) for step in passed[:MAX_STEP_FAILURES])
    if run.state is BuildState.FAILED and not run.running:
        since = max(run.end or 0.0, run.counted_until, *(step.end or 0.0 for step in failed), 0.0)
        since += GOING_ON_SECONDS if passed else 0.0
        if now >= since or not passed:
            yield _failure(run, failed, passed, since)
    waiting = run.waiting_for
    if waiting is not None and now - run.notes[-1][0] >= WAITING_SECONDS:
        began = run.notes[-1][0]
        yield Incident(
            build=run.build,
            kind=Kind.WAITING_FOR_INPUT,
            failure=failure_number(began),
            since=began + WAITING_SECONDS,
            description=f"Build {run.build} waits until a person answers: {excerpt(waiting)}.",
        )


def _passed(run: Run, failed: Sequence[Step]) -> list[Step]:
    """Return the failed steps after which a run that is not over went on with others."""
    if not failed or run.status is not None:
        return []
    if run.running:
        return list(failed)
    newest = max(max(step.start or 0.0, step.end or 0.0) for step in run.steps.values())
    return [step for step in failed if (step.end or 0.0) < newest]


def _step_failure(run: Run, step: Step) -> Incident:
    began, text, reason = step.end or 0.0, excerpt(step.message), step.error_class or "other"
    name = f"{step.phase} / {step.step}"
    return Incident(
        build=run.build,
        kind=Kind.STEP_FAILED,
        # steps that run in parallel may fail at the same time
        failure=f"{failure_number(began)}-{step.index}",
        since=began,
        description=f"Build {run.build}: {name} failed ({reason}){f': {text}' if text else '.'}",
        step=name,
        failure_class=reason,
        excerpt=text,
        is_reason_due=bool(step.log) and not text,
    )


def _failure(run: Run, failed: Sequence[Step], passed: Sequence[Step], since: float) -> Incident:
    # the newest failed attempt gives the number: what else ran meanwhile does not make it another failure
    began = (failed[-1].end if failed else run.end) or 0.0
    # failed steps that the build passed are incidents of their own: it stopped at the one after them
    first = next(iter((*failed[len(passed) :], *failed)), None)
    text = excerpt(first.message) if first is not None else ""
    return Incident(
        build=run.build,
        kind=Kind.FAILED,
        failure=failure_number(began),
        since=since,
        description=_failure_text(run, first, len(failed), text, is_newest=0 < len(passed) < len(failed)),
        step=f"{first.phase} / {first.step}" if first is not None else "",
        failure_class=first.error_class or "other" if first is not None else "",
        excerpt=text,
        is_reason_due=first is not None and bool(first.log) and not text,
    )


def _failure_text(run: Run, first: Step | None, count: int, text: str, *, is_newest: bool) -> str:
    if first is None:
        return f"Build {run.build} failed; which step is not known."
    others = f", the {'newest' if is_newest else 'first'} of {count} failed steps" if count > 1 else ""
    return f"Build {run.build} failed at {first.phase} / {first.step}{others} ({first.error_class or 'other'})" + (
        f": {text}" if text else "."
    )


def _with_answers(found: Incident, run: Run, escalation: Sequence[float], now: float) -> Incident:
    answers = [answer for answer in run.alerts.answers if answer.failure == found.failure]
    taken = next((answer for answer in answers if not answer.tier), None)
    limits, sent_on = (escalation, answers) if found.severity == "critical" else ((), [])
    tiers = tier_times(found.since, taken, [answer for answer in sent_on if answer.tier], limits, now)
    return msgspec.structs.replace(found, tiers=tiers, acknowledged=taken)


def tier_times(
    since: float, taken: Answer | None, sent_on: Sequence[Answer], escalation: Sequence[float], now: float
) -> tuple[float, ...]:
    """Return when an alert reached each tier: at a limit that passed before it was acknowledged, or by a person.

    A tier once reached stays, so that whoever was called is also notified when it is over.
    """
    until = now if taken is None else min(now, taken.time)
    reached = [since]
    while True:
        tier = len(reached) + 1
        at = [since + limit for limit in escalation[tier - 2 : tier - 1] if since + limit <= until]
        at += [answer.time for answer in sent_on if answer.tier >= tier]
        if not at:
            return tuple(reached)
        reached.append(min(at))


def context_words(run: Run, found: Incident) -> dict[str, str]:
    """Return the build's state for a message, as it was when an incident began: `progress`, and a `hint`."""
    failed = sorted(run.failed.values(), key=lambda step: (step.end or 0.0, step.index))
    about = next((step for step in failed if f"{step.phase} / {step.step}" == found.step), None)
    hint = card(run, about, (about.message or "").splitlines()).hint if about is not None else None
    return {"hint": hint or "", "progress": _progress(run, found.since)}


def _progress(run: Run, at: float) -> str:
    done, ratio = run.count(StepState.SUCCEEDED) + run.count(StepState.SKIPPED), build_progress(run, at)
    if ratio is None:
        return f"{done} step{'s' if done != 1 else ''} done."
    words = f"{done} of {len(run.steps)} steps done, {percent(ratio)}"
    estimate = remaining(run, at)
    if estimate is not None:
        words += f"; about {duration(dict(estimate.by_percentile)['50'])} of work left"
    blocked = len(run.blocked())
    if blocked:
        words += f"; {blocked} step{'s wait' if blocked != 1 else ' waits'} for this one"
    return words + "."
