"""Shared parts of all dashboards: colours, words, data source, and panels as plain dicts in Grafana's classic JSON.

A colour means one thing everywhere: blue runs, green is good, orange needs attention, red needs action.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

Json = dict[str, Any]

DATASOURCE: Final[Json] = {"type": "prometheus", "uid": "${datasource}"}
PLUGIN_VERSION: Final = "13.2.3"
"""Named in each panel, so that Grafana takes it as it is and runs no migration of older forms."""
SCHEMA_VERSION: Final = 42

PAGE_URL: Final = "http://localhost:10110/"
ALERTMANAGER_URL: Final = "http://localhost:9093/"

COLOURS: Final = {
    "pending": "#808080",
    "running": "blue",
    "succeeded": "green",
    "failed": "red",
    "skipped": "purple",
    "interrupted": "orange",
}
BUILD_STATES: Final = ("pending", "running", "succeeded", "failed", "interrupted")
"""In the order of the numbers the dashboards give them."""
STEP_STATES: Final = ("pending", "running", "succeeded", "failed", "skipped", "interrupted")
"""In the order of the values of `build_step_status`."""

GOOD: Final = "green"
WARNING: Final = "orange"
CRITICAL: Final = "red"
NEUTRAL: Final = "text"

SECONDS: Final = "s"
BYTES: Final = "bytes"
RATE: Final = "binBps"
RATIO: Final = "percentunit"
COUNT: Final = "short"
CELSIUS: Final = "celsius"
EVENTS: Final = "ops"
MOMENT: Final = "dateTimeAsIsoNoDateIfToday"
"""Takes milliseconds."""


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression; `legend` names its series, in `{{label}}` templates."""

    expr: str
    legend: str = ""
    instant: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: the label or the query (its place, from 0) it shows, and how."""

    title: str
    label: str = ""
    query: int = -1
    unit: str = ""
    width: int = 0
    properties: Sequence[Json] = field(default=())


def thresholds(*steps: tuple[float | None, str]) -> Json:
    """Return thresholds: each colour holds from its value on, the first from the start (None)."""
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in steps]}


def mapping(texts: Mapping[str, tuple[str, str]]) -> list[Json]:
    """Return value mappings from values to text and colour."""
    options = {
        value: {"text": text, "color": colour, "index": index}
        for index, (value, (text, colour)) in enumerate(texts.items())
    }
    return [{"type": "value", "options": options}]


def state_mapping(states: Sequence[str]) -> list[Json]:
    """Return the mapping of numbered states to their words and colours."""
    return mapping({str(number): (state.capitalize(), COLOURS[state]) for number, state in enumerate(states)})


def override(matcher: str, options: object, **properties: object) -> Json:
    """Return an override of the fields a matcher finds; `custom__x` stands for the property `custom.x`."""
    found = [{"id": name.replace("__", "."), "value": value} for name, value in properties.items()]
    return {"matcher": {"id": matcher, "options": options}, "properties": found}


def fixed(colour: str) -> Json:
    """Return the colouring by one colour whatever the value."""
    return {"mode": "fixed", "fixedColor": colour}


def link(title: str, url: str, *, new_tab: bool = False) -> Json:
    """Return a data link."""
    return {"title": title, "url": url, "targetBlank": new_tab}


def _targets(queries: Sequence[Query], *, table: bool) -> list[Json]:
    return [
        {
            "refId": chr(ord("A") + place),
            "datasource": DATASOURCE,
            "editorMode": "code",
            "expr": query.expr,
            "format": "table" if table else "time_series",
            "instant": table or query.instant,
            "range": not (table or query.instant),
            "legendFormat": query.legend or "__auto",
        }
        for place, query in enumerate(queries)
    ]


@dataclass(frozen=True, slots=True)
class About:
    """Required facts of a panel: fixed id, title, description, unit, and the text without data."""

    id: int
    title: str
    description: str
    unit: str
    nothing: str


def _panel(kind: str, about: About, queries: Sequence[Query], options: Json, *, table: bool = False) -> Json:
    return {
        "id": about.id,
        "type": kind,
        "title": about.title,
        "description": about.description,
        "datasource": DATASOURCE,
        "pluginVersion": PLUGIN_VERSION,
        "targets": _targets(queries, table=table),
        "options": options,
        "fieldConfig": {
            "defaults": {
                "unit": about.unit,
                "noValue": about.nothing,
                "color": {"mode": "thresholds"},
                "thresholds": thresholds((None, NEUTRAL)),
                "mappings": [],
                "custom": {},
            },
            "overrides": [],
        },
    }


def _reduced() -> Json:
    return {"calcs": ["lastNotNull"], "fields": "", "values": False}


def stat(about: About, *queries: Query, text: str = "auto", coloured: bool = False, **defaults: object) -> Json:
    """Return a tile with the newest value of each series; `text` is Grafana's text mode, `coloured` fills the tile."""
    panel = _panel(
        "stat",
        about,
        queries,
        {
            "reduceOptions": _reduced(),
            "orientation": "auto",
            "textMode": text,
            "colorMode": "background_solid" if coloured else "value",
            "graphMode": "none",
            "justifyMode": "center",
            "wideLayout": True,
            "showPercentChange": False,
        },
    )
    panel["fieldConfig"]["defaults"].update(defaults)
    return panel


