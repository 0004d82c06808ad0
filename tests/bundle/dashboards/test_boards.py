"""Every dashboard: complete, readable where there is nothing to show, and asking for what exists."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from reading import interpolate, panels_of, queries

Json = dict[str, Any]

KINDS: Final = {"stat", "bargauge", "timeseries", "state-timeline", "table", "barchart"}


def shown(board: Json) -> list[Json]:
    """Return the panels that show something: all but the heads of rows."""
    return [panel for panel in panels_of(board) if panel["type"] != "row"]


def test_the_committed_files_are_what_the_code_makes(repository: Path, tmp_path: Path) -> None:
    """Nobody's edit of a JSON file is lost, and none is forgotten: making them anew changes nothing."""
    subprocess.run([sys.executable, str(repository / "grafana/src/generate.py"), str(tmp_path)], check=True, timeout=60)
    made = {path.name: path.read_text() for path in tmp_path.glob("*.json")}
    committed = {path.name: path.read_text() for path in (repository / "grafana/dashboards").glob("*.json")}
    assert made == committed


def test_files_are_what_grafana_reads_from_a_directory(boards: list[Json]) -> None:
    """Bare classic JSON: no wrapper, no number of a database, a fixed name in links, one schema version."""
    for board in boards:
        assert re.fullmatch(r"[a-z0-9-]{1,40}", board["uid"])
        assert board["title"].startswith("Build / ")
        assert "id" not in board
        assert "dashboard" not in board
        assert "apiVersion" not in board
        assert board["schemaVersion"] == 42
        assert isinstance(board["refresh"], str)
        assert board["tags"] == ["build-exporter"]
        assert json.loads(json.dumps(board)) == board
    assert len({board["uid"] for board in boards}) == len(boards)


def test_panels_are_numbered_described_and_never_say_no_data(boards: list[Json]) -> None:
    """Each panel has its own number, a short title, a description, a unit, and words for when there is nothing."""
    for board in boards:
        panels = list(panels_of(board))
        assert len({panel["id"] for panel in panels}) == len(panels)
        for panel in shown(board):
            name = panel["title"]
            assert panel["type"] in KINDS, name
            assert panel["pluginVersion"], name
            assert 1 <= len(name.split()) <= 4, name
            assert panel["description"].endswith("."), name
            defaults = panel["fieldConfig"]["defaults"]
            # a unit of all fields would be that of the time axis as well
            named = {
                each["id"]: each["value"] for row in panel["fieldConfig"]["overrides"] for each in row["properties"]
            }
            assert defaults.get("unit") or named["unit"], name
            assert defaults["noValue"], name
            assert "no data" not in defaults["noValue"].lower(), name
            assert panel["targets"], name


def test_series_have_names_for_people(boards: list[Json]) -> None:
    """No series is named by its raw labels; tables show columns, so they need no names."""
    for board in boards:
        for panel in shown(board):
            for target in panel["targets"]:
                assert target["format"] == "table" or target["legendFormat"] != "__auto", panel["title"]


def test_labels_in_names_and_columns_exist(boards: list[Json], labels: Any) -> None:
    """What a legend, an annotation or a table column names is a label its query has."""
    for board in boards:
        for panel in shown(board):
            for target in panel["targets"]:
                have = labels.of(interpolate(target["expr"]))
                assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= have, panel["title"]
            if panel["type"] == "table":
                columns = panel["transformations"][-2]["options"]["renameByName"]
                have = frozenset().union(*(labels.of(interpolate(each["expr"])) for each in panel["targets"]))
                assert {name for name in columns if not name.startswith("Value")} <= have, panel["title"]
        for each in board["annotations"]["list"]:
            used = set(re.findall(r"{{(\w+)}}", each["titleFormat"] + each["textFormat"]))
            assert used <= labels.of(interpolate(each["expr"])), each["name"]


def test_queries_name_families_and_labels_that_exist(boards: list[Json], labels: Any) -> None:
    """Every family and label in panels, annotations and variables is in the catalog."""
    for board in boards:
        found = queries(board)
        for title, expr in found:
            assert labels.of(interpolate(expr)) is not None, title
        for variable in board["templating"]["list"]:
            for family, label in re.findall(r"label_values\((.+), (\w+)\)", str(variable.get("definition", ""))):
                assert label in labels.of(family)


def test_promtool_accepts_every_query(
    boards: list[Json], promtool: Callable[..., Any], wrapped: Callable[[list[str]], Path]
) -> None:
    """Every query is PromQL to Prometheus itself, in each version at hand."""
    path = wrapped([interpolate(expr) for board in boards for _, expr in queries(board)])
    checked = promtool("check", "rules", str(path))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_rates_are_taken_over_the_interval_grafana_finds_fit(boards: list[Json]) -> None:
    """No rate over a fixed range, which would be empty or blurred at another zoom."""
    for board in boards:
        for title, expr in queries(board):
            expr = re.sub(r'"[^"]*"', "", expr)  # noqa: PLW2901 - what is in quotes may hold brackets
            assert not re.search(r"(rate|increase)\([^\[]*\[(?!\$__(rate_interval|range))", expr), title


def test_links_of_alerts_lead_to_dashboards_that_exist(boards: list[Json], alerts: list[Json]) -> None:
    """`dashboard_url` of every alert names a dashboard of this project and variables it has."""
    known = {board["uid"]: {f"var-{v['name']}" for v in board["templating"]["list"]} for board in boards}
    for rule in alerts:
        url = rule["annotations"]["dashboard_url"]
        if "build_failure_info{" in url:
            # the exporter gives the whole address, the same for every incident
            assert url.count('label "dashboard_url"') == 1
            continue
        found = re.search(r"/d/([\w-]+)(?:\?(\S*?))?(?:\{\{ ?end|\s|$)", url)
        assert found, rule["alert"]
        assert found[1] in known, rule["alert"]
        used = {part.partition("=")[0] for part in (found[2] or "").split("&") if part}
        assert used <= known[found[1]], rule["alert"]
