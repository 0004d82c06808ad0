"""What went wrong on a dashboard once, as a rule for all: each test names a fault that was seen in a real Grafana."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from board_now import now
from layout import COLUMNS, Grid
from reading import panels_of
from style import About, Query, stat
from tables import FLEXIBLE, Column, room, table

Json = dict[str, Any]

CELL: Final = 30
"""Height of one unit of the grid in px; 8 more lie between two."""
SENTENCE: Final = re.compile(r"^[A-Z0-9“].*[.?]$", re.DOTALL)
BOARDS: Final = ("now", "steps", "host", "history", "alerts", "exporter", "fleet")


def shown(boards: list[Json], *kinds: str) -> Iterator[tuple[Json, Json]]:
    """Yield dashboard and panel for every panel that shows something, of some kinds where they are given."""
    for board in boards:
        for panel in panels_of(board):
            if panel["type"] != "row" and (not kinds or panel["type"] in kinds):
                yield board, panel


def test_there_is_a_dashboard_for_every_question(boards: list[Json]) -> None:
    """Now, steps, host, history, alerts, exporter and fleet, each with its own fixed address."""
    assert [board["uid"] for board in boards] == [f"build-{name}" for name in BOARDS]


def test_tiles_show_their_words_when_there_is_nothing(boards: list[Json]) -> None:
    """With the text mode `name` Grafana leaves a tile without a series blank; the words must fit the tile, too."""
    for board, panel in shown(boards, "stat"):
        assert panel["options"]["textMode"] in ("value", "value_and_name"), panel["title"]
        words = panel["fieldConfig"]["defaults"]["noValue"]
        assert len(words) <= 4 * panel["gridPos"]["w"], (board["uid"], panel["title"], words)


def width(title: str) -> float:
    """Return about how many px a title is wide in Grafana's letters."""
    return sum(4.4 if c in "fijlrt ," else 12 if c in "mwMW" else 9.6 if c.isupper() else 7.6 for c in title)


def test_titles_are_not_cut(boards: list[Json]) -> None:
    """Beside its title a panel has 100 px of icons; at 1280 px with Grafana's menu open the rest is enough."""
    for board, panel in shown(boards):
        assert width(panel["title"]) <= room(panel["gridPos"]["w"]) + 30 - 100, (board["uid"], panel["title"])


def test_axes_of_ratios_end_at_all_of_it(boards: list[Json]) -> None:
    """A soft end of an axis undoes a fixed one: shares go from 0 to 100 %, so that half of it looks like half."""
    ends = [panel["fieldConfig"]["defaults"] for _, panel in shown(boards, "timeseries")]
    assert any(each.get("max") == 1 for each in ends)
    assert all("axisSoftMax" not in each["custom"] for each in ends if "max" in each)


def test_labels_of_bars_are_all_shown(boards: list[Json]) -> None:
    """Labels that Grafana leaves out for lack of room show the words for nothing: bars lie, a label each."""
    for _, panel in shown(boards, "barchart"):
        assert panel["options"]["orientation"] == "horizontal", panel["title"]
        assert panel["options"]["xTickLabelSpacing"] == 0, panel["title"]


def test_a_tile_is_not_red_before_it_knows_anything(boards: list[Json]) -> None:
    """The first threshold holds for no value, too: it is red only where less is worse, as of space left."""
    for _, panel in shown(boards):
        limits = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert limits[0]["value"] is None, panel["title"]
        if limits[0]["color"] == "red":
            assert panel["options"].get("colorMode") != "background_solid", panel["title"]
            assert limits[-1]["color"] == "green", panel["title"]


def test_bands_show_names_of_states(boards: list[Json]) -> None:
    """With colours by threshold, merged values become ranges ("-∞+") before the mappings apply."""
    timelines = list(shown(boards, "state-timeline"))
    assert len(timelines) >= 2
    for _, panel in timelines:
        assert panel["options"]["mergeValues"]
        assert panel["fieldConfig"]["defaults"]["color"]["mode"] == "fixed", panel["title"]
        assert panel["fieldConfig"]["defaults"]["mappings"], panel["title"]


def test_bands_say_in_words_that_there_is_nothing(boards: list[Json]) -> None:
    """Of an empty result Grafana says that the data have no time field: one band is then named by the words."""
    for _, panel in shown(boards, "state-timeline"):
        (target,) = panel["targets"]
        words = panel["fieldConfig"]["defaults"]["noValue"]
        assert f'"{words}"' in target["expr"], panel["title"]
        assert "vector(-1) unless on () (topk(" in target["expr"], panel["title"]


