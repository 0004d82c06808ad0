"""What is around the panels: variables, annotations, links, and the dashboard itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import style
from promql import OF_BUILD
from style import COLOURS, Json, Query, link

TAG: Final = "build-exporter"
SCHEMA_VERSION: Final = 42

_MENU: Final = 3
"""Hidden in the menu of controls; Grafana before 12.3 shows it in the bar."""
_HIDDEN: Final = 2

PAGE: Final = "${page:raw}"
"""Address of the exporter's page, from the hidden variable `page`."""
TIME: Final = "${__url_time_range}"


OWN_PAGE: Final = "${__data.fields.page_url:raw}"
"""Address of the page of a row's own exporter, from its hidden column `page_url`."""


def with_page(by: str, metric: str) -> str:
    """Return PromQL that gives series of a metric the address of their exporter's page, as the label `page_url`."""
    pages = "max by (instance, page_url) (build_exporter_link_info)"
    return f"max by ({by}, page_url) ({metric} * on (instance) group_left (page_url) {pages})"


def board_link(title: str, uid: str, *variables: str) -> Json:
    """Return a data link to another dashboard that keeps the time; `variables` as `name=value`."""
    chosen = "".join(f"var-{each}&" for each in variables)
    return link(title, f"/d/{uid}?{chosen}{TIME}")


