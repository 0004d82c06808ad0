"""Exports: what other tools read is what was written."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.export.openmetrics import Export
from build_exporter.model import events as e

Command = Callable[..., Any]


@pytest.fixture
def journal(run_file: Callable[..., Any]) -> Path:
    """Two runs of a build: one that failed once, one still going on."""
    first = run_file("lfs", run="20260101T000000Z", clock=1.78e9)
    first.add("build_started", jobs=2)
    first.step("p", "a", seconds=100.0, status="failed", error_class="compiler-error")
    first.step("p", "a", seconds=90.0)
    first.add("build_finished", status="succeeded")
    second = run_file("lfs", run="20260102T000000Z", clock=1.781e9)
    second.step("p", "a", seconds=80.0)
    path: Path = second.path.parents[1]
    return path


def test_promtool_reads_every_sample_that_was_written(command: Command, journal: Path, tmp_path: Path) -> None:
    """Blocks made by the real promtool hold as many samples and series as the export says, none dropped."""
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed")
    done = command("export", "lfs", "--journal", str(journal), "--output", str(tmp_path / "lfs.om"))
    counted = re.search(r"2 runs: (\d+) samples of (\d+) series$", done.stderr.strip())
    assert counted is not None, done.stderr
    made = subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(tmp_path / "lfs.om"), str(tmp_path / "blocks")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    (tmp_path / "blocks" / "wal").mkdir(exist_ok=True)
    dump = subprocess.run(
        ["promtool", "tsdb", "dump", str(tmp_path / "blocks")], capture_output=True, text=True, check=False
    )
    lines = [line for line in dump.stdout.splitlines() if line.startswith("{")]
    assert len(lines) == int(counted[1])
    assert len({line.rsplit("}", 1)[0] for line in lines}) == int(counted[2])
    steps = [line.split() for line in lines if '__name__="build_step_duration_seconds"' in line]
    assert {line[-2] for line in steps} >= {"90", "80"}


def test_samples_come_in_order_once_a_millisecond() -> None:
    """Events out of order, in one millisecond, or before 1970 make no sample that promtool would drop in silence."""
    found = Export()
    found.add("b", "r", [
        e.StepStarted(time=10.0, build="b", phase="p", step="s"),
        e.StepFinished(time=10.0004, build="b", phase="p", step="s", status="succeeded"),
        e.Note(time=5.0, build="b", message="late"),
    ], 1.0)  # fmt: skip
    lines = [line.split() for line in found.lines() if line.startswith("build_step_status")]
    stamps = [float(line[-1]) for line in lines]
    assert stamps == sorted(set(stamps))
    assert lines[-1][-2] == "2", "the newest of one millisecond is kept"
    assert found.dropped["same millisecond"] > 0
    assert found.samples == sum(not line.startswith("#") for line in found.lines())


def test_a_trace_is_one_tree(command: Command, journal: Path) -> None:
    """The run is the root, phases are below it, attempts below them; a failed attempt says so."""
    text = command("export", "--journal", str(journal), "--run", "20260101T000000Z", "--format", "otlp").stdout
    (resource,) = json.loads(text)["resourceSpans"]
    spans = resource["scopeSpans"][0]["spans"]
    names = {span["spanId"]: span["name"] for span in spans}
    assert [(span["name"], names.get(span["parentSpanId"])) for span in spans] == [
        ("RUN lfs", None), ("p", "RUN lfs"), ("a", "p"), ("a", "p"),
    ]  # fmt: skip
    assert {len(span["traceId"]) for span in spans} == {32}
    assert [span["status"]["code"] for span in spans] == [1, 1, 2, 1]
    took = [int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"]) for span in spans]
    assert took[2:] == [100 * 10**9, 90 * 10**9]
    attributes = {each["key"]: each["value"]["stringValue"] for each in spans[2]["attributes"]}
    assert attributes["cicd.pipeline.task.run.result"] == "failure"
    assert attributes["error.type"] == "compiler-error"
    again = command("export", "--journal", str(journal), "--run", "20260101T000000Z", "--format", "otlp").stdout
    assert again == text


def test_lines_and_rows(command: Command, journal: Path) -> None:
    """JSON lines are the events of every run, CSV has a row a step and run."""
    lines = command("export", "--journal", str(journal), "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line)["event"] for line in lines][-1] == "step_finished"
    assert len(lines) == 8
    rows = list(csv.DictReader(io.StringIO(command("export", "--journal", str(journal), "--format", "csv").stdout)))
    assert [(row["run"], row["seconds"]) for row in rows] == [
        ("20260101T000000Z", "90.0"),
        ("20260102T000000Z", "80.0"),
    ]


def test_nothing_to_export(command: Command, tmp_path: Path) -> None:
    """An empty journal is wrong use, in one sentence."""
    done = command("export", "--journal", str(tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