def bars(about: About, *queries: Query, **defaults: object) -> Json:
    """Return horizontal bars from 0 to 1, one a series."""
    panel = _panel(
        "bargauge",
        about,
        queries,
        {
            "reduceOptions": _reduced(),
            "orientation": "horizontal",
            "displayMode": "basic",
            "valueMode": "text",
            "namePlacement": "auto",
            "showUnfilled": True,
            "sizing": "auto",
            "minVizWidth": 8,
            "minVizHeight": 16,
            "maxVizHeight": 300,
        },
    )
    panel["fieldConfig"]["defaults"].update({"min": 0, "max": 1, **defaults})
    return panel


def graph(
    about: About,
    *queries: Query,
    stacked: bool = False,
    steps: bool = False,
    legend: bool = True,
    overrides: Iterable[Json] = (),
    **defaults: object,
) -> Json:
    """Return series over time; `steps` for what changes in jumps, `stacked` only for parts of a whole."""
    panel = _panel(
        "timeseries",
        about,
        queries,
        {
            "legend": {
                "displayMode": "table" if legend else "list",
                "placement": "bottom",
                "showLegend": legend,
                "calcs": ["lastNotNull", "max"] if legend else [],
            },
            "tooltip": {"mode": "multi", "sort": "desc", "hideZeros": False},
        },
    )
    config = panel["fieldConfig"]
    config["defaults"].update({"color": {"mode": "palette-classic"}, **defaults})
    config["defaults"]["custom"] = {
        "drawStyle": "line",
        "lineInterpolation": "stepAfter" if steps else "linear",
        "lineWidth": 1,
        "fillOpacity": 30 if stacked else 0,
        "spanNulls": False,
        "showPoints": "never",
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "off"},
        "axisPlacement": "auto",
        "axisBorderShow": False,
    }
    config["overrides"] = list(overrides)
    return panel


def timeline(about: About, *queries: Query, states: Sequence[str]) -> Json:
    """Return a band a series, coloured by numbered states."""
    panel = _panel(
        "state-timeline",
        about,
        queries,
        {
            "mergeValues": True,
            "showValue": "auto",
            "alignValue": "center",
            "rowHeight": 0.8,
            "perPage": 20,
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False, "calcs": []},
            "tooltip": {"mode": "single", "sort": "none"},
        },
    )
    panel["fieldConfig"]["defaults"].update(
        {"mappings": state_mapping(states), "custom": {"fillOpacity": 80, "lineWidth": 0}}
    )
    return panel


def table(about: About, *queries: Query, columns: Sequence[Column], sort: str = "", descending: bool = True) -> Json:
    """Return a table: a row for each set of labels, the queries side by side; columns in the order given."""
    panel = _panel(
        "table",
        about,
        queries,
        {
            "showHeader": True,
            "cellHeight": "sm",
            "sortBy": [{"displayName": sort, "desc": descending}] if sort else [],
            "enablePagination": False,
        },
        table=True,
    )
    names = [
        column.label or (f"Value #{chr(ord('A') + column.query)}" if len(queries) > 1 else "Value")
        for column in columns
    ]
    panel["transformations"] = [
        *([{"id": "merge", "options": {}}] if len(queries) > 1 else []),
        {
            "id": "organize",
            "options": {
                "excludeByName": {"Time": True, **({} if any(c.query >= 0 for c in columns) else {"Value": True})},
                "indexByName": {name: place for place, name in enumerate(names)},
                "renameByName": {name: column.title for name, column in zip(names, columns, strict=True)},
            },
        },
    ]
    panel["fieldConfig"]["defaults"]["custom"] = {
        "align": "auto",
        "cellOptions": {"type": "auto"},
        "inspect": False,
        "filterable": False,
    }
    panel["fieldConfig"]["overrides"] = [_column_override(column) for column in columns]
    return panel


def _column_override(column: Column) -> Json:
    # the panel's own text for nothing is of the whole table, not of a cell
    properties: list[Json] = [{"id": "noValue", "value": "-"}]
    if column.unit:
        properties.append({"id": "unit", "value": column.unit})
    if column.width:
        properties.append({"id": "custom.width", "value": column.width})
    properties.extend(column.properties)
    return {"matcher": {"id": "byName", "options": column.title}, "properties": properties}


def row(number: int, title: str, *, collapsed: bool = False) -> Json:
    """Return the head of a row."""
    return {"id": number, "type": "row", "title": title, "collapsed": collapsed, "panels": []}