def test_bands_have_room_for_their_rows(boards: list[Json]) -> None:
    """Each of the rows a timeline can have is as high as its text, and no pager takes the room of two."""
    for _, panel in shown(boards, "state-timeline"):
        (target,) = panel["targets"]
        rows = int(re.search(r"topk\((\d+),", target["expr"])[1])  # type: ignore[index]
        height = panel["gridPos"]["h"] * (CELL + 8) - 8
        axis_and_title = 75
        assert (height - axis_and_title) / rows >= 22, panel["title"]
        assert not panel["options"]["perPage"], panel["title"]


def test_columns_of_tables_fit_a_screen_of_1280_px(boards: list[Json]) -> None:
    """No column is cut off with Grafana's menu open, and what matters comes first: the column that names the row."""
    for board, panel in shown(boards, "table"):
        widths = []
        for each in panel["fieldConfig"]["overrides"]:
            properties = {p["id"]: p["value"] for p in each["properties"]}
            if not properties.get("custom.hidden"):
                widths.append(properties.get("custom.width", FLEXIBLE))
        assert sum(widths) <= room(panel["gridPos"]["w"]), (board["uid"], panel["title"], widths)
        (organize,) = [t["options"] for t in panel["transformations"] if t["id"] == "organize"]
        first = min(organize["indexByName"], key=organize["indexByName"].__getitem__)
        assert not first.startswith("Value"), panel["title"]


def test_words_for_nothing_fit_the_first_column(boards: list[Json]) -> None:
    """The words that stand in a table without rows are not cut by the width of the column they stand in."""
    for board, panel in shown(boards, "table"):
        columns = [{p["id"]: p["value"] for p in o["properties"]} for o in panel["fieldConfig"]["overrides"]]
        widths = [each.get("custom.width", 0) for each in columns if "custom.hidden" not in each]
        first = widths[0] or room(panel["gridPos"]["w"]) - sum(each or FLEXIBLE for each in widths[1:])
        assert width(panel["fieldConfig"]["defaults"]["noValue"]) <= first - 12, (board["uid"], panel["title"])


