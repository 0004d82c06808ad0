"""`timeline`: steps in time, and whether the build is on schedule."""

from __future__ import annotations

from collections.abc import Iterator

from build_exporter.analysis.schedule import Schedule, deadline_of, schedule
from build_exporter.formatting import clock_time, duration
from build_exporter.model.states import StepState
from build_exporter.queries.common import Answer
from build_exporter.queries.context import shown
from build_exporter.queries.request import Query, Reply, Request
from build_exporter.tracker import Run


class TimelineRow(Answer, frozen=True):
    """A step that has begun; `deviation_seconds` is how much longer it took than expected when it began."""

    build: str
    run: str
    phase: str
    step: str
    state: str
    start: float
    end: float | None
    seconds: float | None
    deviation_seconds: float | None
    late: bool


class RunSchedule(Answer, frozen=True):
    """A run against its deadline."""

    build: str
    run: str
    schedule: Schedule


class Timeline(Answer, frozen=True):
    """Steps in the order of their starts, and the schedule of each run that has a deadline."""

    schedules: list[RunSchedule]
    rows: list[TimelineRow]


def timeline(request: Request) -> Reply:
    """Return steps in the order of their starts, and how runs stand against their deadlines."""
    runs = request.runs()
    rows = [row for run in runs for row in _rows(request, run)]
    rows.sort(key=lambda row: row.start)
    schedules = [each for run in runs for each in _schedules(request, run)]
    return Reply(
        rows,
        bad=any(each.schedule.state in ("late", "missed") for each in schedules),
        lines=[_line(each) for each in schedules],
        answer=Timeline(schedules=schedules, rows=rows),
    )


def _schedules(request: Request, run: Run) -> Iterator[RunSchedule]:
    planned = request.filters.get("schedule")
    configured = (planned.deadline, planned.duration) if planned is not None else (None, None)
    deadline = deadline_of(run, *configured)
    if deadline is None:
        return
    given = request.filter("tolerance")
    tolerance = given if given is not None else planned.tolerance if planned is not None else 0.05
    left = request.context.estimate(run, request.now)
    band = (left.low, left.middle, left.high) if left is not None else None
    found = schedule(run, deadline, tolerance, band, request.now)
    yield RunSchedule(build=run.build, run=run.run, schedule=found)


def _rows(request: Request, run: Run) -> Iterator[TimelineRow]:
    tolerance = request.filter("tolerance")
    for step in list(run.steps.values()):
        if step.start is None or not (request.window is None or request.in_window(step.start)):
            continue
        running = step.state is StepState.RUNNING
        seconds = request.now - step.start if running else step.seconds
        expected = step.expected_at_start
        beyond = seconds - expected if seconds is not None and expected is not None else None
        allowed = (tolerance if tolerance is not None else 0.05) * (expected or 0.0)
        yield TimelineRow(
            build=run.build,
            run=run.run,
            phase=shown(step.phase),
            step=shown(step.step),
            state=step.state.label,
            start=step.start,
            end=None if running else step.end,
            seconds=seconds,
            deviation_seconds=beyond,
            late=beyond is not None and beyond > max(allowed, 1.0),
        )


def _line(each: RunSchedule) -> str:
    found = each.schedule
    words = [f"{each.build}: {found.state}, deadline {clock_time(found.deadline)}"]
    if found.deviation_seconds is not None:
        side = "after" if found.deviation_seconds > 0 else "before"
        words.append(f"ends {duration(abs(found.deviation_seconds))} {side} it")
    if found.late_probability is not None and found.state in ("on-schedule", "at-risk", "late"):
        words.append(f"late with a probability of {found.late_probability:.0%}")
    return ", ".join(words)


QUERY = Query(
    timeline,
    TimelineRow,
    "Show steps in time with their deviation from what was expected, and how the build stands against its deadline.",
    filters=("tolerance", "limit"),
    example="--tolerance 0.1",
    not_fine="a build is late or has missed its deadline",
)
