"""Fifty builders in one real Prometheus, the same through an agent's remote_write in a real VictoriaMetrics."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ports import free_port
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics

from build_exporter.catalog import CATALOG

BUILDERS = 50
pytestmark = pytest.mark.timeout(400)
SAMPLE = re.compile(r'[a-z][a-z0-9_]*(\{([a-z_]+="(?:[^"\\\n]|\\.)*",?)+\})? \S+')
"""A sample line that no engine takes for something else: no indent, no exemplar, no time."""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the script of the bench finds with fifty builders, which is what docs/scaling.md rests on."""
    if not (shutil.which("prometheus") and shutil.which("victoria-metrics")):
        pytest.skip("Prometheus and VictoriaMetrics are not both installed")
    path = tmp_path_factory.mktemp("fleet") / "fleet.json"
    options = ("--builders", str(BUILDERS), "--steps", "5", "--interval", "5", "--seconds", "0", "--json", str(path))
    top = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "bench.fleet", *options], cwd=top, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_one_prometheus_keeps_fifty_builders_apart(measured: dict[str, Any]) -> None:
    """All answer, and the five whose equally named builds failed are five alerts, each of its builder."""
    answers = measured["answers"]["server"]
    assert answers["builders that answer"] == {"{}": BUILDERS}
    assert answers["builds by state"]['{"state": "failed"}'] == 5
    assert answers["builds by state"]['{"state": "running"}'] == BUILDERS - 5
    assert measured["alerts_by_builder"] == ["b19", "b29", "b39", "b49", "b9"]
    assert len(answers["least free memory"]) == BUILDERS
    # the real exporter beside them, at the address that it gives of itself
    assert measured["found_by_http_sd"] == [socket.gethostname()]


def test_victoriametrics_gives_the_same_answers(measured: dict[str, Any]) -> None:
    """What an agent sends is asked as in Prometheus: same builders, states and steps, and no name but the catalog's."""
    ours, theirs = measured["answers"]["server"], measured["answers"]["victoria"]
    still = ("builders that answer", "builds by state", "builders whose build has failed", "steps done of all")
    assert {question: theirs[question] for question in still} == {question: ours[question] for question in still}
    assert ours.keys() == theirs.keys()
    assert all(theirs.values())
    assert foreign(measured["names"]["victoria"]) == []
    assert len(measured["names"]["victoria"]) > 100


def test_the_fleet_dashboard_is_answered_by_both(measured: dict[str, Any]) -> None:
    """Each query of the fleet's dashboard gives as many series in VictoriaMetrics as in Prometheus, mostly some."""
    shown = measured["dashboard"]
    assert {query: counts for query, counts in shown.items() if counts[0] != counts[1]} == {}
    assert sum(counts[0] > 0 for counts in shown.values()) > len(shown) * 0.8
    assert shown['sum by (instance) (build_state{instance=~".+",state="running"})'] == [BUILDERS, BUILDERS]


def foreign(names: list[str]) -> list[str]:
    """Return the names of series that are neither the catalog's nor what a scrape adds."""
    ends = ("", "_bucket", "_sum", "_count")
    known = {name + end for name in CATALOG for end in ends} | {"up"}
    return [name for name in names if name not in known and not name.startswith("scrape_")]


@pytest.fixture
def victoria(tmp_path: Path, poll: Callable[..., None]) -> Iterator[str]:
    """The address of a VictoriaMetrics without data."""
    program = shutil.which("victoria-metrics")
    if program is None:
        pytest.skip("VictoriaMetrics is not installed")
    url = f"http://127.0.0.1:{free_port()}"
    flags = (f"-storageDataPath={tmp_path / 'vm'}", f"-httpListenAddr={url[7:]}", "-search.latencyOffset=0s")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([program, *flags], stdout=log, stderr=log)

    def answers() -> bool:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=5).close()
        except OSError:
            return False
        return True

    try:
        poll(answers, 60, "VictoriaMetrics answers")
        yield url
    finally:
        process.terminate()
        process.wait(30)


def test_a_scrape_read_by_victoriametrics_itself_keeps_its_names(
    serve: Callable[..., Any], run_file: Callable[..., Any], victoria: str, poll: Callable[..., None]
) -> None:
    """Its parser makes exemplars and indents part of names: the exporter sends neither, every series arrives whole."""
    run = run_file("lfs", clock=time.time() - 100)
    run.add("plan", steps=[{"phase": "p {x} # 1", "step": 'a"b\\c', "sbu": 1}, {"phase": "p", "step": "c"}])
    run.step("p {x} # 1", 'a"b\\c', seconds=3.0)
    body = serve().get("/metrics", Accept="application/openmetrics-text; version=1.0.0")[2]
    samples = [line for line in body.decode().splitlines() if not line.startswith("#")]
    assert [line for line in samples if not SAMPLE.fullmatch(line)] == []
    request = urllib.request.Request(f"{victoria}/api/v1/import/prometheus", data=body, method="POST")
    urllib.request.urlopen(request, timeout=30).close()
    urllib.request.urlopen(f"{victoria}/internal/force_flush", timeout=30).close()
    query = urllib.parse.urlencode({"match[]": '{__name__!=""}'})

    def stored() -> list[dict[str, str]]:
        with urllib.request.urlopen(f"{victoria}/api/v1/series?{query}", timeout=30) as answer:
            return [dict(each) for each in json.load(answer)["data"]]

    poll(lambda: len(stored()) == len(samples), 30, "every sample is a series")
    found = stored()
    assert foreign([each["__name__"] for each in found]) == []
    shown = [sample for family in openmetrics(body.decode()) for sample in family.samples]
    # a label without value is none, here as in Prometheus
    expected = {(each.name, *sorted((k, v) for k, v in each.labels.items() if v)) for each in shown}
    assert {(each.pop("__name__"), *sorted(each.items())) for each in found} == expected


def test_the_pages_agent_configuration_is_taken(repository: Path, tmp_path: Path) -> None:
    """The configuration of an agent in docs/scaling.md can be copied: promtool takes it."""
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed")
    text = (repository / "docs/scaling.md").read_text()
    path = tmp_path / "agent.yml"
    path.write_text(text.partition("```yaml\n")[2].partition("```")[0])
    command = ["promtool", "check", "config", "--agent", "--syntax-only", str(path)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