def test_a_table_too_wide_for_its_place_would_be_noticed() -> None:
    """The rule above knows how much room there is: a column more than fits is too much, one less is not."""
    about = About(1, "Some", "Some.", "short", "None")
    half = room(COLUMNS // 2)
    assert 420 < half < 460
    made = table(about, Query("up"), columns=(Column("A", label="job", width=half), Column("B", label="instance")))
    widths = [
        p["value"] for o in made["fieldConfig"]["overrides"] for p in o["properties"] if p["id"] == "custom.width"
    ]
    assert sum(widths) + FLEXIBLE > half


def test_columns_are_of_what_the_table_asks(boards: list[Json]) -> None:
    """Each column is a label or a query of its table, each query is a column or hidden, each cell has its own word."""
    for _, panel in shown(boards, "table"):
        organize, chosen = (t["options"] for t in panel["transformations"][-2:])
        letters = (
            {f"Value #{target['refId']}" for target in panel["targets"]} if len(panel["targets"]) > 1 else {"Value"}
        )
        known = {name for name in (*organize["renameByName"], *organize["excludeByName"]) if name.startswith("Value")}
        assert known == letters, panel["title"]
        titles = list(organize["renameByName"].values())
        assert chosen["include"]["names"] == titles
        assert [each["matcher"]["options"] for each in panel["fieldConfig"]["overrides"]] == titles, panel["title"]
        for each in panel["fieldConfig"]["overrides"]:
            assert "noValue" in {p["id"] for p in each["properties"]}, panel["title"]


def test_a_table_is_never_empty(boards: list[Json]) -> None:
    """Grafana shows half the columns of an empty table and no word: the first query always gives a row, in words."""
    for _, panel in shown(boards, "table"):
        words = panel["fieldConfig"]["defaults"]["noValue"]
        assert f'"{words}"' in panel["targets"][0]["expr"], panel["title"]
        assert "or on () label_replace(vector(NaN)" in panel["targets"][0]["expr"], panel["title"]
        assert any(m["type"] == "special" for m in panel["fieldConfig"]["defaults"]["mappings"]), panel["title"]


def test_what_many_machines_lack_is_in_closed_rows(boards: list[Json]) -> None:
    """No panel of 300 px says that there is nothing: sensors, caches, control groups and hooks begin closed."""
    optional = re.compile(
        r"build_(ccache|distcc|process_cgroup|exporter_hook|host_cpu_\w+_throttled|host_swap_(in|out))_"
    )
    for board in boards:
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                assert not optional.search(target["expr"]), (board["uid"], panel["title"])


def test_legends_leave_room_for_the_graph(boards: list[Json]) -> None:
    """A legend table shows two rows and a half of a graph's height: legends are lists, and none where one series is."""
    for _, panel in shown(boards, "timeseries", "barchart", "state-timeline"):
        legend = panel["options"]["legend"]
        assert legend["displayMode"] == "list", panel["title"]
        assert panel["gridPos"]["h"] >= 7, panel["title"]
        if len(panel["targets"]) == 1 and "by (" not in panel["targets"][0]["expr"]:
            assert not legend["showLegend"], panel["title"]


def test_a_graph_shows_at_most_twelve_series(boards: list[Json]) -> None:
    """What can have a series a step, device or builder is cut to the first twelve; what has a closed set is not."""
    closed = {"resource", "mode", "reason", "event", "class", "severity", "build", "progress", "phase"}
    for board, panel in shown(boards, "timeseries"):
        for target in panel["targets"]:
            expr = target["expr"]
            kept = re.match(r"\(?(?:topk|bottomk)\((\d+),", expr)
            if kept:
                assert int(kept[1]) <= 12, panel["title"]
                continue
            labels = {name.strip() for by in re.findall(r"by \(([^)]*)\)", expr) for name in by.split(",")} - {"le"}
            assert labels <= closed, (board["uid"], panel["title"], labels - closed)


def test_the_time_of_a_run_is_one_click_away(boards: list[Json]) -> None:
    """A short build is no sliver of hours: a link takes the time from the start of the newest run to its end."""
    for board in boards[:2]:
        links = {link["title"]: link for link in board["links"]}
        assert "from=${run_from:raw}&to=${run_to:raw}" in links["This run"]["url"]
        assert {"run_from", "run_to"} <= {v["name"] for v in board["templating"]["list"] if v["hide"] == 2}


def test_the_first_screen_answers(boards: list[Json]) -> None:
    """State, progress, end with its band, running step with what it does, what is wrong: without scrolling."""
    board = boards[0]
    first = [panel for panel in board["panels"] if panel["gridPos"]["y"] + panel["gridPos"]["h"] <= 14]
    titles = {panel["title"]: panel for panel in first}
    assert {"State", "Progress", "Time left", "Ends", "Running steps", "Failed steps", "Alerts"} <= set(titles)
    assert "What is wrong" in titles
    assert [t["legendFormat"] for t in titles["Ends"]["targets"]] == ["At the earliest", "Likely", "At the latest"]
    assert "build_step_verdict" in str(titles["Running steps"]["targets"])
    assert max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"]) <= 45


def test_tiles_stay_readable_with_twenty_builds(boards: list[Json]) -> None:
    """Tiles are of one build, or count: none has a part a build. A table has the others."""
    for board, panel in shown(boards, "stat", "bargauge"):
        for target in panel["targets"]:
            one = 'build="$build"' in target["expr"] or not re.search(r"by \([^)]*\b(build|instance)\b", target["expr"])
            assert one or target["expr"].startswith(("min(", "max(", "count(", "sum(")), (board["uid"], panel["title"])
    assert [v["multi"] for v in boards[0]["templating"]["list"] if v["name"] == "build"] == [False]


def test_few_controls_come_before_the_first_panel(boards: list[Json]) -> None:
    """A phone shows two choices and three links: data source, marks and what few touch are in the menu."""
    for board in boards:
        variables = board["templating"]["list"]
        assert len([v for v in variables if v["hide"] == 0]) <= 2, board["uid"]
        assert all(v["name"] != "datasource" or v["hide"] == 3 for v in variables)
        assert len(board["links"]) <= 3
        assert all(each["placement"] == "inControlsMenu" for each in board["annotations"]["list"])


def test_panels_fill_their_lines_and_do_not_overlap(boards: list[Json]) -> None:
    """No panel covers another or sticks out of the 24 columns, which Grafana takes without a word."""
    for board in boards:
        taken: dict[tuple[int, int], str] = {}
        for panel in panels_of(board):
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= COLUMNS, panel["title"]
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    assert (x, y) not in taken, (panel["title"], taken[x, y])
                    taken[x, y] = panel["title"]


def test_a_line_that_does_not_fill_the_grid_is_refused() -> None:
    """A panel of the wrong width is an error where it is written, not a gap on the page."""
    tile = stat(About(1, "Some", "Some.", "short", "None"), Query("up"))
    with pytest.raises(ValueError, match="24 columns"):
        Grid().line(4, (23, tile))
    Grid().line(4, (24, tile))


def test_variables_are_asked_by_what_they_are(boards: list[Json]) -> None:
    """A choice of one is compared as it is, for its name may hold what a pattern reads otherwise."""
    for board in boards:
        many = {v["name"]: v.get("multi", False) for v in board["templating"]["list"]}
        text = json.dumps(board).replace('\\"', '"')
        for label, operator, name in re.findall(r'(\w+)(=~|=)"\$(\w+)"', text):
            assert many[name] == (operator == "=~"), (board["uid"], label, name)


def test_every_panel_asks_the_chosen_source(boards: list[Json]) -> None:
    """Data source, builds and machines chosen at the top hold for all panels; alerts are Prometheus' own."""
    own = re.compile(r"ALERTS|^\S*(prometheus|alertmanager)_|up\{job=")
    for board, panel in shown(boards):
        assert board["templating"]["list"][0]["name"] == "datasource"
        assert panel["datasource"]["uid"] == "${datasource}", panel["title"]
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}", panel["title"]
            expr = target["expr"]
            assert (
                re.search(r"\$(build|instance)\b", expr)
                or own.search(expr)
                or "(prometheus_" in expr
                or ("(alertmanager_" in expr)
            ), (panel["title"], expr)


