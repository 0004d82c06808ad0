"""`compare`: a run against an earlier one, step by step."""

from __future__ import annotations

import msgspec

from build_exporter.analysis.comparison import Comparison, StepChange, compare
from build_exporter.formatting import duration
from build_exporter.queries.context import BadRequestError, shown, shown_or_none
from build_exporter.queries.request import Query, Reply, Request
from build_exporter.tracker import Run


def compare_(request: Request) -> Reply:
    """Return the newest run, or RUN, against the one before it, or WITH."""
    runs = request.newest()
    if len(runs) != 1:
        raise BadRequestError(
            "which build? name it by --build: " + (", ".join(run.build for run in runs[:5]) or "there is none")
        )
    after = request.named(runs[0].build, request.filter("first") or request.run or "newest")
    before = _before(request, after)
    history = [each for each in request.history(after.build) if each.run < after.run]
    found = compare(before, after, history)
    least = request.filter("threshold") or 0.0
    rows = [_shown(change) for change in found.steps if abs(change.difference_seconds or 0.0) >= least]
    slower = [row for row in rows if row.significant and row.cause is None and (row.difference_seconds or 0) > 0]
    return Reply(rows, bad=bool(slower), lines=lines(found), answer=found)


def _before(request: Request, after: Run) -> Run:
    wanted = request.filter("second")
    if wanted is None:
        earlier = [name for name in request.older(after.build) if name < after.run]
        if not earlier:
            raise BadRequestError(f"{after.build} has no run before {after.run} to compare with")
        wanted = earlier[-1]
    return request.named(after.build, wanted)


def lines(found: Comparison) -> list[str]:
    """Return the comparison in a few lines for a person."""
    wall = [each.wall_seconds for each in (found.before, found.after)]
    whole = " against ".join("?" if each is None else duration(each) for each in (wall[1], wall[0]))
    noise = f"noise from {found.earlier_runs} earlier runs" if found.earlier_runs >= 3 else "too few runs to know noise"
    steps = f"{duration(found.after.step_seconds)} against {duration(found.before.step_seconds)}"
    return [
        f"{found.build}: run {found.after.run} {whole} of run {found.before.run}; steps {steps}",
        f"{sum(each.significant for each in found.steps)} steps differ beyond noise; {noise}",
    ]


def _shown(change: StepChange) -> StepChange:
    return msgspec.structs.replace(
        change,
        phase=shown(change.phase),
        step=shown(change.step),
        version_before=shown_or_none(change.version_before),
        version=shown_or_none(change.version),
    )


QUERY = Query(
    compare_,
    StepChange,
    "Compare the newest run, or FIRST, with the one before it, or SECOND, step by step.",
    filters=("threshold", "limit"),
    arguments=("first", "second"),
    example="--build lfs-12.4 newest previous",
    not_fine="a step is slower beyond noise, and no new version or cold cache explains it",
)
