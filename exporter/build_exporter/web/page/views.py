"""Values of each page's template, from the queries."""

from __future__ import annotations

from typing import Any, Final

from build_exporter.model.states import BuildState, StepState
from build_exporter.queries.alerts import AlertRow, alert_stats, alerts
from build_exporter.queries.attention import Attention
from build_exporter.queries.build import Board, board
from build_exporter.queries.builds import BuildRow, builds
from build_exporter.queries.context import BadRequestError, Context, NotFoundError
from build_exporter.queries.estimate import accuracy
from build_exporter.queries.log import LogPart, log
from build_exporter.queries.probe_list import probe_list
from build_exporter.queries.runs import runs
from build_exporter.queries.step import step
from build_exporter.queries.steps import StepFilter, StepRow, matches, row
from build_exporter.tracker import Run
from build_exporter.web.page.figures import Axis, axis, bars, segments, time_line
from build_exporter.web.page.host import HostLine, host_lines
from build_exporter.web.page.rows import Changes, Rows
from build_exporter.web.service import Service

MOST_BOARDS: Final = 12
"""Builds that are shown in full on the list of builds; the others have a line each."""
MOST_ROWS: Final = 500
MOST_NEXT: Final = 7
FIRST_ROWS: Final = 300
"""Steps in the page itself; scripts fetch the others, and without scripts the page has links to them."""
TAIL_BYTES: Final = 16384
TAIL_LINES: Final = 30
RUNBOOK: Final = {
    "failed": "BuildFailed",
    "waiting": "BuildWaitingForInput",
    "interrupted": "BuildInterrupted",
    "stuck": "BuildStepStuck",
    "slowed": "BuildStepHeldUp",
    "overdue": "BuildStepOverdue",
    "stalled": "BuildStalled",
    "sources": "BuildSourcesBad",
    "attempts": "BuildStepFailingRepeatedly",
    "tests": "BuildTestsFailed",
}
"""The alert, and heading of the runbook, that speaks of each kind of thing that needs a look."""
_URGENCY: Final = {"critical": 0, "warning": 1, "info": 2}
_STATES: Final = ("failed", "interrupted", "running", "pending", "succeeded")


def overview(service: Service, context: Context) -> dict[str, Any]:
    """Return the values of the list of builds, those first that need a look."""
    found = sorted(builds(context).builds, key=_urgency)
    boards = [board(context, each.build, 0) for each in found[:MOST_BOARDS]]
    return {
        "boards": [(each, segments(each)) for each in boards],
        "rows": found[MOST_BOARDS : MOST_BOARDS + MOST_ROWS],
        "urgent": sum(1 for each in found if each.state == "failed" or each.waiting_for),
        "journal": service.monitor.follower.root,
        "host": _host(service, context, None),
        "services": probe_list(context).probes,
        "mood": _mood([each.state for each in found]),
        "now": context.now,
    }


def _urgency(row: BuildRow) -> tuple[int, int]:
    worst = min((_URGENCY[each.severity] for each in row.attention), default=3)
    return (worst, _STATES.index(row.state) if row.state in _STATES else len(_STATES))


def _mood(states: list[str]) -> str:
    return next((state for state in _STATES if state in states), "idle")


class Wanted(StepFilter, frozen=True, kw_only=True):
    """Which steps the page itself shows: those of a filter, from the `begin`-th on (null: around those that run)."""

    begin: int | None = None


def build_page(service: Service, context: Context, name: str, rows: Rows, wanted: Wanted | None) -> dict[str, Any]:
    """Return the values of a build's page.

    With `wanted` None the rows of steps are left out: a script asks for those that changed by themselves.

    Raises:
        NotFoundError: there is no such build.
    """
    _, run = context.build(name)
    known = board(context, name, MOST_NEXT)
    along = axis(context, run)
    if wanted is not None:
        rows.update(context, run)
    log_step = _step_with_log(context, run, known)
    return {
        "b": known,
        "now": context.now,
        "accuracy": accuracy(context, known.build) if known.estimate is not None else None,
        "segments": segments(known),
        "line": time_line(known),
        "axis": along,
        "wanted": wanted or Wanted(),
        "table": _table(context, run, rows, along, wanted) if wanted is not None else None,
        "phases": [(each.phase, each.state, each.steps) for each in known.phases],
        "next": [(each, rows.minute(each.phase, each.step)) for each in known.upcoming],
        "log_step": log_step,
        "log_tail": _tail(context, name, log_step) if wanted is not None else "",
        "host": _host(service, context, run) if run.state is BuildState.RUNNING else [],
        "services": probe_list(context).probes if run.state is BuildState.RUNNING else [],
        "mood": known.state,
        "build_name": known.build,
    }


