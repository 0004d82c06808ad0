"""`build`: the whole board of one build, as the live page shows it."""

from __future__ import annotations

import msgspec

from build_exporter.failures import Card
from build_exporter.model.states import BuildState, SourceState, StateName, StepState
from build_exporter.queries.builds import BuildRow, build_row
from build_exporter.queries.common import Answer, StepCounts, StepName, counts_of, milestones_of, name_of
from build_exporter.queries.context import Context, shown, shown_or_none
from build_exporter.queries.course import MAX_AROUND, Course, course
from build_exporter.queries.failures import cards
from build_exporter.queries.rates import rate
from build_exporter.queries.steps import StepRow, row
from build_exporter.queries.suites import Suite, TestSums, suite
from build_exporter.toolchain.steps import known_tools
from build_exporter.toolchain.summary import ccache_ratio
from build_exporter.toolchain.summary import summary as toolchain_summary
from build_exporter.tracker import Run, phases_progress
from build_exporter.tracker.sources import steps_at_risk
from build_exporter.tracker.state import Phase

MAX_STEPS = 50
"""Running steps, failures and blocked steps of a board: `steps` has them all."""
MAX_ATTENTION = 500
WINDOW_SECONDS = 3600.0


class PhaseRow(Answer, frozen=True):
    """One phase; `weight_ratio` is its share of the whole plan's time: the length of its segment of the progress."""

    phase: str
    state: StateName
    weight_ratio: float
    progress_ratio: float
    steps: StepCounts


class MilestoneRow(Answer, frozen=True):
    """A milestone: when it was reached (null: not yet), and what reaches it, where it was planned."""

    name: str
    reached: float | None
    phase: str | None
    step: str | None
    progress_ratio: float | None


class NoteRow(Answer, frozen=True):
    """A note that a person or a tool left."""

    time: float
    message: str


class Rates(Answer, frozen=True):
    """Steps that succeeded an hour: since the start, and in the last hour; null where too little time has passed."""

    steps_per_hour_since_start: float | None
    steps_per_hour_lately: float | None


class Sums(Answer, frozen=True):
    """Sums over the newest attempts of all steps."""

    step_seconds: float
    cpu_seconds: float
    read_bytes: int
    written_bytes: int
    warnings: int
    warning_flags: dict[str, int]
    failed_attempts: int
    retried_steps: int
    tests: TestSums | None


class Tool(Answer, frozen=True):
    """A tool of the toolchain: `host`, `cross` or `target` by its role."""

    tool: str
    version: str
    role: str
    target: str | None


class ToolchainView(Answer, frozen=True):
    """The build's toolchain; `summary` is one line."""

    summary: str
    host: str | None
    target: str | None
    kernel: str | None
    libc: str | None
    jobs: int | None
    ccache_hit_ratio: float | None
    tools: list[Tool]


class RiskySource(Answer, frozen=True):
    """A file that a step to come needs and that is missing or wrong."""

    phase: str
    step: str
    file: str
    state: str
    detail: str | None


class Sources(Answer, frozen=True):
    """The files that steps are built from, by their state at `time`."""

    time: float
    directory: str | None
    files: dict[str, int]
    at_risk: list[RiskySource]


class Glance(BuildRow, frozen=True):
    """What a terminal shows of a build: those fields of its board that cost little to compute."""

    now: float
    phases: list[PhaseRow]
    running_steps: list[StepRow]
    failures: list[Card]
    recent: list[StepRow]
    upcoming: list[StepRow]


class Board(Glance, frozen=True):
    """Everything about one build that its page shows.

    `running_steps` and `failures` hold at most 50 each, `recent` the 20 steps that ended last (the newest first),
    `upcoming` the 20 that come next; `attention` holds all that needs a look. `blocked` names at most 50 of the
    `blocked_count` steps that wait for a failed one. `ccache_hit_ratio` and tests are null where nothing is known.
    """

    jobs: int | None
    concurrency: float
    sbu_seconds: float | None
    blocked: list[StepName]
    blocked_count: int
    milestones: list[MilestoneRow]
    rates: Rates
    sums: Sums
    notes: list[NoteRow]
    toolchain: ToolchainView | None
    suites: list[Suite]
    bad_suites: list[Suite]
    sources: Sources | None


def glance(context: Context, name: str, around: int = MAX_AROUND) -> Glance:
    """Return the board of a build's newest run without its sums, rates, sources and toolchain.

    `around` is how many steps it has of those that ended last, and of those to come next.

    Raises:
        NotFoundError: there is no such build.
    """
    build, run = context.build(name)
    known = course(run)
    return Glance(
        **msgspec.structs.asdict(build_row(context, build, run, MAX_ATTENTION)),
        now=context.now,
        phases=_phases(context, run),
        running_steps=[row(context, run, step) for step in list(run.running.values())[:MAX_STEPS]],
        failures=cards(context, run, MAX_STEPS),
        recent=[row(context, run, step) for step in known.recent[:around]],
        upcoming=[row(context, run, step) for step in known.upcoming[:around] if run.state is not BuildState.SUCCEEDED],
    )


