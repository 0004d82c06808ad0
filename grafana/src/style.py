"""Shared parts of all dashboards: colours, words, units, and panels as plain dicts in Grafana's classic JSON.

A colour means one thing everywhere: blue runs, green is good, orange needs attention, red needs action. A panel without
data shows its own words, so every panel has them; a table never has an empty state, see `tables.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]

DATASOURCE: Final[Json] = {"type": "prometheus", "uid": "${datasource}"}
PLUGIN_VERSION: Final = "13.2.3"
"""Named in each panel, so that Grafana takes it as it is and runs no migration of older forms."""

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
MUTED: Final = COLOURS["pending"]
"""Of nothing to judge: the background of a tile without data."""

SECONDS: Final = "s"
BYTES: Final = "bytes"
RATE: Final = "binBps"
RATIO: Final = "percentunit"
COUNT: Final = "locale"
CELSIUS: Final = "celsius"
HERTZ: Final = "hertz"
EVENTS: Final = "ops"
MOMENT: Final = "time:ddd D MMM HH:mm"
"""Takes milliseconds. Short enough for a tile, and breaks between date and time."""


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression; `legend` names its series, in `{{label}}` templates."""

    expr: str
    legend: str = ""
    instant: bool = False


@dataclass(frozen=True, slots=True)
class About:
    """Required facts of a panel: fixed id, title, description, unit, and the text without data."""

    id: int
    title: str
    description: str
    unit: str
    nothing: str


def thresholds(*steps: tuple[float | None, str]) -> Json:
    """Return thresholds: each colour holds from its value on, the first from the start (None)."""
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in steps]}


def some(colour: str) -> Json:
    """Return thresholds that are muted at 0 and of a colour from 1 on."""
    return thresholds((None, MUTED), (1, colour))


def bad_from(value: float, warn: float | None = None) -> Json:
    """Return thresholds that are good at first, need attention from `warn` on and action from `value` on."""
    attention = [(warn, WARNING)] if warn is not None else []
    return thresholds((None, GOOD), *attention, (value, CRITICAL))


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


UP_OR_DOWN: Final = mapping({"0": ("Down", CRITICAL), "1": ("Up", GOOD)})


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


def targets(queries: Sequence[Query], *, table: bool = False) -> list[Json]:
    """Return the queries as Grafana keeps them, with their letters."""
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


def panel(kind: str, about: About, queries: Sequence[Query], options: Json, *, table: bool = False) -> Json:
    """Return a panel of a kind, neutral in colour."""
    return {
        "id": about.id,
        "type": kind,
        "title": about.title,
        "description": about.description,
        "datasource": DATASOURCE,
        "pluginVersion": PLUGIN_VERSION,
        "targets": targets(queries, table=table),
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


def stat(
    about: About,
    *queries: Query,
    named: bool = False,
    coloured: bool = False,
    overrides: Iterable[Json] = (),
    **defaults: object,
) -> Json:
    """Return a tile with the newest value of each series, `named` with its name; `coloured` fills the tile."""
    made = panel(
        "stat",
        about,
        queries,
        {
            "reduceOptions": _reduced(),
            "orientation": "auto",
            # never "name": Grafana then shows nothing at all where there is no series
            "textMode": "value_and_name" if named else "value",
            "colorMode": "background_solid" if coloured else "value",
            "graphMode": "none",
            "justifyMode": "center",
            "wideLayout": True,
            "showPercentChange": False,
        },
    )
    base = {"thresholds": thresholds((None, MUTED))} if coloured else {}
    made["fieldConfig"]["defaults"].update({**base, **defaults})
    made["fieldConfig"]["overrides"] = list(overrides)
    return made


def bars(about: About, *queries: Query, **defaults: object) -> Json:
    """Return horizontal bars, one a series; from 0 to 1 where `max` is not given."""
    made = panel(
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
            "maxVizHeight": 60,
            "text": {"titleSize": 13, "valueSize": 16},
        },
    )
    made["fieldConfig"]["defaults"].update({"min": 0, "max": 1, **defaults})
    return made


