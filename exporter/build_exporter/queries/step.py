"""`step`: one step with its tests, its needs, its attempts, and how long it took in earlier runs."""

from __future__ import annotations

import msgspec

from build_exporter.failures import Card
from build_exporter.queries.common import Answer
from build_exporter.queries.context import Context, shown
from build_exporter.queries.steps import StepRow, row
from build_exporter.queries.suites import Suite, suites_of

MAX_EARLIER = 50


class EarlierRun(Answer, frozen=True):
    """Duration of the step in an earlier run where it succeeded."""

    run: str
    start: float | None
    seconds: float


class StepDetail(StepRow, frozen=True):
    """A step with everything known of it; `failure` is its first-error card while it has failed.

    `attempt_starts` and `attempt_ends` are of the newest attempts. `after` names what must be done before it.
    """

    build: str
    run: str
    now: float
    sbu: float | None
    planned_disk_bytes: int | None
    planned_memory_bytes: int | None
    after: list[str]
    sources: list[str]
    attempt_starts: list[float]
    attempt_ends: list[float]
    suites: list[Suite]
    warning_flags: dict[str, int]
    earlier: list[EarlierRun]
    failure: Card | None


def step(context: Context, build: str, phase: str, name: str) -> StepDetail:
    """Return one step of a build's newest run.

    Raises:
        NotFoundError: there is no such build or step.
    """
    known, run = context.build(build)
    found = context.step(run, phase, name)
    earlier = [
        EarlierRun(run=summary.run, start=summary.start, seconds=seconds)
        for summary in sorted(known.history.values(), key=lambda each: each.run, reverse=True)
        if (seconds := summary.steps.get(found.key)) is not None
    ]
    return StepDetail(
        **msgspec.structs.asdict(row(context, run, found)),
        build=run.build,
        run=run.run,
        now=context.now,
        sbu=found.sbu,
        planned_disk_bytes=found.planned_disk_bytes,
        planned_memory_bytes=found.planned_memory_bytes,
        after=[shown(need) for need in found.after],
        sources=[shown(source.file) for source in found.sources],
        attempt_starts=list(found.starts),
        attempt_ends=list(found.ends),
        suites=suites_of([found]),
        warning_flags={shown(flag): count for flag, count in run.warning_flags.get(found.key, {}).items()},
        earlier=earlier[:MAX_EARLIER],
        failure=context.card(run, found) if found.key in run.failed else None,
    )
