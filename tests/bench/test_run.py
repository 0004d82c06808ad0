"""The measurements work from end to end; their figures are not judged here."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = ("mtail", "prometheus", "prometheus-node-exporter", "prometheus-pushgateway", "gcc", "make", "bash")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]

FIGURES = {
    "throughput",
    "throughput_turning",
    "latency_busy",
    "latency_idle",
    "scrape_small",
    "scrape_large_cpu",
    "scrape_large_prometheus",
    "memory",
    "idle",
    "idle_scraped",
    "host_sample",
    "tree_sample",
    "hook_bash",
    "wrapper_added",
    "wrapper_cpu",
    "start",
    "start_large",
    "scale_steps_memory",
    "scale_builds_memory",
    "http_ingest",
    "stream",
    "slow_down",
    "slow_down_cpu",
    "burst",
    "verdict",
    "estimate_graph",
    "watch",
    "mcp",
}
WITHOUT_PEER = {
    key
    for key in FIGURES
    if key.startswith(("slow_down", "wrapper_cpu", "start_large", "scale", "burst", "estimate", "watch", "mcp"))
}


def _measurements(repository: Path) -> list[str]:
    text = (repository / "bench" / "run.py").read_text(encoding="utf-8")
    (names,) = re.findall(r"^MEASUREMENTS = \((.*?)^\)", text, re.MULTILINE | re.DOTALL)
    return re.findall(r'"(\w+)"', names)


@pytest.mark.soak
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
@pytest.mark.timeout(400)
def test_a_quick_run_takes_every_figure_beside_its_peer(repository: Path, tmp_path: Path) -> None:
    """`bench/run.py --quick` runs all measurements and leaves a table and a JSON file with each figure."""
    run = [sys.executable, str(repository / "bench" / "run.py"), "--quick"]
    # they mostly wait: two at a time take half of the time, and what they measure is not judged
    shares = [[f"--only={name}" for name in _measurements(repository)[first::2]] for first in range(2)]
    outputs = [tmp_path / f"{place}.json" for place in range(2)]
    started = [
        subprocess.Popen([*run, *share, "--output", str(output)], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
        for share, output in zip(shares, outputs, strict=True)
    ]
    printed = "".join(each.communicate(timeout=390)[0] for each in started)
    assert [each.returncode for each in started] == [0, 0]
    documents = [json.loads(output.read_text(encoding="utf-8")) for output in outputs]
    figures = {figure["key"]: figure for document in documents for figure in document["figures"]}
    assert figures.keys() >= FIGURES
    for key in FIGURES:
        figure = figures[key]
        assert math.isfinite(figure["ours"]), key
        assert figure["what"] in printed
        if key not in {"slow_down", "wrapper_cpu"}:
            # a short run on a busy machine may find an event as cheap as none: never less
            assert figure["ours"] >= 0, key
        if key not in WITHOUT_PEER:
            assert figure["peer_value"] > 0, key
    assert figures["idle"]["detail"]["process_tree"], "the tree was not sampled while its cost was taken"
    machine = documents[0]["machine"]
    assert machine["cores"] > 0
    assert all("not installed" not in found for found in machine["peers"].values())


def test_a_missed_goal_is_reported(figure: ModuleType) -> None:
    """A figure says whether its goal is reached: in its unit, or by its ratio to the peer where one is given."""
    rate = {"key": "a", "what": "rate", "unit": "events/s", "ours": 90, "higher_is_better": True, "peer_value": 30}
    slow = figure.Figure(**rate, goal=100)
    assert slow.reached is False
    assert "NO" in figure.table([slow])
    by_ratio = figure.Figure(**rate, goal=100, goal_ratio=3)
    assert by_ratio.reached is True
    assert "by ratio" in figure.table([by_ratio])
    assert figure.Figure(**rate, goal=100, goal_ratio=3.1).reached is False
    low = figure.Figure(key="b", what="time", unit="s", ours=0.002, peer_value=0.02, goal=0.003)
    assert low.reached is True
    assert low.ratio == pytest.approx(10)
    halved = figure.Figure(key="c", what="start", unit="s", ours=1.0, goal_before=2.0, before=2.0)
    assert halved.reached is True
    assert replace(halved, before=1.9).reached is False
    assert replace(halved, before=None).reached is None, "the other version was not measured"
    assert figure.percentile([3, 1, 2, 4], 0.5) == 2
    assert figure.percentile(range(1, 101), 0.99) == 99
