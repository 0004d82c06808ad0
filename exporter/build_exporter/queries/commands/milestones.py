"""`milestones`: those reached and those to come."""

from __future__ import annotations

from collections.abc import Iterator

from build_exporter.model.events import PlannedMilestone
from build_exporter.model.states import BuildState
from build_exporter.queries.common import Answer, milestones_of
from build_exporter.queries.context import shown
from build_exporter.queries.request import Query, Reply, Request
from build_exporter.tracker import Run


class MilestoneRow(Answer, frozen=True):
    """A milestone; `reached` is when, `after_seconds` how long after the run's start, `by` what reaches it."""

    build: str
    run: str
    milestone: str
    state: str
    reached: float | None
    after_seconds: float | None
    by: str | None


def milestones(request: Request) -> Reply:
    """Return milestones, reached ones by time, then those to come."""
    runs = request.runs()
    rows = [row for run in runs for row in _rows(request, run)]
    over = {run.run for run in runs if run.status is BuildState.SUCCEEDED}
    return Reply(rows, bad=any(row.state == "to come" and row.run in over for row in rows))


def _rows(request: Request, run: Run) -> Iterator[MilestoneRow]:
    for name, when, planned in milestones_of(run):
        if request.window is None or request.in_window(when):
            yield MilestoneRow(
                build=run.build,
                run=run.run,
                milestone=shown(name),
                state="to come" if when is None else "reached",
                reached=when,
                after_seconds=when - run.start if when is not None and run.start is not None else None,
                by=_by(planned),
            )


def _by(planned: PlannedMilestone | None) -> str | None:
    if planned is None:
        return None
    if planned.progress is not None:
        return f"progress {planned.progress:.0%}"
    return shown(planned.step or planned.phase or "") or None


QUERY = Query(
    milestones,
    MilestoneRow,
    "List the milestones of a run: when each was reached and what reaches those to come.",
    example="--build lfs-12.4",
    not_fine="a build has succeeded without one of its milestones",
)