def page_link(title: str, path: str, page: str = PAGE) -> Json:
    """Return a data link to the exporter's page."""
    return link(title, f"{page}{path}", new_tab=True)


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice of label values: by `label_values(…)`, or by a `query_result(…)` of which `regex` takes the name.

    `many`: several can be chosen, or all. `hide` is Grafana's number.
    """

    name: str
    label: str
    query: str
    description: str
    regex: str = ""
    many: bool = False
    hide: int = 0


BUILD: Final = Variable(
    "build",
    "Build",
    "query_result(sort_desc(max by (build) (build_last_event_timestamp_seconds)))",
    "The build that was active last comes first.",
    regex='/build="([^"]+)"/',
)
BUILDS: Final = Variable("build", "Build", BUILD.query, BUILD.description, BUILD.regex, many=True)
INSTANCES: Final = Variable(
    "instance",
    "Machine",
    'label_values(up{job="build-exporter"}, instance)',
    "The machines that build, by the address of their exporters.",
    many=True,
)
INSTANCE: Final = Variable("instance", "Machine", INSTANCES.query, INSTANCES.description)
MACHINES_IN_MENU: Final = Variable("instance", "Machine", INSTANCES.query, INSTANCES.description, many=True, hide=_MENU)
STEP: Final = Variable(
    "step",
    "Step",
    f"query_result(sort_desc(max by (step) (build_step_start_timestamp_seconds{{{OF_BUILD}}})))",
    "The step that was started last comes first.",
    regex='/step="([^"]+)"/',
)

_ADDRESS: Final = 'label_replace(vector(1), "page_url", "http://localhost:10110", "", "")'


PAGE_OF_BUILD: Final = (
    f'build_exporter_link_info{{instance=~"$instance"}} and on (instance) max by (instance) (build_state{{{OF_BUILD}}})'
)
"""The exporter that knows the one build chosen."""


def _page(exporters: str) -> Variable:
    query = f"query_result(max by (page_url) ({exporters}) or on () {_ADDRESS})"
    return Variable("page", "", query, "Address of the exporter's page.", regex='/page_url="([^"]+)"/', hide=_HIDDEN)


_RUN_BEGIN: Final = f"round(1000 * max by (build) (build_start_timestamp_seconds{{{OF_BUILD}}}))"
_RUN_END: Final = (
    f'count_values("to", round(1000 * max by (build) (build_end_timestamp_seconds{{{OF_BUILD}}}) + 60000))'
    ' or on () label_replace(vector(1), "to", "now", "", "")'
)
_RUN: Final = (
    Variable(
        "run_from",
        "",
        f'query_result(count_values("from", {_RUN_BEGIN}))',
        "Start of the newest run, in milliseconds.",
        regex='/from="([^"]+)"/',
        hide=_HIDDEN,
    ),
    Variable("run_to", "", f"query_result({_RUN_END})", "End of the newest run.", regex='/to="([^"]+)"/', hide=_HIDDEN),
)


def _datasource_variable() -> Json:
    return {
        "type": "datasource",
        "name": "datasource",
        "label": "Data source",
        "query": "prometheus",
        "regex": "",
        "refresh": 1,
        "hide": _MENU,
        "multi": False,
        "includeAll": False,
        "current": {"text": "Prometheus", "value": "prometheus"},
        "options": [],
    }


def _query_variable(variable: Variable) -> Json:
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
        "hide": variable.hide,
        "multi": variable.many,
        "includeAll": variable.many,
        **({"allValue": ".+"} if variable.many else {}),
        "current": {"text": ["All"], "value": ["$__all"]} if variable.many else {"text": "", "value": ""},
        "options": [],
    }


def _annotation(name: str, colour: str, query: Query, text: str = "", *, enable: bool = True) -> Json:
    """Return an annotation at the times of an expression, in milliseconds; the legend is its title."""
    return {
        "name": name,
        "datasource": style.DATASOURCE,
        "enable": enable,
        "hide": False,
        "placement": "inControlsMenu",
        "iconColor": colour,
        "expr": query.expr,
        "step": "60s",
        "titleFormat": query.legend,
        "textFormat": text,
        "tagKeys": "build",
        "useValueForTime": True,
    }


def build_annotations(selector: str, *, steps: bool = False) -> list[Json]:
    """Return the marks of what happened in the builds a selector chooses; starts of steps only where asked for."""
    begin, took = f"build_step_start_timestamp_seconds{{{selector}}}", f"build_step_duration_seconds{{{selector}}}"
    failed = f"build_step_failure_info{{{selector}}} * on (build, instance, phase, step) group_left ()"
    return [
        _annotation(
            "Milestones",
            COLOURS["skipped"],
            Query(f"1000 * build_milestone_timestamp_seconds{{{selector}}}", "{{build}}: {{milestone}}"),
        ),
        _annotation(
            "Failures",
            COLOURS["failed"],
            Query(f"{failed} (1000 * ({begin} + {took}))", "{{build}}: {{phase}} / {{step}} failed"),
            "{{class}}: {{excerpt}}",
        ),
        _annotation(
            "Starts",
            COLOURS["running"],
            Query(f"1000 * build_start_timestamp_seconds{{{selector}}}", "{{build}} started"),
        ),
        _annotation(
            "Ends", COLOURS["succeeded"], Query(f"1000 * build_end_timestamp_seconds{{{selector}}}", "{{build}} ended")
        ),
        _annotation("Steps", COLOURS["pending"], Query(f"1000 * {begin}", "{{phase}} / {{step}}"), enable=steps),
    ]


def _top_link(kind: str, title: str, **rest: object) -> Json:
    return {
        "type": kind,
        "title": title,
        "url": "",
        "tooltip": "",
        "icon": "dashboard",
        "tags": [],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
        "targetBlank": False,
        **rest,
    }


def _top_links(uid: str, *, run: bool) -> list[Json]:
    whole = {"icon": "clock-nine", "tooltip": "The time from the start of the newest run to its end"}
    address = f"/d/{uid}?var-build=${{build:percentencode}}&from=${{run_from:raw}}&to=${{run_to:raw}}"
    return [
        *([_top_link("link", "This run", url=address, **whole)] if run else []),
        _top_link("dashboards", "Build dashboards", tags=[TAG], asDropdown=True, includeVars=True, keepTime=True),
        _top_link(
            "link",
            "Live page",
            url=f"{PAGE}/",
            icon="external link",
            tooltip="The exporter's own page: logs, failures, acknowledging alerts",
            targetBlank=True,
        ),
    ]


@dataclass(frozen=True, slots=True)
class Frame:
    """Facts of a dashboard besides its panels; `page` is PromQL of the exporter whose page it links to."""

    uid: str
    title: str
    description: str
    variables: Sequence[Variable]
    page: str
    since: str = "now-6h"
    refresh: str = "10s"
    run: bool = False


def dashboard(frame: Frame, panels: list[Json], annotations: Sequence[Json]) -> Json:
    """Return a dashboard in the form Grafana 10 to 13 read from files; `run`: with a link to the newest run's time."""
    variables = (*frame.variables, *(_RUN if frame.run else ()), _page(frame.page))
    rest: dict[str, Any] = {
        "templating": {"list": [_datasource_variable(), *(_query_variable(each) for each in variables)]},
        "annotations": {"list": list(annotations)},
        "links": _top_links(frame.uid, run=frame.run),
    }
    return {
        "uid": frame.uid,
        "title": frame.title,
        "description": frame.description,
        "tags": [TAG],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": frame.refresh,
        "time": {"from": frame.since, "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "fiscalYearStartMonth": 0,
        "weekStart": "",
        "panels": panels,
        **rest,
    }
