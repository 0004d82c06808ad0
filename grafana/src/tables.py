"""Tables: their columns, the widths that must fit, and a row in words where there is nothing to show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from layout import COLUMNS
from style import (
    COLOURS,
    CRITICAL,
    GOOD,
    NEUTRAL,
    STEP_STATES,
    WARNING,
    About,
    Json,
    Query,
    fixed,
    panel,
    state_mapping,
    thresholds,
)

SMALLEST_SCREEN: Final = 1280
"""Width in px at which no column may be cut."""
_NAVIGATION: Final = 300
"""Grafana's own menu, which is open from this width on."""
_PAGE_PADDING: Final = 32
_GAP: Final = 8
_PANEL_PADDING: Final = 18
"""Of a panel on both sides, with its border."""
_SCROLLBAR: Final = 12
FLEXIBLE: Final = 130
"""Least width of a column without one of its own."""

BAR: Final[tuple[Json, ...]] = (
    {"id": "custom.cellOptions", "value": {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}},
    {"id": "min", "value": 0},
    {"id": "max", "value": 1},
    # a phase whose last step is not done must not read 100 %
    {"id": "decimals", "value": 1},
    {"id": "color", "value": fixed(COLOURS["running"])},
)
"""A bar from 0 to 1."""
COLOURED_TEXT: Final[Json] = {"id": "custom.cellOptions", "value": {"type": "color-text"}}
WRAPPED: Final[tuple[Json, ...]] = (
    # where Grafana looks for it since 12.2, and before
    {"id": "custom.wrapText", "value": True},
    {"id": "custom.cellOptions", "value": {"type": "auto", "wrapText": True}},
)
NO_NUMBER: Final[Json] = {"type": "special", "options": {"match": "nan", "result": {"text": "-", "index": 99}}}
"""How a cell without a number is shown: those of the row in words, and a ratio to nothing."""
WHOLE: Final[tuple[Json, ...]] = ({"id": "decimals", "value": 0},)


def words(mappings: list[Json]) -> tuple[Json, ...]:
    """Return the properties of a column that shows its numbers by value mappings."""
    return (COLOURED_TEXT, {"id": "mappings", "value": [*mappings, NO_NUMBER]})


def coloured_from(*steps: tuple[float, str], decimals: int = 0) -> tuple[Json, ...]:
    """Return the properties of a column whose text takes a colour from a value on."""
    found = thresholds((None, NEUTRAL), *steps)
    return (COLOURED_TEXT, {"id": "thresholds", "value": found}, {"id": "decimals", "value": decimals})


STEP_RESULT: Final = words(state_mapping(STEP_STATES))
BAD_FROM_ONE: Final = coloured_from((1, CRITICAL))
AGAINST_EXPECTED: Final = (*coloured_from((0, GOOD), (1.25, WARNING), (2, CRITICAL)),)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: the label or the query (its place, from 0) it shows, and how.

    Without a `width` it takes what is left, at least `FLEXIBLE`. A `hidden` one is there for the links of others.
    """

    title: str
    label: str = ""
    query: int = -1
    unit: str = ""
    width: int = 0
    hidden: bool = False
    properties: Sequence[Json] = field(default=())


def room(width: int) -> int:
    """Return how many px the columns of a table have on the smallest screen, of its width in the grid's columns."""
    column = (SMALLEST_SCREEN - _NAVIGATION - _PAGE_PADDING - _GAP * (COLUMNS - 1)) / COLUMNS
    return int(column * width + _GAP * (width - 1)) - _PANEL_PADDING - _SCROLLBAR


def nothing(label: str, words: str) -> str:
    """Return PromQL that gives one row with `words` in a column where the expression before it gives none.

    Grafana shows the columns of an empty table, or half of them, and no words.
    """
    return f' or on () label_replace(vector(NaN), "{label}", "{words}", "", "")'


def table(
    about: About,
    *queries: Query,
    columns: Sequence[Column],
    sort: str = "",
    descending: bool = True,
    links: Iterable[Json] = (),
) -> Json:
    """Return a table: a row for each set of labels, the queries side by side; columns in the order given.

    The first column takes the panel's words where the first query gives nothing, and `links`.
    """
    first, *rest = queries
    never_empty = Query(first.expr + nothing(columns[0].label, about.nothing))
    made = panel("table", about, (never_empty, *rest), _options(sort, descending=descending), table=True)
    made["transformations"] = _transformations(len(queries), columns)
    custom = {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": False, "minWidth": FLEXIBLE}
    made["fieldConfig"]["defaults"].update({"custom": custom, "mappings": [NO_NUMBER]})
    linked = list(links)
    made["fieldConfig"]["overrides"] = [
        _column_override(column, linked if place == 0 else []) for place, column in enumerate(columns)
    ]
    return made


def _options(sort: str, *, descending: bool) -> Json:
    return {
        "showHeader": True,
        "cellHeight": "sm",
        "sortBy": [{"displayName": sort, "desc": descending}] if sort else [],
        "enablePagination": False,
    }


def _transformations(queries: int, columns: Sequence[Column]) -> list[Json]:
    names = [
        column.label or (f"Value #{chr(ord('A') + column.query)}" if queries > 1 else "Value") for column in columns
    ]
    values = [f"Value #{chr(ord('A') + each)}" for each in range(queries)] if queries > 1 else ["Value"]
    hidden = {"Time": True, **{name: True for name in values if name not in names}}
    return [
        *([{"id": "merge", "options": {}}] if queries > 1 else []),
        {
            "id": "organize",
            "options": {
                "excludeByName": hidden,
                "indexByName": {name: place for place, name in enumerate(names)},
                "renameByName": {name: column.title for name, column in zip(names, columns, strict=True)},
            },
        },
        # labels that only join the queries are no columns
        {"id": "filterFieldsByName", "options": {"include": {"names": [column.title for column in columns]}}},
    ]


def _column_override(column: Column, links: Sequence[Json]) -> Json:
    # the panel's own text for nothing is of the whole table, not of a cell
    properties: list[Json] = [{"id": "noValue", "value": "-"}]
    if column.unit:
        properties.append({"id": "unit", "value": column.unit})
    if column.hidden:
        # the name Grafana has for it since 12, and the one before
        properties.append({"id": "custom.hideFrom.viz", "value": True})
        properties.append({"id": "custom.hidden", "value": True})
    if column.width:
        properties.append({"id": "custom.width", "value": column.width})
    if links:
        properties.append({"id": "links", "value": list(links)})
    properties.extend(column.properties)
    return {"matcher": {"id": "byName", "options": column.title}, "properties": properties}