def _table(context: Context, run: Run, rows: Rows, along: Axis | None, wanted: Wanted) -> dict[str, Any]:
    """Return a part of the rows, with their bars, and where the parts before and after it begin."""
    found = sorted((step for step in list(run.steps.values()) if matches(step, wanted)), key=lambda step: step.index)
    wanted_first = (StepState.FAILED, StepState.RUNNING)
    current = next((at for state in wanted_first for at, step in enumerate(found) if step.state is state), None)
    begin = wanted.begin if wanted.begin is not None else (current or 0) - FIRST_ROWS // 3
    begin = max(0, min(begin, len(found) - FIRST_ROWS))
    part = [rows.row(context, run, step) for step in found[begin : begin + FIRST_ROWS]]
    return {
        "rows": [(row, bars(row, along, context.now) if along is not None else []) for row in part],
        "matching": len(found),
        "current": found[current].index if current is not None else None,
        "first": begin + 1,
        "last": begin + len(part),
        "before": max(0, begin - FIRST_ROWS) if begin else None,
        "after": begin + FIRST_ROWS if begin + len(part) < len(found) else None,
    }


def changed_rows(context: Context, name: str, rows: Rows, cursor: str) -> Changes:
    """Return the rows that changed since a cursor.

    Raises:
        NotFoundError: there is no such build.
    """
    _, run = context.build(name)
    rows.update(context, run)
    return rows.changed(context, run, cursor)


def step_page(context: Context, build: str, phase: str, name: str) -> dict[str, Any]:
    """Return the values of a step's page.

    Raises:
        NotFoundError: there is no such build or step.
    """
    known = step(context, build, phase, name)
    longest = max([known.seconds or 0.0, known.expected_seconds or 0.0, *(each.seconds for each in known.earlier)])
    return {
        "s": known,
        "now": context.now,
        "longest": longest,
        "mood": known.state,
        "build_name": build,
        "log_tail": "",
    }


def runs_page(context: Context, build: str) -> dict[str, Any]:
    """Return the values of the page on a build's runs.

    Raises:
        NotFoundError: there is no such build.
    """
    known = runs(context, build)
    longest = max((each.seconds or 0.0 for each in known.runs), default=0.0)
    return {"r": known, "now": context.now, "longest": longest, "mood": known.runs[0].state, "build_name": build}


def alerts_page(context: Context) -> dict[str, Any]:
    """Return the values of the page on alerts: those that fire, what else needs a look, and those that are over."""
    known = alerts(context).alerts
    firing = [each for each in known if each.state == "firing"]
    others = [
        (row.build, each, RUNBOOK.get(each.kind))
        for row in builds(context).builds
        for each in board(context, row.build, 0).attention
        if not any(_is_of(alert, row.build, each) for alert in firing)
    ]
    others.sort(key=lambda each: _URGENCY[each[1].severity])
    stats = alert_stats(context)
    return {
        "firing": firing,
        "others": others[:MOST_ROWS],
        "over": [each for each in known if each.state != "firing"][:MOST_ROWS],
        "stats": stats,
        "now": context.now,
        "mood": "failed" if any(each.severity == "critical" for each in firing) else "idle",
    }


def _is_of(alert: AlertRow, build: str, thing: Attention) -> bool:
    if alert.build != build:
        return False
    is_step = (
        thing.kind == "failed" and alert.alert == "BuildStepFailed" and alert.step == f"{thing.phase} / {thing.step}"
    )
    return is_step or alert.alert == RUNBOOK.get(thing.kind)


def _step_with_log(context: Context, run: Run, known: Board) -> StepRow | None:
    """Return the step whose log is worth watching: the one that failed last, else the one that has run longest."""
    failed = max((step for step in run.failed.values() if step.log), key=lambda step: step.end or 0.0, default=None)
    if failed is not None:
        return row(context, run, failed)
    return next((each for each in known.running_steps if each.log), None)


def _tail(context: Context, build: str, row: StepRow | None) -> str:
    """Return the last lines of a step's log, for who reads the page without scripts; empty where it can't be read."""
    if row is None or not row.log:
        return ""
    try:
        part = log(context, build, LogPart(step=f"{row.phase}/{row.step}", offset=-TAIL_BYTES, limit=TAIL_BYTES))
    except (NotFoundError, BadRequestError):
        return ""
    return "".join(part.text.splitlines(keepends=True)[-TAIL_LINES:])


def _host(service: Service, context: Context, run: Run | None) -> list[HostLine]:
    """Return the lines on the machine, with the disk that a run writes to."""
    log = next((each.log for each in list(run.running.values()) if each.log), None) if run is not None else None
    fit = next((each for each in context.fits(run) if each.resource == "disk"), None) if run is not None else None
    return host_lines(service.scrape.collectors, log or service.monitor.follower.root, fit)
