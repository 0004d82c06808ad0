"""Collectors of packages: shown beside the built-in ones, switched as they are, isolated from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.sources.plugins.conftest import Site

FANS = """
class Fans:
    api_version = 1
    metrics = [gauge("build_custom_fan_speed_rpm", "rpm", "fan", "Speed of a fan."),
               counter("build_custom_fan_stops_total", "", "", "Stops of any fan.")]

    def collect(self):
        yield "build_custom_fan_speed_rpm", 1200.5, 'cpu"0"'
        yield "build_custom_fan_speed_rpm", 7, "x" * 257
        yield "build_custom_fan_stops_total", 3
"""


def collector(collect: str, metrics: str = 'gauge("build_custom_x", "", "a", "x")', head: str = "") -> str:
    """Return a collector's code."""
    return f"class Bad:\n    {head or 'pass'}\n    metrics = [{metrics}]\n    def collect(self):\n        {collect}\n"


BAD = [
    ("1 / 0", "ZeroDivisionError"),
    ("class Bad:\n    def __init__(self): raise SystemExit(1)", "SystemExit: 1"),
    ("class Bad: pass", "AttributeError"),
    (collector("raise SystemExit(2)"), "SystemExit: 2"),
    (collector("return []", head="api_version = 7"), "version 7 of the interface"),
    (collector("return []", metrics=""), "it has 0 metrics"),
    (
        collector("return []", metrics='*[gauge("build_custom_x", "", "", "x")] * 2'),
        "it has 2 metrics, or two of a name",
    ),
    (collector("return []", metrics="'build_custom_x'"), "its metrics hold a str"),
    (collector("return []", metrics='gauge("build_state", "", "", "x")'), "names begin with build_custom_"),
    (collector("return []", metrics='gauge("build_custom_x_total", "", "", "x")'), "has the wrong type"),
    (collector("return []", metrics='gauge("build_custom_x", "", "le", "x")'), "a label that can't be one"),
    (collector("return [('build_custom_y', 1)]"), "'build_custom_y', which is not among its metrics"),
    (collector("return [('build_custom_x', 'one', 'a')]"), "a value that is no number"),
    (collector("return [('build_custom_x', 1, 2)]"), "a label that is no text"),
    (collector("return [('build_custom_x', 1)]"), "ValueError"),
    (collector("return [('build_custom_x', 1, 'a'), ('build_custom_x', 2, 'a')]"), "twice with the same labels"),
    (collector("return (('build_custom_x', 1, str(n)) for n in range(10**9))"), "more than 1000 samples"),
    (collector("return 5"), "TypeError"),
]


def test_collector_is_shown_and_can_be_switched_off(
    serve: Callable[..., Any], poll: Callable[..., None], site: Site
) -> None:
    """An installed collector shows its families, and `--no-collector.NAME` hides it as it hides a built-in one."""
    site.install("fan-plugin", FANS, group="build_exporter.collectors", fans="Fans")
    served = serve(environment=site.environment)
    poll(lambda: served.value("build_exporter_collector_success", collector="fans") == 1, what="it succeeds")
    assert served.value("build_custom_fan_speed_rpm", fan='cpu"0"') == 1200.5
    assert served.value("build_custom_fan_speed_rpm", fan="x" * 256) == 7, "a label is cut"
    assert served.value("build_custom_fan_stops_total") == 3
    served = serve("--no-collector.fans", environment=site.environment)
    assert served.value("build_custom_fan_stops_total") is None
    assert served.value("build_exporter_collector_success", collector="fans") is None


def test_bad_collectors_cost_themselves_alone(serve: Callable[..., Any], poll: Callable[..., None], site: Site) -> None:
    """Bad collectors leave `/metrics` whole; each is down and logged once with its package."""
    for number, (code, _) in enumerate(BAD):
        names = {f"bad{number}": "Bad"}
        site.install(f"bad-plugin{number}", code, group="build_exporter.collectors", **names)
    site.install("fan-plugin", FANS, group="build_exporter.collectors", fans="Fans", cpu="Fans")
    served = serve("--log.format", "json", environment=site.environment)
    poll(lambda: served.value("build_custom_fan_stops_total") == 3, what="the good one is shown")

    def down() -> set[str]:
        return {
            dict(labels)["collector"]
            for (name, labels), value in served.samples().items()
            if name == "build_exporter_collector_success" and value == 0
        }

    poll(lambda: down() >= {f"bad{number}" for number in range(len(BAD))}, seconds=30, what="every bad one is down")
    assert served.value("build_custom_x") is None
    assert served.stop() == 0
    lines = [json.loads(line) for line in served.log.read_text().splitlines()]
    exceptions = {line["collector"]: line["exception"] for line in lines if line["msg"] == "collector failed"}
    for number, (_, reported) in enumerate(BAD):
        assert f"PluginError: by bad-plugin{number} 1.5: " in exceptions[f"bad{number}"]
        assert reported in exceptions[f"bad{number}"]
    assert sum(line["msg"] == "collector failed" for line in lines) == len(exceptions)
    assert [line["package"] for line in lines if "not taken" in line["msg"]] == ["fan-plugin 1.5"]


@pytest.mark.parametrize("code", ["import time; time.sleep(1e6)", collector("import time; time.sleep(1e6)")])
def test_a_collector_that_hangs_holds_up_nothing(
    serve: Callable[..., Any], site: Site, journal: Path, code: str
) -> None:
    """While a collector hangs, being loaded or asked, scrapes are answered and SIGTERM ends the exporter."""
    site.install("stuck-plugin", code, group="build_exporter.collectors", stuck="Bad")
    served = serve(environment=site.environment)
    assert served.get("/metrics")[0] == 200
    assert served.stop() == 0
