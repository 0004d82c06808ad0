"""Values of each page's template, from the queries."""

from __future__ import annotations

from typing import Any, Final

from build_exporter.analysis.fit import Fit, fit_disk
from build_exporter.model.states import BuildState
from build_exporter.queries.alerts import AlertRow, alert_stats, alerts
from build_exporter.queries.attention import Attention
from build_exporter.queries.build import Board, board
from build_exporter.queries.builds import BuildRow, builds
from build_exporter.queries.context import BadRequestError, Context, NotFoundError
from build_exporter.queries.log import LogPart, log
from build_exporter.queries.probe_list import probe_list
from build_exporter.queries.runs import runs
from build_exporter.queries.schedule import schedule
from build_exporter.queries.step import step
from build_exporter.queries.steps import StepFilter, StepRow
from build_exporter.tracker import Key, Run
from build_exporter.web.page.figures import axis, segments, time_line
from build_exporter.web.page.host import HostLine, host_lines
from build_exporter.web.page.rows import Rows, rendered
from build_exporter.web.service import Service

MOST_BOARDS: Final = 12
"""Builds that are shown in full on the list of builds; the others have a line each."""
MOST_ROWS: Final = 500
MOST_NEXT: Final = 7
TAIL_BYTES: Final = 16384
RUNBOOK: Final = {
    "failed": "BuildFailed",
    "waiting": "BuildWaitingForInput",
    "interrupted": "BuildInterrupted",
    "stuck": "BuildStepStuck",
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
    boards = [board(context, each.build) for each in found[:MOST_BOARDS]]
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


def build_page(service: Service, context: Context, name: str, rows: Rows, wanted: StepFilter | None) -> dict[str, Any]:
    """Return the values of a build's page.

    The steps that `wanted` does not want are hidden. With None the rows of steps are left out: a script asks for those
    that changed by themselves.

    Raises:
        NotFoundError: there is no such build.
    """
    _, run = context.build(name)
    known = board(context, name)
    along = axis(context, run)
    if wanted is not None:
        rows.update(context, run, along)
    planned = schedule(context, run)
    log_step = _step_with_log(known)
    return {
        "b": known,
        "now": context.now,
        "segments": segments(known),
        "line": time_line(known),
        "axis": along,
        "wanted": wanted or StepFilter(),
        "live": wanted is None,
        "cursor": rows.cursor,
        "rows": () if wanted is None else rendered(context, run, list(run.steps.values()), along, wanted),
        "next": [(each, _start(planned, run, each)) for each in known.upcoming[:MOST_NEXT]],
        "log_step": log_step,
        "log_tail": _tail(context, name, log_step) if wanted is not None else "",
        "host": _host(service, context, run) if run.state is BuildState.RUNNING else [],
        "services": probe_list(context).probes if run.state is BuildState.RUNNING else [],
        "mood": known.state,
        "build_name": known.build,
    }


def changed_rows(context: Context, name: str, rows: Rows, cursor: str) -> dict[str, Any]:
    """Return the values of the rows that changed since a cursor.

    Raises:
        NotFoundError: there is no such build.
    """
    _, run = context.build(name)
    along = axis(context, run)
    rows.update(context, run, along)
    return {
        "rows": rendered(context, run, rows.changed(run, cursor), along),
        "cursor": rows.cursor,
        "whole": rows.is_whole(cursor),
    }


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
        for each in board(context, row.build).attention
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
    return alert.build == build and alert.alert == RUNBOOK.get(thing.kind)


def _start(planned: dict[Key, tuple[float, float]], run: Run, row: StepRow) -> float | None:
    found = planned.get((row.phase, row.step))
    return found[0] if found is not None else None


def _step_with_log(known: Board) -> StepRow | None:
    """Return the step whose log is worth watching: the one that failed last, else the one that has run longest."""
    for each in known.recent if known.failures else ():
        if each.state == "failed" and each.log:
            return each
    return next((each for each in known.running_steps if each.log), None)


def _tail(context: Context, build: str, row: StepRow | None) -> str:
    """Return the end of a step's log, for who reads the page without scripts; empty where it can't be read."""
    if row is None or not row.log:
        return ""
    try:
        return log(context, build, LogPart(step=f"{row.phase}/{row.step}", offset=-TAIL_BYTES, limit=TAIL_BYTES)).text
    except (NotFoundError, BadRequestError):
        return ""


def _host(service: Service, context: Context, run: Run | None) -> list[HostLine]:
    """Return the lines on the machine, with the disk that a run writes to."""
    log = next((each.log for each in list(run.running.values()) if each.log), None) if run is not None else None

    def fit(free: int) -> Fit | None:
        if run is None:
            return None
        return fit_disk(run, list(context.builds[run.build].history.values()), free, context.now)

    return host_lines(service.scrape.collectors, log or service.monitor.follower.root, fit)