def graph(
    about: About,
    *queries: Query,
    stacked: bool = False,
    steps: bool = False,
    legend: str = "bottom",
    overrides: Iterable[Json] = (),
    **defaults: object,
) -> Json:
    """Return series over time; `steps` for what changes in jumps, `stacked` only for parts of a whole.

    `legend` is where the list of names stands: "bottom", "right", or "" for none. It is never a table: in the height
    of a graph a table shows two rows.
    """
    made = panel(
        "timeseries",
        about,
        queries,
        {
            "legend": {
                "displayMode": "list",
                "placement": legend or "bottom",
                "showLegend": bool(legend),
                "calcs": ["lastNotNull"] if legend == "right" else [],
            },
            "tooltip": {"mode": "multi", "sort": "desc", "hideZeros": False},
        },
    )
    config = made["fieldConfig"]
    config["defaults"].update({"color": {"mode": "palette-classic"}, **defaults})
    config["defaults"]["custom"] = {
        "drawStyle": "line",
        "lineInterpolation": "stepAfter" if steps else "linear",
        "lineWidth": 1,
        "fillOpacity": 30 if stacked else 0,
        "spanNulls": False,
        "showPoints": "auto",
        "pointSize": 3,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "off"},
        "axisPlacement": "auto",
        "axisBorderShow": False,
        # what is 0 all the time is drawn at the bottom of an axis that is not of hundreds; it would undo a fixed end
        **({} if "max" in defaults else {"axisSoftMax": 1 if defaults.get("decimals") == 0 else 0.01}),
    }
    config["overrides"] = list(overrides)
    if about.unit.startswith("time:"):
        # as the default it would be the form of the axis of time, too, whose labels then overlap
        del config["defaults"]["unit"]
        config["overrides"].insert(0, override("byType", "number", unit=about.unit))
    return made


def limit(name: str, colour: str = CRITICAL) -> Json:
    """Return the override of a series that is a limit: dashed, in one colour."""
    dashes = {"fill": "dash", "dash": [8, 8]}
    return override("byName", name, color=fixed(colour), custom__lineStyle=dashes, custom__fillOpacity=0)


def timeline(about: About, label: str, states: str, chosen: str, mappings: list[Json]) -> Json:
    """Return a band a series, coloured by its numbered states; `states` is shown of what is `chosen` at the end.

    Both are PromQL with the label that names the bands. Where none is chosen, one band has the panel's words for its
    name: Grafana would say that the data have no time field.

    With colours by threshold Grafana merges equal values into ranges of thresholds before it looks at the mappings, and
    shows those; with a fixed colour it shows the words and colours of the mappings.
    """
    words = f'label_replace(vector(-1) unless on () ({chosen}), "{label}", "{about.nothing}", "", "")'
    made = panel(
        "state-timeline",
        about,
        [Query(f"({states}) and on ({label}) ({chosen}) or on () {words}", f"{{{{{label}}}}}")],
        {
            "mergeValues": True,
            "showValue": "auto",
            "alignValue": "left",
            "rowHeight": 0.85,
            # no pager: it takes the room of two rows even where all fit on one page
            "perPage": 0,
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False, "calcs": []},
            "tooltip": {"mode": "single", "sort": "none"},
        },
    )
    shown = [*mappings, *mapping({"-1": (" ", "rgba(128, 128, 128, 0.08)")})]
    custom = {"fillOpacity": 80, "lineWidth": 0, "axisPlacement": "auto"}
    made["fieldConfig"]["defaults"].update({"color": fixed(MUTED), "mappings": shown, "custom": custom})
    return made


def row(number: int, title: str, *, collapsed: bool = False) -> Json:
    """Return the head of a row."""
    return {"id": number, "type": "row", "title": title, "collapsed": collapsed, "panels": []}
