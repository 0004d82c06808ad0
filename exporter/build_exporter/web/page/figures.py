"""Figures of the page, as percentages of a width: segments of progress, bars of steps in time, marks on a time line."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from build_exporter.formatting import percent
from build_exporter.model.states import BuildState
from build_exporter.queries.build import Board, MilestoneRow
from build_exporter.queries.context import Context
from build_exporter.tracker import Run
from build_exporter.web.page.rows import Row

LEAST_SPAN: Final = 60.0
"""Seconds that a time axis covers at least."""
_GROWTH: Final = 1.12
"""A running build's axis grows by this factor at a time, so that bars drawn stay where they are."""
_TICKS: Final = (60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 14400, 21600, 43200, 86400, 172800, 604800)
_MOST_TICKS: Final = 7


@dataclass(frozen=True, slots=True)
class Segment:
    """A phase's part of the progress: where it is and how much of it is done, in percent."""

    x: float
    width: float
    fill: float
    state: str
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A time on an axis."""

    x: float
    when: float


@dataclass(frozen=True, slots=True)
class Axis:
    """Time from left to right: Unix seconds of both ends, `now` in percent (None: over)."""

    begin: float
    end: float
    now: float | None
    ticks: tuple[Tick, ...]

    def x(self, when: float) -> float:
        """Return where a time is, in percent, within the axis."""
        return round(max(0.0, min(100.0, 100.0 * (when - self.begin) / (self.end - self.begin))), 2)


@dataclass(frozen=True, slots=True)
class Bar:
    """A piece of a step's lane: `fill`, `over` (beyond the time expected), or `ghost` (to come)."""

    kind: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A milestone on the time line: reached at `when`, or expected then where that is known."""

    name: str
    reached: bool
    when: float | None
    x: float


@dataclass(frozen=True, slots=True)
class TimeLine:
    """Milestones from the start of a run to its end; `now` and `deadline` in percent."""

    marks: tuple[Mark, ...]
    now: float
    deadline: float | None


def segments(board: Board) -> list[Segment]:
    """Return the progress of a build by phase; empty where the steps to come are not known."""
    if board.progress_ratio is None:
        return []
    found, x = [], 0.0
    for phase in board.phases:
        width = 100.0 * phase.weight_ratio
        title = f"{phase.phase}: {percent(phase.progress_ratio)}"
        found.append(Segment(round(x, 3), round(width, 3), round(100.0 * phase.progress_ratio, 2), phase.state, title))
        x += width
    return found


def axis(context: Context, run: Run) -> Axis | None:
    """Return the time axis of a run's steps, None before its start."""
    if run.start is None:
        return None
    over = run.end if run.end is not None else (run.last_event if run.state is not BuildState.RUNNING else None)
    span = max(LEAST_SPAN, (over or context.now) - run.start)
    if over is None:
        left = context.estimate(run, context.now)
        # some room to the right, in steps: not each event moves every bar
        span = max(span + (left.middle if left is not None else 0.0), LEAST_SPAN) / LEAST_SPAN
        span = LEAST_SPAN * _GROWTH ** math.ceil(math.log(span, _GROWTH))
    bare = Axis(run.start, run.start + span, None, ())
    now = bare.x(context.now) if over is None else None
    return Axis(bare.begin, bare.end, now, tuple(Tick(bare.x(when), when) for when in _ticks(bare)))


def _ticks(bare: Axis) -> Iterator[float]:
    span = bare.end - bare.begin
    step = next((each for each in _TICKS if span / each <= _MOST_TICKS), math.ceil(span / _MOST_TICKS))
    when = math.ceil(bare.begin / step) * step
    while when < bare.end:
        if 2.0 <= bare.x(when) <= 97.0:
            yield float(when)
        when += step


def bars(row: Row, along: Axis, now: float) -> list[Bar]:
    """Return what to draw of a step, for who reads the page without scripts; `steps.js` draws the same."""
    if row.begin is not None and row.until is not None:
        return [_bar("ghost", along, row.begin, row.until)]
    end = now if row.state == "running" else row.end
    begin = row.start if row.start is not None else (row.end or 0.0) - (row.seconds or 0.0)
    if row.state == "pending" or end is None:
        return []
    due = begin + (row.expected or math.inf)
    if row.state != "running":
        return [_bar("fill", along, begin, end)]
    drawn = [_bar("fill", along, begin, min(end, due) if row.overdue else end)]
    if row.overdue and due < end:
        drawn.append(_bar("over", along, due, end))
    elif end < due < math.inf:
        drawn.append(_bar("ghost", along, end, due))
    return drawn


def _bar(kind: str, along: Axis, begin: float, end: float) -> Bar:
    x = along.x(begin)
    return Bar(kind, x, round(max(0.05, along.x(end) - x), 2))


def time_line(board: Board) -> TimeLine | None:
    """Return the milestones of a build on its time, None where it has none."""
    if not board.milestones or board.start is None:
        return None
    left = board.estimate
    over = board.end if board.end is not None else board.now
    end = max(over, left.end.p50 if left is not None else over, board.start + LEAST_SPAN)
    whole = Axis(board.start, end, None, ())
    marks = tuple(_mark(each, board, whole) for each in board.milestones)
    deadline = whole.x(board.deadline) if board.deadline is not None and board.deadline <= end else None
    return TimeLine(marks, whole.x(over), deadline)


def _mark(milestone: MilestoneRow, board: Board, whole: Axis) -> Mark:
    when = milestone.reached if milestone.reached is not None else _expected(milestone, board)
    x = whole.x(when) if when is not None else 100.0
    if milestone.reached is None and board.state in ("failed", "interrupted") and not board.running:
        when = None  # nobody knows when it goes on
    return Mark(milestone.name, milestone.reached is not None, when, x)


def _expected(milestone: MilestoneRow, board: Board) -> float | None:
    """Return when a milestone should be reached: where its phase ends, or its progress comes, in the time left."""
    done, left = board.progress_ratio, board.estimate
    share = milestone.progress_ratio if milestone.progress_ratio is not None else _share(milestone.phase, board)
    if done is None or left is None or share is None or done >= 1.0:
        return None
    return board.now + left.remaining_seconds.p50 * max(0.0, share - done) / (1.0 - done)


def _share(name: str | None, board: Board) -> float | None:
    """Return the share of the whole that is done when a phase is."""
    total = 0.0
    for phase in board.phases:
        total += phase.weight_ratio
        if phase.phase == name:
            return total
    return None
