"""Putting panels on Grafana's grid of 24 columns, and a dashboard around them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import style
from style import Json

COLUMNS: Final = 24


class Grid:
    """Places panels from left to right, line by line; after `head` with `collapsed` they go into that row."""

    def __init__(self) -> None:
        self.panels: list[Json] = []
        self._into = self.panels
        self._y = 0

    def head(self, number: int, title: str, *, collapsed: bool = False) -> None:
        """Begin a row."""
        head = style.row(number, title, collapsed=collapsed)
        head["gridPos"] = {"x": 0, "y": self._y, "w": COLUMNS, "h": 1}
        self.panels.append(head)
        self._y += 1
        self._into = head["panels"] if collapsed else self.panels

    def line(self, height: int, *panels: tuple[int, Json]) -> None:
        """Add one line of panels, each with its width in columns.

        Raises:
            ValueError: the widths do not fill the line.
        """
        if sum(width for width, _ in panels) != COLUMNS:
            raise ValueError(f"a line is {COLUMNS} columns wide, got {[width for width, _ in panels]}")
        x = 0
        for width, panel in panels:
            panel["gridPos"] = {"x": x, "y": self._y, "w": width, "h": height}
            self._into.append(panel)
            x += width
        self._y += height


def datasource_variable() -> Json:
    """Return the variable that chooses the Prometheus."""
    return {
        "type": "datasource",
        "name": "datasource",
        "label": "Data source",
        "query": "prometheus",
        "regex": "",
        "refresh": 1,
        "hide": 0,
        "multi": False,
        "includeAll": False,
        "current": {"text": "Prometheus", "value": "prometheus"},
        "options": [],
    }


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice of label values: by `label_values(…)`, or by a `query_result(…)` of which `regex` takes the name."""

    name: str
    label: str
    query: str
    description: str
    regex: str = ""


def query_variable(variable: Variable) -> Json:
    """Return a variable of which several values can be chosen, or all."""
    # the Prometheus plugin's number of each kind of query
    kind = 3 if variable.query.startswith("query_result(") else 1
    return {
        "type": "query",
        "name": variable.name,
        "label": variable.label,
        "description": variable.description,
        "datasource": style.DATASOURCE,
        "definition": variable.query,
        "query": {"qryType": kind, "query": variable.query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "regex": variable.regex,
        "refresh": 2,
        "sort": 0,
        "hide": 0,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"text": ["All"], "value": ["$__all"]},
        "options": [],
    }


def annotation(name: str, colour: str, expr: str, title: str, text: str = "") -> Json:
    """Return an annotation at the times of an expression, in milliseconds."""
    return {
        "name": name,
        "datasource": style.DATASOURCE,
        "enable": True,
        "hide": False,
        "iconColor": colour,
        "expr": expr,
        "step": "60s",
        "titleFormat": title,
        "textFormat": text,
        "tagKeys": "build",
        "useValueForTime": True,
    }


def _dashboards_link() -> Json:
    return {
        "type": "dashboards",
        "title": "Build dashboards",
        "tags": ["build-exporter"],
        "asDropdown": True,
        "includeVars": True,
        "keepTime": True,
        "icon": "dashboard",
        "tooltip": "",
        "url": "",
        "targetBlank": False,
    }


def _url_link(title: str, url: str, tooltip: str) -> Json:
    return {
        "type": "link",
        "title": title,
        "url": url,
        "tooltip": tooltip,
        "icon": "external link",
        "tags": [],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
        "targetBlank": True,
    }


def shared_links() -> list[Json]:
    """Return the links at the top of every dashboard: the others, the exporter's page, Alertmanager."""
    return [
        _dashboards_link(),
        _url_link("Live page", style.PAGE_URL, "The exporter's own page"),
        _url_link("Alertmanager", style.ALERTMANAGER_URL, "Alerts, and silences to acknowledge them"),
    ]


def dashboard(uid: str, title: str, description: str, panels: list[Json], **rest: Any) -> Json:
    """Return a dashboard in the form Grafana 10 to 13 read from files."""
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["build-exporter"],
        "schemaVersion": style.SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-12h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "fiscalYearStartMonth": 0,
        "weekStart": "",
        "panels": panels,
        **rest,
    }


def panels_of(board: Json) -> Iterator[Json]:
    """Yield every panel, rows and the panels in collapsed rows included."""
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", ())


def queries(board: Json) -> list[tuple[str, str]]:
    """Return title and PromQL of every query of a dashboard: its panels, annotations and variables."""
    found = [(panel["title"], target["expr"]) for panel in panels_of(board) for target in panel.get("targets", ())]
    found += [(f"annotation {each['name']}", each["expr"]) for each in board["annotations"]["list"] if "expr" in each]
    for variable in board["templating"]["list"]:
        asked = str(variable.get("definition", ""))
        if asked.startswith("query_result("):
            found.append((f"variable {variable['name']}", asked.removeprefix("query_result(").removesuffix(")")))
    return found


def interpolate(expr: str, values: dict[str, str] | None = None) -> str:
    """Return an expression as Grafana sends it: variables replaced, all builds and machines by default."""
    known = {"__rate_interval": "20s", "__range": "12h", "__interval": "15s", "build": ".+", "instance": ".+"}
    known.update(values or {})
    for name in sorted(known, key=len, reverse=True):
        expr = expr.replace(f"${{{name}}}", known[name]).replace(f"${name}", known[name])
    return expr
