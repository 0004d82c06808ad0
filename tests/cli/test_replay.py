"""`replay`: a recorded run lived again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.model.names import is_run_name, run_start
from build_exporter.replay import read_recording, replayed

Command = Callable[..., Any]
START = 1.76e9


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A recorded run of 100 seconds with everything whose time changes, and two lines that are none."""
    path = tmp_path / "recorded.jsonl"
    steps = [{"phase": "p", "step": "s", "expected_seconds": 60.0, "sbu": 2.0}]
    lines: list[Any] = [
        {"event": "build_started", "run": "20251009T084640Z", "deadline": START + 200},
        {"event": "plan", "steps": steps},
        {"event": "step_started", "phase": "p", "step": "s", "pid": 77},
        {"event": "step_finished", "phase": "p", "step": "s", "status": "failed", "seconds": 50.0, "cpu_seconds": 90.0},
        {"event": "coffee_made", "cups": 3},
        {"event": "build_finished", "status": "failed"},
    ]
    times = (0, 0.5, 10, 60, 61, 100)
    text = [json.dumps({"time": START + at, "build": "lfs", **line}) for at, line in zip(times, lines, strict=True)]
    bad = ["not JSON", '{"time": "NaN", "event": "note"}', '{"time": 1e300}', '{"event": "note"}', "[1]"]
    path.write_text("\n".join([*text[:3], *bad, "", *text[3:]]) + "\n")
    return path


