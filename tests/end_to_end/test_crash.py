"""kill -9 of the exporter or of a writer, at any point: nothing recorded is lost, nothing shown goes back."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.replay import read_recording

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]

LEFT_OUT = {
    "build_exporter_collector_duration_seconds": "is measured",
    "build_exporter_event_lag_seconds": "is of events read live",
    "build_exporter_events_total": "counts since the exporter's start",
    "build_exporter_http_requests_total": "counts since the exporter's start",
    "build_exporter_http_request_duration_seconds": "is measured",
    "build_exporter_command_uses_total": "is read now and then",
    "build_exporter_journal_bytes": "is sampled now and then",
    "build_exporter_link_info": "names the address of each",
    "build_exporter_series": "counts those of requests too",
    "build_host_": "is of the machine at the moment",
    "build_process_": "is of processes at the moment",
    "process_": "is of the exporter's process",
}
"""Beginnings of the names that may differ between two exporters over one journal, and why."""

COUNTERS = ("build_runs_total", "build_failures_total", "build_steps_finished_total")
"""What must never be lower than it was shown before, within a run."""

PROGRESS = "build_progress_ratio"
PROGRESS_SLACK = 0.05
"""How far progress may go back: by what a running step was credited until its failure, of a little before, was read."""


def comparable(samples: Samples) -> Samples:
    """Return the samples that report builds and of the journal alone."""
    return {key: value for key, value in samples.items() if not key[0].startswith(tuple(LEFT_OUT))}


def make_recording(path: Path, steps: int) -> None:
    """Write a run of a build in which much goes wrong: failures, retries, interruptions, tests, warnings."""
    choose = random.Random(5)
    time = 1.76e9
    lines: list[dict[str, Any]] = []

    def emit(event: str, after: float = 1.0, **fields: Any) -> None:
        nonlocal time
        time += after
        lines.append({"time": time, "event": event, "build": "made", **fields})

    plan: list[dict[str, Any]] = [
        {"phase": f"phase-{n % 4}", "step": f"{n}-step", "sbu": choose.uniform(0.1, 3)} for n in range(steps)
    ]
    milestones = [{"name": "half", "progress": 0.5}, {"name": "first phase", "phase": "phase-0"}]
    emit("build_started", target="x86_64", book="12.4", jobs=2)
    emit("plan", steps=plan, milestones=milestones)
    for planned in plan:
        name: dict[str, Any] = {"phase": planned["phase"], "step": planned["step"]}
        for attempt in range(3):
            emit("step_started", **name, package="p", log="/l")
            for ratio in (0.2, 0.7):
                emit("step_progress", choose.uniform(1, 9), **name, ratio=ratio)
            failed = attempt < 2 and choose.random() < 0.3
            emit("tests_reported", **name, suite="check", passed=choose.randrange(99), failed=choose.randrange(3))
            figures: dict[str, Any] = {"cpu_seconds": choose.uniform(1, 9), "max_rss_bytes": choose.randrange(10**9)}
            status = choose.choice(("failed", "interrupted")) if failed else "succeeded"
            reported: dict[str, Any] = (
                {"message": "x.c:1: error: \u00e4", "error_class": "compiler-error"} if status == "failed" else {}
            )
            emit("step_finished", 5, **name, status=status, warnings=attempt, **figures, **reported)
            if not failed:
                break
            emit("build_finished", status="failed")
            emit("build_started")
    emit("build_finished", status="succeeded")
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture(params=["made", "recorded"])
def recording(request: pytest.FixtureRequest, tmp_path: Path, repository: Path) -> Path:
    """A recorded run: one made here in which much goes wrong, and the real one of the examples."""
    if request.param == "made":
        path = tmp_path / "made.jsonl"
        make_recording(path, 60)
        return path
    found = sorted((repository / "examples" / "recorded").rglob("*.jsonl"))
    if not found:
        pytest.skip("no recorded build here")
    return found[-1]


@pytest.mark.timeout(300)
def test_an_exporter_killed_again_and_again_shows_what_another_shows(
    serve: Callable[..., Any], run_file: Callable[..., Any], journal: Path, recording: Path, poll: Any
) -> None:
    """Killed at many points of a build and started again, it ends up showing what one never disturbed does."""
    wanted, seconds = (12, 12.0) if recording.name == "made.jsonl" else (6, 6.0)
    build = read_recording(recording).build
    for number in range(1, 3):
        earlier = run_file(build, run=f"2025010{number}T000000Z")
        earlier.step("phase-0", "0-step", status="failed", error_class="checksum-mismatch")
        earlier.add("build_finished", status="failed")
    choose = random.Random(11)
    undisturbed = serve()
    speed = str(read_recording(recording).seconds / seconds)
    arguments = ["replay", str(recording), "--journal", str(journal), "--speed", speed, "--quiet"]
    replay = subprocess.Popen([sys.executable, "-m", "build_exporter", *arguments])
    before: Samples = {}
    during = kills = 0
    try:
        while replay.poll() is None or kills < wanted:
            disturbed = serve()
            during += replay.poll() is None
            for _ in range(choose.randrange(1, 4)):
                before = _not_lower(before, disturbed.samples(), build)
            # the very moment is what is to be tried, so it is left to chance
            time.sleep(choose.uniform(0, 0.2))
            disturbed.kill()
            kills += 1
        assert replay.wait(10) == 0
    finally:
        replay.kill()
        replay.wait(10)
    assert during >= 4, "the replay was over before the exporter had been killed often enough"
    disturbed = serve()
    poll(lambda: disturbed.value("build_runs_total") is not None, what="the history is read")
    _not_lower(before, disturbed.samples(), build)
    shown = comparable(disturbed.samples())
    assert shown == comparable(undisturbed.samples())
    assert disturbed.value("build_state", build=build, state="succeeded") == 1
    assert disturbed.value("build_failures_total", build=build, **{"class": "checksum-mismatch"}) == 2
    assert disturbed.value("build_runs_total", build=build, result="succeeded") == 1
    assert len(shown) > 100


def _not_lower(before: Samples, now: Samples, build: str) -> Samples:
    """Fail where a counter or the progress of a run is lower than it was; return all that was seen."""
    run = next(dict(labels)["run"] for name, labels in now if name == "build_info" and ("build", build) in labels)
    seen = {
        (name, labels | {("of run", run)}): value
        for (name, labels), value in now.items()
        if name in (*COUNTERS, PROGRESS)
    }
    for key, value in seen.items():
        slack = PROGRESS_SLACK if key[0] == PROGRESS else 0.0
        assert value >= before.get(key, 0.0) - slack, f"{key} went back from {before[key]} to {value}"
    return before | seen


WRITER = """
import itertools, sys
from build_exporter.journal.append import Writer
writer = Writer(sys.argv[1])
for number in itertools.count(int(sys.argv[2])):
    text = "x" * (number * 7919 % 16000)
    writer.append(f'{{"time":{1e9 + number},"event":"note","build":"lfs","message":"{number} {text}"}}\\n'.encode())
    print(number, flush=True)
