"""Every dashboard against the types Grafana publishes for its JSON, and the folder for a stack of one's own."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

Json = dict[str, Any]


def lost(given: object, kept: object, path: str = "") -> Iterator[str]:
    """Yield what a dashboard says and Grafana's types do not know: a word they have no place for, or another value."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for name, value in given.items():
            if name in kept:
                yield from lost(value, kept[name], f"{path}.{name}")
            elif value not in (None, "", [], {}, False):
                yield f"{path}.{name}"
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for place, (one, other) in enumerate(zip(given, kept, strict=True)):
            yield from lost(one, other, f"{path}[{place}]")
    elif given != kept:
        yield path


@pytest.fixture(scope="module")
def as_grafana() -> Callable[[Json], Json]:
    """Read a dashboard into Grafana's own types, panels by their kinds, and write it again."""
    plugins.register_default_plugins()

    def convert(board: Json) -> Json:
        found: Json = json.loads(JSONEncoder().encode(Dashboard.from_json(json.loads(json.dumps(board)))))
        return found

    return convert


def test_grafana_has_a_place_for_all_that_the_dashboards_say(
    boards: list[Json], as_grafana: Callable[[Json], Json]
) -> None:
    """No option is misspelt or in the wrong place: Grafana would take it without a word and not heed it."""
    for board in boards:
        assert list(lost(board, as_grafana(board))) == [], board["uid"]


def test_a_misspelt_option_would_be_noticed(boards: list[Json], as_grafana: Callable[[Json], Json]) -> None:
    """The check above sees a wrong word in a panel's options, in its fields and in a variable."""
    board = json.loads(json.dumps(boards[0]))
    board["panels"][0]["options"]["textmode"] = "value"
    board["panels"][0]["fieldConfig"]["defaults"]["no_value"] = "None"
    board["templating"]["list"][1]["hidden"] = 2
    assert list(lost(board, as_grafana(board))) == [
        ".panels[0].options.textmode",
        ".panels[0].fieldConfig.defaults.no_value",
        ".templating.list[1].hidden",
    ]


@pytest.fixture(scope="module")
def mixin(repository: Path) -> ModuleType:
    """The module that renders the folder for people with their own Prometheus and Grafana."""
    spec = importlib.util.spec_from_file_location("render_mixin", repository / "mixin/render.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_mixin_has_every_rule_once(
    mixin: ModuleType, rules: list[Json], repository: Path, tmp_path: Path, promtool: Callable[..., Any]
) -> None:
    """promtool takes the rendered files, and no rule or dashboard is missing from the folder."""
    made = mixin.write(tmp_path)
    checked = promtool("check", "rules", *map(str, made))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert sum(len(group["rules"]) for kind in mixin.FILES for group in mixin.groups(kind)) == len(rules)
    folder = repository / "mixin/dashboards_out"
    assert {path.name for path in folder.iterdir()} == {p.name for p in (repository / "grafana/dashboards").iterdir()}
