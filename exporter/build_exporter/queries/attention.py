"""Conditions of a build that need attention, the most urgent first. A new kind is one function in `_KINDS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Literal
from weakref import WeakKeyDictionary

from build_exporter.analysis.differences import Difference, differences
from build_exporter.failures import excerpt
from build_exporter.formatting import count_of, duration, size
from build_exporter.model.states import BuildState, StepState, Verdict
from build_exporter.queries.common import Answer
from build_exporter.queries.context import Context, shown
from build_exporter.queries.course import course
from build_exporter.summary import missing_sources, unplanned
from build_exporter.tracker import Past, Run, Step

Severity = Literal["critical", "warning", "info"]
Kind = Literal[
    "failed", "waiting", "interrupted", "stuck", "slowed", "overdue", "late", "stalled", "sources", "attempts", "tests",
    "short", "slower", "pending", "unplanned",
]  # fmt: skip
MAX_OF_A_KIND: Final = 100
MAX_COMPARED: Final = 2000
"""Steps of a run up to which its durations are compared with earlier ones at every question."""
_URGENCY: Final[dict[Severity, int]] = {"critical": 0, "warning": 1, "info": 2}
_STUCK: Final = frozenset({Verdict.STUCK, Verdict.WAITING_FOR_INPUT, Verdict.SUSPENDED})
_SLOWED: Final = frozenset({Verdict.SWAPPING, Verdict.THROTTLED})
_slower_steps: WeakKeyDictionary[Run, tuple[tuple[object, ...], list[Difference]]] = WeakKeyDictionary()
"""The slower steps of a run, and for which state of it: each question of a page asks for them again."""


class Attention(Answer, frozen=True):
    """One thing that needs a look: what kind, about which step (null: the build), in words, since when."""

    kind: Kind
    severity: Severity
    phase: str | None
    step: str | None
    message: str
    since: float | None


def attention(context: Context, run: Run) -> list[Attention]:
    """Return what needs a look in a run, the most urgent first; at most 100 of each kind."""
    found: list[Attention] = []
    for kind in _KINDS:
        found += [each for each, _ in zip(kind(context, run), range(MAX_OF_A_KIND), strict=False)]
    return sorted(found, key=lambda each: _URGENCY[each.severity])


def is_overdue(context: Context, run: Run, step: Step) -> bool:
    """Return whether a running step has taken so much longer than expected that the thresholds call it overdue."""
    expected = context.expected(run, step, context.now)
    if not expected or step.start is None:
        return False
    limits = context.thresholds
    elapsed = context.now - step.start
    return elapsed >= expected * limits.step_overdue_ratio and elapsed - expected >= limits.step_overdue_seconds


def _of(
    kind: Kind, severity: Severity, message: str, step: Step | None = None, since: float | None = None
) -> Attention:
    phase, name = (shown(step.phase), shown(step.step)) if step is not None else (None, None)
    return Attention(kind=kind, severity=severity, phase=phase, step=name, message=message, since=since)


def _failed(context: Context, run: Run) -> Iterator[Attention]:
    for step in sorted(run.failed.values(), key=lambda step: step.end or 0.0, reverse=True):
        how = f"exit code {step.exit_code}" if step.exit_code else "failed"
        reason = shown(excerpt(step.message)) or (how if step.error_class in (None, "other") else step.error_class)
        # a run that succeeded has repaired it, if by a step of another name
        yield _of("failed", "info" if run.status is BuildState.SUCCEEDED else "critical", reason, step, step.end)


def _waiting(context: Context, run: Run) -> Iterator[Attention]:
    if run.waiting_for is not None:
        yield _of("waiting", "critical", f"waits for a person: {shown(run.waiting_for)}", since=run.last_event)


def _interrupted(context: Context, run: Run) -> Iterator[Attention]:
    if run.state is BuildState.INTERRUPTED:
        yield _of("interrupted", "critical", "the build ended before all its steps were done", since=run.end)


def _running(context: Context, run: Run) -> Iterator[Attention]:
    for step in list(run.running.values()):
        judged = context.verdict(run, step)
        if judged is not None and judged.verdict in _STUCK | _SLOWED:
            words = f"{judged.verdict.value.replace('-', ' ')}: {', '.join(judged.evidence)}"
            if judged.verdict in _SLOWED:
                yield _of("slowed", "warning", shown(words), step, step.start)
            elif judged.verdict is Verdict.WAITING_FOR_INPUT:
                yield _of("waiting", "critical", f"{shown(words)}; answer it where the build runs", step, step.start)
            else:
                yield _of("stuck", "critical", shown(words), step, step.start)
        elif is_overdue(context, run, step):
            expected = context.expected(run, step, context.now) or 1.0
            times = (context.now - (step.start or context.now)) / expected
            much = f"{times:,.1f}" if times < 10 else f"{times:,.0f}"
            yield _of("overdue", "warning", f"takes {much} times as long as expected", step, step.start)


def _late(context: Context, run: Run) -> Iterator[Attention]:
    left = context.estimate(run, context.now) if run.deadline is not None else None
    if left is not None and run.deadline is not None and context.now + left.middle > run.deadline:
        late = duration(context.now + left.middle - run.deadline)
        yield _of("late", "warning", f"will end about {late} after its deadline", since=None)


def _stalled(context: Context, run: Run) -> Iterator[Attention]:
    silent = context.now - (run.last_event or context.now)
    if run.state is BuildState.RUNNING and silent >= context.thresholds.stalled_seconds:
        yield _of("stalled", "warning", f"no event for {duration(silent)}", since=run.last_event)


def _sources(context: Context, run: Run) -> Iterator[Attention]:
    for step, what in missing_sources(run):
        yield _of("sources", "warning", shown(what), step)


def _attempts(context: Context, run: Run) -> Iterator[Attention]:
    for step in list(run.running.values()):
        if step.attempts >= context.thresholds.step_attempts:
            yield _of("attempts", "warning", f"is at attempt {step.attempts}", step, step.start)


def _tests(context: Context, run: Run) -> Iterator[Attention]:
    for suite in course(run).bad_suites:
        yield _of("tests", "info", f"{shown(suite.report.suite)}: {suite.text}", suite.step, suite.report.time)


def _short(context: Context, run: Run) -> Iterator[Attention]:
    for fit in context.fits(run):
        for each in fit.shortages[:1]:
            step = run.steps.get((each.phase, each.step))
            when = f" in {duration(each.in_seconds)}" if each.in_seconds else ""
            yield _of(
                "short", "critical", f"will lack {size(each.short_bytes)} of {fit.resource}{when}: {each.advice}", step
            )


def _slower(context: Context, run: Run) -> Iterator[Attention]:
    build = context.builds.get(run.build)
    if build is None or not build.history or len(run.steps) > MAX_COMPARED:
        return
    state = (run.revision, Past.changes, run.machine, run.jobs_used, run.target, run.tests)
    kept = _slower_steps.get(run)
    if kept is None or kept[0] != state:
        found = differences(run, list(build.history.values())).differences
        kept = _slower_steps[run] = (state, [each for each in found if each.is_regression])
    for each in kept[1]:
        words = f"took {each.ratio:.1f} times as long as usual, {duration(each.difference_seconds)} longer"
        yield _of("slower", "info", words, run.steps.get((each.phase, each.step)))


def _pending(context: Context, run: Run) -> Iterator[Attention]:
    # a plan adopted from earlier runs is a guess: what it has beyond this run was never asked for
    left = run.count(StepState.PENDING) if run.status is BuildState.SUCCEEDED and not run.adopted else 0
    if left:
        yield _of("pending", "warning", f"succeeded, but {count_of(left, 'planned step')} never ran", since=run.end)


def _unplanned(context: Context, run: Run) -> Iterator[Attention]:
    if (message := unplanned(run)) is not None:
        yield _of("unplanned", "warning", shown(message))


_KINDS: Final[tuple[Callable[[Context, Run], Iterator[Attention]], ...]] = (
    _failed, _waiting, _interrupted, _running, _late, _stalled, _sources, _attempts, _tests,
    _short, _slower, _pending, _unplanned,
)  # fmt: skip