def board(context: Context, name: str, around: int = MAX_AROUND) -> Board:
    """Return the board of a build's newest run, with so many steps of those that ended last and that come next.

    Raises:
        NotFoundError: there is no such build.
    """
    _, run = context.build(name)
    known, blocked = course(run), run.blocked()
    return Board(
        **msgspec.structs.asdict(glance(context, name, around)),
        jobs=run.jobs_used,
        concurrency=run.concurrency,
        sbu_seconds=run.seconds_per_sbu,
        blocked=[name_of(step) for step in blocked[:MAX_STEPS]],
        blocked_count=len(blocked),
        milestones=_milestones(run),
        rates=_rates(context, run),
        sums=_sums(run, known),
        notes=[NoteRow(time=time, message=shown(message)) for time, message in list(run.notes)],
        toolchain=_toolchain(run),
        suites=known.suites,
        bad_suites=[suite(each.step, each.report) for each in known.bad_suites],
        sources=sources_of(run),
    )


def _phases(context: Context, run: Run) -> list[PhaseRow]:
    phases = phases_progress(run, context.now)
    whole = sum(phase.weight for phase, _ in phases) or 1.0
    return [
        PhaseRow(
            phase=shown(phase.name),
            state=_phase_state(run, phase),
            weight_ratio=phase.weight / whole,
            progress_ratio=ratio,
            steps=counts_of(phase.states),
        )
        for phase, ratio in phases
    ]


def _phase_state(run: Run, phase: Phase) -> StateName:
    states = phase.states
    if run.status is BuildState.SUCCEEDED and states[StepState.SUCCEEDED]:
        return "succeeded"
    for state in (StepState.RUNNING, StepState.FAILED, StepState.INTERRUPTED):
        if states[state]:
            return state.label
    if not states[StepState.PENDING]:
        return "succeeded" if states[StepState.SUCCEEDED] else "skipped"
    return "running" if sum(states) > states[StepState.PENDING] else "pending"


def _milestones(run: Run) -> list[MilestoneRow]:
    return [
        MilestoneRow(
            name=shown(name),
            reached=reached,
            phase=shown_or_none(plan.phase) if plan else None,
            step=shown_or_none(plan.step) if plan else None,
            progress_ratio=plan.progress if plan else None,
        )
        for name, reached, plan in milestones_of(run)
    ]


def _rates(context: Context, run: Run) -> Rates:
    end = run.stopped or context.now
    since = run.start or end
    return Rates(
        steps_per_hour_since_start=rate(run, since, end),
        steps_per_hour_lately=rate(run, context.now - WINDOW_SECONDS, context.now),
    )


def _sums(run: Run, known: Course) -> Sums:
    return Sums(
        step_seconds=known.seconds,
        cpu_seconds=known.cpu_seconds,
        read_bytes=known.read_bytes,
        written_bytes=known.written_bytes,
        warnings=known.warnings + sum(step.warnings or 0 for step in list(run.running.values())),
        warning_flags={shown(flag): count for flag, count in run.flag_sums.most_common(MAX_AROUND)},
        failed_attempts=run.failure_counts().total(),
        retried_steps=known.retried,
        tests=known.tests,
    )


def _toolchain(run: Run) -> ToolchainView | None:
    known, tools = run.toolchain, known_tools(run)
    if known is None and not tools:
        return None
    return ToolchainView(
        summary=shown(toolchain_summary(run)),
        host=shown_or_none(known.host) if known else None,
        target=shown_or_none(known.target) if known else None,
        kernel=shown_or_none(known.kernel) if known else None,
        libc=shown_or_none(known.libc) if known else None,
        jobs=run.jobs_used,
        ccache_hit_ratio=ccache_ratio(run),
        tools=[
            Tool(tool=shown(t.tool), version=shown(t.version), role=t.role, target=shown_or_none(t.target))
            for t in tools
        ],
    )


def sources_of(run: Run) -> Sources | None:
    """Return the files that a run's steps are built from, None before any was verified."""
    verified = run.sources_verified
    if verified is None:
        return None
    return Sources(
        time=verified.time,
        directory=shown_or_none(run.tarballs),
        files={state.value: getattr(verified, state.value) for state in SourceState},
        at_risk=[
            RiskySource(
                phase=shown(step.phase),
                step=shown(step.step),
                file=shown(bad.file),
                state=bad.state,
                detail=shown_or_none(bad.detail),
            )
            for step, bad in steps_at_risk(run)
        ],
    )