def test_what_happened_is_marked_on_the_graphs(boards: list[Json]) -> None:
    """Milestones, failures, starts, ends and, on demand, steps are marks at their own time, not at the scrape's."""
    for board in boards:
        if any("$build" in json.dumps(panel) for panel in board["panels"]):
            marks = {each["name"]: each for each in board["annotations"]["list"]}
            assert set(marks) == {"Milestones", "Failures", "Starts", "Ends", "Steps"}, board["uid"]
            assert not marks["Steps"]["enable"]
            for each in marks.values():
                assert each["useValueForTime"] is True
                assert "1000 * " in each["expr"]


def test_links_lead_somewhere_and_keep_the_time(boards: list[Json]) -> None:
    """Links between dashboards name one that is there, with variables it has, and the time; others are the page's."""
    known = {board["uid"]: {f"var-{v['name']}" for v in board["templating"]["list"]} for board in boards}
    seen = set()
    for board in boards:
        for url in re.findall(r'"url": "([^"]+)"', json.dumps(board)):
            if url.startswith("/d/"):
                uid, _, parameters = url.removeprefix("/d/").partition("?")
                assert {part.partition("=")[0] for part in parameters.split("&") if part.startswith("var-")} <= known[
                    uid
                ]
                assert "${__url_time_range}" in parameters or "from=${run_from:raw}" in parameters, url
                seen.add(uid)
            else:
                assert url.startswith(("${page:raw}/", "${__data.fields.")), url
    assert seen >= {"build-now", "build-steps", "build-host", "build-history", "build-alerts", "build-exporter"}


def test_a_state_has_one_colour_everywhere(boards: list[Json]) -> None:
    """Red is failed and blue is running in every tile, band, table and legend."""
    colours: dict[str, set[str]] = {}
    text = json.dumps(boards)
    for state in ("Pending", "Running", "Succeeded", "Interrupted", "Skipped"):
        colours[state] = set(re.findall(rf'"text": "{state}", "color": "([^"]+)"', text))
    # an alert that waits is no step that waits
    colours["Pending"] -= {"orange"}
    assert all(len(found) == 1 for found in colours.values()), colours


def test_words_of_panels_are_for_people(boards: list[Json]) -> None:
    """Descriptions are sentences, no two panels of a dashboard have one number, and no panel just shows "No data"."""
    for board in boards:
        assert SENTENCE.match(board["description"]), board["uid"]
        for panel in panels_of(board):
            if panel["type"] != "row":
                assert SENTENCE.match(panel["description"]), (board["uid"], panel["title"])
                assert "no data" not in panel["fieldConfig"]["defaults"]["noValue"].lower()
    assert now()["panels"][0]["description"]
