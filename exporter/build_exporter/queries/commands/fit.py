"""`fit`: whether disk and memory suffice for the steps to come."""

from __future__ import annotations

from collections.abc import Iterator

from build_exporter.analysis.fit import Fit, fit_disk, fit_memory
from build_exporter.formatting import duration, size
from build_exporter.queries.common import Answer
from build_exporter.queries.context import BadRequestError, shown
from build_exporter.queries.request import Query, Reply, Request
from build_exporter.tracker import Run


class ShortageRow(Answer, frozen=True):
    """A step that will not fit, and what to do."""

    build: str
    resource: str
    phase: str
    step: str
    needed_bytes: int
    available_bytes: int
    short_bytes: int
    in_seconds: float | None
    basis: str
    advice: str


class Fits(Answer, frozen=True):
    """Needs of the steps to come compared with what is free, for each build and resource."""

    fits: list[Fit]


def fit(request: Request) -> Reply:
    """Return the steps to come that will not fit."""
    rows: list[ShortageRow] = []
    fits: list[Fit] = []
    lines: list[str] = []
    for run in request.newest():
        for each in _fits(request, run):
            fits.append(each)
            lines.append(_line(run, each))
            rows += _rows(run, each)
    lines = lines or ["no build is running: no step is to come"]
    return Reply(rows, bad=bool(rows), lines=lines, answer=Fits(fits=fits))


def _fits(request: Request, run: Run) -> Iterator[Fit]:
    """Yield both resources of a run that goes on; the caller says what is free."""
    if run.end is not None:
        return
    history = request.history(run.build)
    free, memory = request.filters.get("free"), request.filters.get("memory")
    if free is None or memory is None:
        raise BadRequestError("what is free here is not known; give --free and --memory")
    yield fit_disk(run, history, free, request.now)
    yield fit_memory(run, history, memory, request.now)


def _rows(run: Run, found: Fit) -> Iterator[ShortageRow]:
    for each in found.shortages:
        yield ShortageRow(
            build=run.build,
            resource=found.resource,
            phase=shown(each.phase),
            step=shown(each.step),
            needed_bytes=each.needed_bytes,
            available_bytes=each.available_bytes,
            short_bytes=each.short_bytes,
            in_seconds=each.in_seconds,
            basis=each.basis,
            advice=each.advice,
        )


def _line(run: Run, found: Fit) -> str:
    known = f"{found.known_steps} of {found.steps} steps to come have a known need"
    if not found.shortages:
        return f"{run.build}: {found.resource} suffices, {size(found.available_bytes)} free; {known}"
    first = found.shortages[0]
    when = "" if first.in_seconds is None else f" in {duration(first.in_seconds)}"
    return f"{run.build}: {shown(first.step)}{when} lacks {size(first.short_bytes)} of {found.resource}; {known}"


QUERY = Query(
    fit,
    ShortageRow,
    "Show whether disk and memory suffice for each step to come, from past runs, the plan and this run's own figures.",
    filters=("free", "memory"),
    example="--free 20GiB",
    not_fine="a step will not fit",
)
