"""Sections of a report that the configuration adds: a view, asked about the report's run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from build_exporter.config.views import ReportForm, View
from build_exporter.formatting import date_time
from build_exporter.queries.cells import cell, header, unit_name
from build_exporter.queries.commands import find
from build_exporter.queries.common import Answer
from build_exporter.queries.context import BadRequestError, NotFoundError
from build_exporter.queries.request import Reply, Request, Window
from build_exporter.queries.views import asked, filters_of, shaped
from build_exporter.tracker import Run


class SectionBar(Answer, frozen=True):
    """A row as a bar: label, length in the unit of its column and as a person reads it, the row's texts, its colour."""

    label: str
    length: float
    value: str
    detail: str
    state: str


class Section(Answer, frozen=True):
    """A section with its answer: `rows` for programs, `cells` as a person reads them, a list a row of `headings`.

    `numbers` says of each column whether it holds numbers; `bars` is empty unless the form is `bars`. `lines` are what
    the query says before its rows, `reason` is why there is no answer, else null.
    """

    title: str
    form: ReportForm
    query: str
    lines: list[str]
    headings: list[str]
    numbers: list[bool]
    cells: list[list[str]]
    rows: list[dict[str, Any]]
    bars: list[SectionBar]
    reason: str | None


def section_of(view: View, request: Request, run: Run) -> Section:
    """Return the section of a view; a query that can't be answered is a reason, and never ends the report."""
    query = find(view.query)
    end = run.stopped or request.now
    window = Window(end - view.window, end) if view.window is not None else None
    filters = {**request.filters, **filters_of(view)}
    about = replace(request, build=run.build, run=run.run, window=window, filters=filters)
    try:
        # every column: a label or a unit may be in one that is not shown
        reply, _ = shaped(msgspec.structs.replace(view, columns=()), query.run(about), query.row)
    except (BadRequestError, NotFoundError) as problem:
        return _filled(view, Reply([]), [], str(problem))
    columns = view.columns or [each for each in query.row.__struct_fields__ if _is_shown(each, reply.rows)]
    return _filled(view, reply, columns, None)


def _is_shown(name: str, rows: Sequence[msgspec.Struct]) -> bool:
    return name not in ("build", "run") and any(getattr(row, name) not in (None, "") for row in rows)


def _filled(view: View, reply: Reply, columns: Sequence[str], reason: str | None) -> Section:
    return Section(
        title=view.heading,
        form=view.report or "table",
        query=asked(view),
        lines=list(reply.lines),
        headings=[header(name) for name in columns],
        numbers=[not any(isinstance(getattr(row, name), str) for row in reply.rows) for name in columns],
        cells=[[_cell(row, name) for name in columns] for row in reply.rows],
        rows=[{name: getattr(row, name) for name in columns} for row in reply.rows],
        bars=[_bar(row, view.value, columns) for row in reply.rows] if view.value is not None else [],
        reason=reason,
    )


def _cell(row: msgspec.Struct, name: str) -> str:
    return cell(unit_name(name, row), getattr(row, name), date_time)


def _bar(row: msgspec.Struct, value: str, columns: Sequence[str]) -> SectionBar:
    texts = [name for name in columns if isinstance(getattr(row, name), str)]
    label = "step" if hasattr(row, "step") else next(iter(texts), value)
    return SectionBar(
        label=_cell(row, label),
        length=max(0.0, float(getattr(row, value) or 0.0)),
        value=_cell(row, value),
        detail=", ".join(_cell(row, name) for name in texts),
        state=getattr(row, "state", "phase"),
    )