"""


def test_a_writer_killed_again_and_again_loses_nothing_it_had_written(serve: Callable[..., Any], journal: Path) -> None:
    """What a writer had appended when it was killed is there, in order, and the next writer's first line is whole."""
    path = journal / "lfs" / "20260101T000000Z.jsonl"
    choose = random.Random(3)
    reported = -1
    for _ in range(20):
        arguments = [sys.executable, "-c", WRITER, str(path), str(reported + 1)]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(choose.randrange(1, 60)):
            reported = int(process.stdout.readline())
        process.kill()
        rest = process.stdout.read().split("\n")
        # a number that was cut off was printed after its line was appended
        reported = max([reported, *(int(number) for number in rest[:-1] if number)])
        process.stdout.close()
        process.wait(10)
    numbers = []
    torn = 0
    # the last one has no end, or nothing: who reads waits for its rest
    for line in path.read_bytes().split(b"\n")[:-1]:
        try:
            numbers.append(int(json.loads(line)["message"].split()[0]))
        except ValueError:
            torn += bool(line)
    assert torn <= 20
    assert set(range(reported + 1)) <= set(numbers)
    assert numbers == sorted(numbers)
    served = serve()
    assert served.value("build_exporter_events_total", event="note") == len(numbers)
    assert served.value("build_exporter_lines_rejected_total") == torn