def written(journal: Path, build: str = "lfs") -> tuple[str, list[dict[str, Any]]]:
    """Return name and events of the one run of a build."""
    (path,) = (journal / build).glob("*.jsonl")
    return path.stem, [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_is_lived_again_faster(command: Command, journal: Path, recorded: Path) -> None:
    """All times are drawn together: between events, of durations, of the plan and of the deadline; the rest stays."""
    began = time.time()
    done = command("replay", str(recorded), "--journal", str(journal), "--speed", "100", "--quiet")
    assert done.returncode == 0, done.stderr
    assert done.stderr == done.stdout == ""
    assert 1 <= time.time() - began < 30
    run, events = written(journal)
    assert is_run_name(run)
    start = events[0]["time"]
    assert began - 1 < run_start(run) <= start < time.time()
    assert [round(event["time"] - start, 3) for event in events] == [0, 0.005, 0.1, 0.6, 0.61, 1.0]
    assert events[0]["run"] == run
    assert events[0]["deadline"] == pytest.approx(start + 2)
    assert events[1]["steps"] == [{"phase": "p", "step": "s", "expected_seconds": 0.6, "sbu": 2.0}]
    assert "pid" not in events[2], "a process of another day is none of this machine"
    assert (events[3]["seconds"], events[3]["cpu_seconds"]) == (0.5, 0.9)
    assert events[4] == {"time": events[4]["time"], "build": "lfs", "event": "coffee_made", "cups": 3}


def test_logs_grow_as_their_steps_run(
    command: Command, journal: Path, tmp_path: Path, poll: Callable[..., None]
) -> None:
    """A log beside the recording is written again as its step runs; one that is nowhere is not offered to anyone."""
    (tmp_path / "logs" / "1").mkdir(parents=True)
    text = "".join(f"line {number}\n" for number in range(1000))
    (tmp_path / "logs" / "1" / "a.log").write_text(text)
    (tmp_path / "here.log").write_text("kept\n")
    names = ("/mnt/lfs/logs/1/a.log", "/mnt/lfs/logs/1/b.log", str(tmp_path / "here.log"), "/mnt/../logs/1/a.log")
    events = [
        {"time": START + number * 3 + at, "event": event, "build": "lfs", "phase": "p", "step": f"s{number}", **more}
        for number, log in enumerate(names)
        for event, at, more in (("step_started", 0, {"log": log}), ("step_finished", 3, {"status": "failed"}))
    ]
    path = tmp_path / "recorded.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    words = ["replay", str(path), "--journal", str(journal), "--quiet"]
    process = subprocess.Popen([sys.executable, "-m", "build_exporter", *words])
    try:
        poll(lambda: any(journal.rglob("a.log")), 30, "the log is begun")
        (copy,) = journal.rglob("a.log")
        poll(lambda: 0 < copy.stat().st_size < len(text), 30, "a part of it is there")
        assert text.startswith(copy.read_text().rpartition("\n")[0])
        poll(lambda: copy.read_text() == text, 30, "all of it is there")
    finally:
        process.kill()
        process.wait()
    assert [event.get("log") for event in written(journal)[1][:1]] == [str(copy)]
    done = command(*words, "--keep-times", "--build", "old")
    assert done.returncode == 0, done.stderr
    logs = [event.get("log") for event in written(journal, "old")[1] if event["event"] == "step_started"]
    assert logs == [str(tmp_path / "logs/1/a.log"), None, str(tmp_path / "here.log"), None]


def test_what_was_left_out_is_reported(command: Command, journal: Path, recorded: Path) -> None:
    """Lines that are no events are counted, and a summary says what is being replayed."""
    done = command("replay", str(recorded), "--journal", str(journal), "--speed", "1000")
    assert done.returncode == 0
    assert "5 lines of" in done.stderr
    assert ": 0 s at 1000 times the speed\n" in done.stderr


def test_as_another_build(command: Command, journal: Path, recorded: Path) -> None:
    """Under another name the events are that build's; a name that can be none is wrong use."""
    arguments = ("replay", str(recorded), "--journal", str(journal), "--speed", "1000", "--quiet", "--build")
    assert command(*arguments, "demo").returncode == 0
    assert {event["build"] for event in written(journal, "demo")[1]} == {"demo"}
    for wrong in ("../up", "", "two words"):
        done = command(*arguments, wrong)
        assert done.returncode == (2 if wrong else 0), wrong
    assert not (journal / "..").joinpath("up").exists()


def test_as_history(command: Command, journal: Path, recorded: Path) -> None:
    """With its own times a recorded run is there at once, under the name of its own start."""
    began = time.monotonic()
    assert command("replay", str(recorded), "--journal", str(journal), "--keep-times", "--quiet").returncode == 0
    assert time.monotonic() - began < 30
    run, events = written(journal)
    assert run_start(run) == START
    assert [event["time"] for event in events] == [START + at for at in (0, 0.5, 10, 60, 61, 100)]
    assert events[3]["seconds"] == 50.0
    assert events[0]["deadline"] == START + 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ended_early_it_is_interrupted(
    journal: Path, recorded: Path, poll: Callable[..., None], command: Command, number: signal.Signals
) -> None:
    """Ctrl-C or SIGTERM leaves a run that says so, not one that seems to run for ever."""
    arguments = ["replay", str(recorded), "--journal", str(journal), "--quiet"]
    process = subprocess.Popen([sys.executable, "-m", "build_exporter", *arguments], stderr=subprocess.PIPE)
    poll(lambda: any(path.read_bytes().count(b"\n") >= 2 for path in journal.glob("lfs/*.jsonl")))
    process.send_signal(number)
    _, reported = process.communicate(timeout=20)
    assert process.returncode == 130
    assert reported == b""
    events = written(journal)[1]
    assert (events[-1]["event"], events[-1]["status"]) == ("build_finished", "interrupted")
    assert command("status", "--journal", str(journal)).returncode == 1


def test_what_is_no_recording(command: Command, journal: Path, tmp_path: Path) -> None:
    """A file without events is reported in one line, and nothing is written."""
    for content in (b"", b"\n\n", b"text\n", b"\xff\xfe\x00"):
        (tmp_path / "other").write_bytes(content)
        done = command("replay", str(tmp_path / "other"), "--journal", str(journal))
        assert done.returncode == 1
        assert done.stderr.splitlines() == [f"build-exporter: {tmp_path / 'other'} holds no event"]
    assert list(journal.iterdir()) == []


def test_a_journal_that_cannot_be_written_is_reported(command: Command, recorded: Path, tmp_path: Path) -> None:
    """Where the journal can't be, one line says which path and why."""
    (tmp_path / "file").touch()
    done = command("replay", str(recorded), "--journal", str(tmp_path / "file"), "--quiet")
    assert done.returncode == 1
    assert done.stderr.startswith(f"build-exporter: {tmp_path / 'file'}/lfs")
    assert done.stderr.endswith("Not a directory\n")
    assert len(done.stderr.splitlines()) == 1


def test_events_stay_apart_at_any_speed(tmp_path: Path) -> None:
    """A retry a second after the failure is still a second start, however fast it is replayed."""
    path = tmp_path / "recorded.jsonl"
    lines = [{"time": START + n, "build": "b", "event": "step_started", "phase": "p", "step": "s"} for n in range(100)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    recording = read_recording(path)
    reported = [json.loads(line)["time"] for _, line in replayed(recording, "b", "r", 1.79e9, 100_000)]
    assert len(set(reported)) == 100
    assert reported == sorted(reported)


def test_a_recording_can_be_replayed_again(recorded: Path) -> None:
    """Replaying changes nothing of what was read: a second time gives the same."""
    recording = read_recording(recorded)
    first = list(replayed(recording, "b", "r", START, 10))
    assert list(replayed(recording, "b", "r", START, 10)) == first
