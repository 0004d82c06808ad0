"""`analyze`: where a run's time went and what would save most."""

from __future__ import annotations

import os
from collections.abc import Iterator

from build_exporter.analysis.bottlenecks import Analysis, analyze
from build_exporter.formatting import count_of, duration
from build_exporter.queries.common import Answer
from build_exporter.queries.context import shown
from build_exporter.queries.request import Query, Reply, Request

_BOUNDS = {"cpu": "the CPUs", "memory": "memory", "io": "the disk", "serial": "one process at a time"}
SHOWN_PHASES = 3
SHOWN_STEPS = 5
SHOWN_ADVICE = 5


class AdviceRow(Answer, frozen=True):
    """A change worth trying, with the time it saves and how that is worked out."""

    build: str
    run: str
    action: str
    saves_seconds: float
    arithmetic: str
    evidence: str


class Analyses(Answer, frozen=True):
    """The analysis of each run asked about."""

    analyses: list[Analysis]


def analyze_(request: Request) -> Reply:
    """Return where the time of each run went, and what would save most."""
    found = [analyze(run, request.history(run.build), os.cpu_count()) for run in request.runs()]
    rows = [
        AdviceRow(
            build=each.build,
            run=each.run,
            action=shown(advice.action),
            saves_seconds=advice.saves_seconds,
            arithmetic=shown(advice.arithmetic),
            evidence=shown("; ".join(advice.evidence)),
        )
        for each in found
        for advice in each.recommendations[:SHOWN_ADVICE]
    ]
    return Reply(rows, lines=[line for each in found for line in lines(each)], answer=Analyses(analyses=found))


def lines(found: Analysis) -> Iterator[str]:
    """Yield the analysis in at most six lines for a person."""
    wall = "" if found.wall_seconds is None else f" in {duration(found.wall_seconds)}"
    yield f"{found.build}, run {found.run}: {duration(found.step_seconds)} of steps{wall}" + _cpu(found)
    if found.phases:
        yield "phases: " + ", ".join(
            f"{shown(row.phase)} {row.share:.0%} ({duration(row.seconds)})" for row in found.phases[:SHOWN_PHASES]
        )
    if found.slowest:
        yield "slowest: " + ", ".join(
            f"{shown(row.step)} {duration(row.seconds)} ({row.share:.0%})" for row in found.slowest[:SHOWN_STEPS]
        )
    if found.bounds:
        shares = ", ".join(f"{_BOUNDS[bound]} {share:.0%}" for bound, share in found.bounds.items())
        yield f"held up by: {shares}"
    slower = [each for each in found.differences.differences if each.is_regression]
    if found.differences.earlier_runs:
        pace = found.differences.pace_ratio
        yield (
            f"against {count_of(found.differences.earlier_runs, 'earlier run')}: {abs(pace - 1):.0%} "
            f"{'slower' if pace > 1 else 'faster'} overall, {count_of(len(slower), 'step')} slower beyond noise"
        )
    if found.recommendations:
        first = found.recommendations[0]
        yield f"saves most: {shown(first.action)} ({duration(first.saves_seconds)} = {shown(first.arithmetic)})"


def _cpu(found: Analysis) -> str:
    if found.parallel_efficiency_ratio is None or found.serial_ratio is None:
        return ""
    return (
        f", {found.parallel_efficiency_ratio:.0%} of -j{found.jobs} in use, "
        f"{found.serial_ratio:.0%} of the time on one core"
    )


QUERY = Query(
    analyze_,
    AdviceRow,
    "Show where a run's time went: phases, slowest steps, parallel efficiency, and what would save most.",
    example="--build lfs-12.4",
)
