"""Exports: what other tools read is what was written."""

from __future__ import annotations

import base64
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
from click.testing import CliRunner
from google.protobuf import json_format
from opentelemetry.proto.trace.v1.trace_pb2 import Status, TracesData
from ports import free_port

from build_exporter.cli import main
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


@pytest.fixture
def blocks(command: Command, journal: Path, tmp_path: Path) -> tuple[Path, str]:
    """The blocks that the real promtool makes of an export, and what the export said of itself."""
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed")
    done = command("export", "lfs", "--journal", str(journal), "--output", str(tmp_path / "lfs.om"))
    make = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(tmp_path / "lfs.om"), str(tmp_path / "blocks")]
    made = subprocess.run(make, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return tmp_path / "blocks", done.stderr.strip()


def test_promtool_and_prometheus_read_every_sample(blocks: tuple[Path, str], tmp_path: Path, poll: Any) -> None:
    """The blocks hold as many samples and series as the export says, and Prometheus answers from them as a journal."""
    directory, said = blocks
    counted = re.search(r"2 runs: (\d+) samples of (\d+) series$", said)
    assert counted is not None, said
    (directory / "wal").mkdir(exist_ok=True)
    dump = subprocess.run(["promtool", "tsdb", "dump", str(directory)], capture_output=True, text=True, check=False)
    lines = [line for line in dump.stdout.splitlines() if line.startswith("{")]
    assert len(lines) == int(counted[1])
    assert len({line.rsplit("}", 1)[0] for line in lines}) == int(counted[2])
    steps = [line.split() for line in lines if '__name__="build_step_duration_seconds"' in line]
    assert {line[-2] for line in steps} >= {"90", "80"}

    (tmp_path / "prometheus.yml").write_text("{}")
    address = f"127.0.0.1:{free_port()}"
    call = ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={directory}",
            "--storage.tsdb.retention.time=100y", f"--web.listen-address={address}"]  # fmt: skip
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(call, stdout=log, stderr=log)
    try:
        poll(lambda: _steps(address, 1.78e9) == [], 60, "Prometheus answers")
        first, second = _steps(address, 1.78e9 + 194), _steps(address, 1.781e9 + 81)
    finally:
        server.kill()
        server.wait(10)
    assert first == [["20260101T000000Z", "a", "succeeded", "2", "90.0"]]
    assert second == [["20260102T000000Z", "a", "succeeded", "1", "80.0"]]


def _steps(address: str, until: float) -> list[list[str]] | None:
    """Return the steps that a Prometheus has at a time, None where it does not answer yet."""
    asked = ("tasks", "--prometheus", f"http://{address}", "--until", str(until), "--output", "csv")
    done = CliRunner().invoke(main, asked, prog_name="build-exporter")
    shown = ("run", "step", "state", "attempts", "seconds")
    rows = csv.DictReader(io.StringIO(done.stdout))
    return [[row[name] for name in shown] for row in rows] if done.exit_code == 0 else None


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


def test_a_trace_is_what_the_protocol_says(command: Command, journal: Path) -> None:
    """OpenTelemetry's own message takes every field by name and type, and holds the same spans, ids and times."""
    text = command("export", "--journal", str(journal), "--format", "otlp").stdout
    # OTLP writes ids in hex where the protocol buffers' JSON has base64
    by_proto = re.sub(
        r'("(?:traceId|spanId|parentSpanId)": ?)"([0-9a-f]+)"',
        lambda found: f'{found[1]}"{base64.b64encode(bytes.fromhex(found[2])).decode()}"',
        text,
    )
    read = json_format.Parse(by_proto, TracesData())
    spans = [span for resource in read.resource_spans for scope in resource.scope_spans for span in scope.spans]
    written = [
        span
        for resource in json.loads(text)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    assert [(each.trace_id.hex(), each.span_id.hex(), each.name, each.start_time_unix_nano) for each in spans] == [
        (each["traceId"], each["spanId"], each["name"], int(each["startTimeUnixNano"])) for each in written
    ]
    assert {(len(each.trace_id), len(each.span_id)) for each in spans} == {(16, 8)}
    assert {len(each.parent_span_id) for each in spans} == {0, 8}
    assert {Status.StatusCode.Name(each.status.code) for each in spans} >= {"STATUS_CODE_OK", "STATUS_CODE_ERROR"}
    assert all(each.end_time_unix_nano >= each.start_time_unix_nano for each in spans)


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
