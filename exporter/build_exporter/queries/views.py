"""Views: an answer with the columns, the order and the number of rows that the configuration says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from build_exporter.config.schema import Config
from build_exporter.config.views import View
from build_exporter.model.names import nearest_names
from build_exporter.queries.common import Answer
from build_exporter.queries.context import NotFoundError
from build_exporter.queries.filters import FILTERS
from build_exporter.queries.request import Reply


class ViewRow(Answer, frozen=True):
    """A view of the configuration; `report` is the form of its section in reports, null without one."""

    name: str
    title: str
    query: str
    report: str | None


def listed(config: Config) -> Reply:
    """Return the views that the configuration has."""
    rows = [ViewRow(name=each.name, title=each.heading, query=asked(each), report=each.report) for each in config.views]
    return Reply(rows, lines=[] if rows else ["the configuration has no views; name it with --config"])


def asked(view: View) -> str:
    """Return the query of a view with its filters, as a person would type it."""
    given = filters_of(view)
    filters = (f"--{name} {_typed(value)}" if name in FILTERS else _typed(value) for name, value in given.items())
    return " ".join((view.query, *filters))


def _typed(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def find_view(config: Config, name: str) -> View:
    """Return a view by its name.

    Raises:
        NotFoundError: there is none; the text names the nearest.
    """
    named = {each.name: each for each in config.views}
    if name not in named:
        raise NotFoundError(f"the configuration has no view {name!r}; there are: {nearest_names(name, named)}")
    return named[name]


def filters_of(view: View) -> dict[str, Any]:
    """Return the options and arguments of the query that a view gives."""
    given = msgspec.structs.asdict(view.filters) if view.filters is not None else {}
    return {name: value for name, value in given.items() if value is not None}


def shaped(view: View, reply: Reply, row: type[msgspec.Struct]) -> tuple[Reply, type[msgspec.Struct]]:
    """Return an answer as a view shows it, and the type of its rows; what is not known is sorted to the end."""
    rows = list(reply.rows)
    for key in reversed(view.sort):
        rows = _sorted(rows, key)
    rows = rows[: view.limit]
    if view.columns:
        row = msgspec.defstruct("ViewRow", [(name, Any) for name in view.columns], frozen=True)
        rows = [row(*(getattr(each, name) for name in view.columns)) for each in rows]
    return reply._replace(rows=rows, answer=None), row


def _sorted(rows: Sequence[msgspec.Struct], key: str) -> list[msgspec.Struct]:
    value: Callable[[msgspec.Struct], Any] = attrgetter(key.removeprefix("-"))
    known = [each for each in rows if value(each) is not None]
    unknown = [each for each in rows if value(each) is None]
    return sorted(known, key=value, reverse=key.startswith("-")) + unknown
