"""Options of queries beside the common ones, for the command line and for the configuration's views."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from typing import Annotated, Any, Final, Literal, cast, get_type_hints

import msgspec

from build_exporter.config.failures import ErrorClass
from build_exporter.config.kinds import Question, Questions
from build_exporter.config.section import Section, about
from build_exporter.model.states import StateName
from build_exporter.queries.commands import SUMMARIES, find

FILTERS: Final[Mapping[str, Any]] = {
    "status": Annotated[StateName | None, about("Only steps in this state.")],
    "phase": Annotated[str | None, about("Only steps of this phase.", "name")],
    "severity": Annotated[Literal["critical", "warning"] | None, about("Only errors of this severity.")],
    "class": Annotated[ErrorClass | None, about("Only failures of this class.")],
    "threshold": Annotated[float | None, about("From where on the answer is not fine, or a row is shown.", "number")],
    "tolerance": Annotated[float | None, about("Lateness that is still on schedule.", "ratio", within=(0, 10))],
    "metric": Annotated[Literal["last", "avg", "p50", "p95", "max"] | None, about("Over the window, of Prometheus.")],
    "resource": Annotated[
        tuple[Literal["cpu", "memory", "disk", "io"], ...] | None, about("Only these resources. Default: all.")
    ],
    "trend": Annotated[Literal["increasing", "decreasing", "steady"] | None, about("Only what moves so.")],
    "bucket": Annotated[float | None, about("Length of each part, as 30m.", "seconds", within=(1, None))],
    "limit": Annotated[int | None, about("At most so many rows.", "count", within=(1, None))],
    "free": Annotated[
        int | None, about("Free disk space. Default: what is free where the journal is.", "bytes", within=(0, None))
    ],
    "memory": Annotated[
        int | None, about("Available memory. Default: what is available on this machine.", "bytes", within=(0, None))
    ],
}
"""Each option with its type, meaning and form; a further one is a row."""

ARGUMENTS: Final[Mapping[str, Any]] = {
    "package": Annotated[str | None, about("Only this package.", "name")],
    "first": Annotated[str | None, about("The earlier run.", "name")],
    "second": Annotated[str | None, about("The later run.", "name")],
    "name": Annotated[str | None, about("The saved query.", "name")],
}
"""What queries take by its position on the command line, and by its name in a view."""


def questions() -> Questions:
    """Return what the configuration needs to know of every query: what its views may say."""
    return {name: partial(_question, name) for name in SUMMARIES}


@cache
def _question(name: str) -> Question:
    query = find(name)
    known = {**FILTERS, **ARGUMENTS}
    taken = [(each, known[each], None) for each in (*query.filters, *query.arguments)]
    # a view has its own limit, which counts after sorting
    fields = [each for each in taken if each[0] != "limit"]
    form = cast(
        "type[Section]",
        msgspec.defstruct("Filters", fields, bases=(Section,), frozen=True, kw_only=True, forbid_unknown_fields=True),
    )
    types = get_type_hints(query.row)
    numbers = [each for each in query.row.__struct_fields__ if types[each] in (int, float, int | None, float | None)]
    return Question(form, query.row.__struct_fields__, numbers)
