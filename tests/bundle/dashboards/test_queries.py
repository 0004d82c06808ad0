"""Every query of every dashboard, asked of a real Prometheus at four moments of a build and of a fleet."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any, Final

import pytest
from dashboard_world import BUILD, DESK, MOMENTS
from reading import interpolate, panels_of, queries
from style import MOMENT, RATIO

Json = dict[str, Any]

_VALUES: Final = {"__rate_interval": "4m", "__interval": "10m", "step": "502-gcc-pass1"}
_RANGES: Final = {"build-history": 44 * 3600.0}

ALWAYS: Final = {
    "build-now": {"Failed steps", "Alerts"},
    "build-host": {
        *("Busy", "RAM", "Disk", "Stalled", "Hottest", "Killed", "CPU", "Memory use"),
        *("Pressure", "File systems", "Space free", "Disk traffic", "Disk busy", "Disk latency", "Load"),
        *("Network traffic", "Network errors", "Swap", "Major page faults", "Temperature", "Clock frequency"),
    },
    "build-alerts": {"Firing", "Open", "Not taken", "Alerts sent", "Refused requests", "Rejected lines"},
    "build-exporter": {
        *("Exporter", "Failing", "Lost", "Uptime", "Probes", "Probe times", "Notes", "Requests"),
        *("Stream clients", "Collectors", "Scrape", "Series", "CPU", "Memory", "Journal", "Reached"),
        *("Rules that failed", "Messages that failed", "Alertmanagers known", "Not delivered"),
    },
    "build-fleet": {"Builders", "Alerts", "CPU", "Disk left"},
}
"""Panels that show numbers whatever the builds do."""

BUILDING: Final = {
    "build-now": {"State", "Progress", "Phases", "All builds", "Progress over time", "Milestones", "To spare"},
    "build-steps": {
        *("Steps", "Efficiency", "Slower steps", "Timeline", "All steps", "Result", "Time", "Memory and disk"),
        *("Attempts, warnings", "Took over runs", "Step durations", "Took and expected", "Test suites", "Toolchain"),
        *("Compiler warnings", "Sources", "Gaps"),
    },
    "build-history": {
        *("Runs", "One SBU", "Slower steps", "Time by phase", "SBU over time", "Estimate error", "Band holds"),
        *("Expected and true end", "Probably late"),
    },
    "build-alerts": {"Taken in", "Solved in", "Noisiest"},
    "build-exporter": {"Event lag"},
    "build-fleet": {"Builds", "Builds of all builders"},
}
"""Panels that show something once there is a build."""

UNFINISHED: Final = {
    "build-now": {"Time left", "Ends", "Expected end", "Will it fit"},
    "build-history": {"Needed"},
    "build-fleet": {"Next free", "Progress"},
}
AT: Final[dict[str, tuple[dict[str, set[str]], ...]]] = {
    "idle": (ALWAYS,),
    "running": (
        *(ALWAYS, BUILDING, UNFINISHED),
        {
            "build-now": {"Running steps"},
            "build-steps": {"Memory of the build", "Steps without their sources"},
            "build-host": {"CPUs used", "Memory used", "Read and written", "Processes", "Peak memory", "Held back"},
        },
    ),
    "failed": (
        *(ALWAYS, BUILDING),
        {
            "build-now": {"What is wrong"},
            "build-alerts": {"Active alerts", "Incidents", "Alerts over time", "By class", "Failed steps"},
        },
    ),
    "finished": (
        *(ALWAYS, BUILDING),
        {"build-history": {"Slower than before"}, "build-alerts": {"Tried again", "By class", "Failures over time"}},
    ),
}
"""What must show something at each moment; the rest may be empty, and none may err."""


def _values(board: Json, expr: str) -> dict[str, str]:
    """Return values for the variables as a person would choose them: one build, one machine where only one goes."""
    one_build = 'build="$build"' in expr
    one_machine = board["uid"] in ("build-host", "build-exporter")
    seconds = _RANGES.get(board["uid"], 3 * 3600.0)
    return {
        **_VALUES,
        "__range": f"{seconds:.0f}s",
        "build": BUILD if one_build else ".+",
        "instance": DESK if one_machine else ".+",
    }


def _targets(board: Json) -> Iterator[tuple[str, str, bool]]:
    """Yield panel, PromQL and whether it is asked over a time."""
    for panel in panels_of(board):
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"], bool(target["range"])


def _rows(result: list[Json]) -> list[Json]:
    """Return the series that show a value: not the words for nothing, which are no number in tables, -1 in bands."""
    return [
        each
        for each in result
        if any(value not in ("NaN", "-1") for _, value in each.get("values", [each.get("value", (0, "NaN"))]))
    ]


@pytest.mark.parametrize("moment", list(MOMENTS))
def test_panels_have_data_when_they_should(boards: list[Json], prometheus: Any, moment: str) -> None:
    """No query errs, and what a person looks for is there: idle, in a run, at its failure, after its end."""
    for board in boards:
        answered = set()
        for title, expr, ranged in _targets(board):
            asked = interpolate(expr, _values(board, expr))
            seconds = _RANGES.get(board["uid"], 3 * 3600.0)
            result, _ = (
                prometheus.over(asked, MOMENTS[moment], seconds) if ranged else prometheus.at(asked, MOMENTS[moment])
            )
            if _rows(result):
                answered.add(title)
        wanted = set[str]().union(*(part.get(board["uid"], set()) for part in AT[moment]))
        titles = {panel["title"] for panel in panels_of(board)}
        assert wanted <= titles, f"no such panel in {board['uid']}: {sorted(wanted - titles)}"
        assert wanted <= answered, f"{board['uid']}, {moment}: nothing in {sorted(wanted - answered)}"


def test_annotations_and_variables_have_values(boards: list[Json], prometheus: Any) -> None:
    """What fills the choices at the top, and the marks on the graphs, is there while a build has failed."""
    for board in boards:
        for title, expr in queries(board):
            if title.startswith(("annotation", "variable")):
                asked = interpolate(expr, _values(board, expr))
                assert prometheus.at(asked, MOMENTS["failed"])[0], (board["uid"], title, asked)


def test_tables_say_in_words_that_there_is_nothing(boards: list[Json], prometheus: Any) -> None:
    """Before any build every table has one row, with its own words in the first column."""
    seen = 0
    for board in boards:
        for panel in panels_of(board):
            if panel["type"] == "table":
                expr = panel["targets"][0]["expr"]
                result, _ = prometheus.at(interpolate(expr, _values(board, expr)), MOMENTS["idle"])
                assert result, (board["uid"], panel["title"])
                if not _rows(result):
                    (row,) = result
                    assert panel["fieldConfig"]["defaults"]["noValue"] in row["metric"].values(), panel["title"]
                    seen += 1
    assert seen > 15


def test_values_are_of_the_size_their_unit_says(boards: list[Json], prometheus: Any) -> None:
    """Ratios lie between 0 and 1, bar a few; moments are milliseconds of about now; nothing is not a number."""
    beyond_one = {"Of expected", "CPUs used"}
    for board in boards:
        for panel in panels_of(board):
            unit = panel.get("fieldConfig", {}).get("defaults", {}).get("unit")
            for target in panel.get("targets", ()) if unit in (RATIO, MOMENT) else ():
                asked = interpolate(target["expr"], _values(board, target["expr"]))
                for each in _rows(prometheus.at(asked, MOMENTS["running"])[0]):
                    value = float(each["value"][1])
                    if unit == RATIO:
                        assert 0 <= value <= 1 or panel["title"] in beyond_one, (panel["title"], value)
                    else:
                        assert abs(value / 1000 - MOMENTS["running"]) < 5 * 86400, (panel["title"], value)


def test_queries_are_answered_at_once(boards: list[Json], prometheus: Any) -> None:
    """No query takes a tenth of a second: the median of three tries, so that another program's work does not count."""
    for board in boards:
        for title, expr, _ in _targets(board):
            asked = interpolate(expr, _values(board, expr))
            if prometheus.at(asked, MOMENTS["finished"])[1] > 0.1:
                assert median(prometheus.at(asked, MOMENTS["finished"])[1] for _ in range(3)) < 0.1, (title, asked)


def test_a_fleet_shows_the_worst_first(boards: list[Json], prometheus: Any) -> None:
    """A builder that is down comes before one with alerts, and that before one where all is well."""
    (fleet,) = [board for board in boards if board["uid"] == "build-fleet"]
    (table,) = [p for p in panels_of(fleet) if p["title"] == "Builders" and p["type"] == "table"]
    (sort,) = table["options"]["sortBy"]
    letter = {new: old for old, new in table["transformations"][-2]["options"]["renameByName"].items()}
    urgency = letter[sort["displayName"]].removeprefix("Value #")
    (expr,) = [target["expr"] for target in table["targets"] if target["refId"] == urgency]
    result, _ = prometheus.at(interpolate(expr, _values(fleet, expr)), MOMENTS["failed"] + 900)
    order = sorted(result, key=lambda each: float(each["value"][1]), reverse=True)
    assert [each["metric"]["instance"] for each in order] == ["attic:10110", "alerting:10110", "forge:10110"]
