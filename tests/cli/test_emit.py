"""`build-exporter emit`: events from a shell or another program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.cli.emit import emit
from build_exporter.journal.layout import RUN_FILE_VARIABLE
from build_exporter.model.events import EVENT_NAMES
from build_exporter.wrapper.emit import emit as emit_quickly

Command = Callable[..., Any]


def lines(journal: Path, build: str = "lfs") -> list[dict[str, Any]]:
    """Return the events of a build's runs, oldest run first."""
    files = sorted((journal / build).glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_events_join_the_unfinished_run(command: Command, journal: Path) -> None:
    """Step by step a shell shows one run, without naming it."""
    reported = (
        ["build_started", "target=x86_64-lfs-linux-gnu", "jobs=4"],
        ["step_started", "phase=chapter-5", "step=gcc-pass1", "version=14.2"],
        ["step_finished", "phase=chapter-5", "step=gcc-pass1", "status=succeeded", "exit_code=0"],
        ["build_finished", "status=succeeded"],
        ["build_started"],
    )
    for arguments in reported:
        done = command("emit", "--journal", str(journal), "--build", "lfs", *arguments)
        assert done.returncode == 0, done.stderr
    assert len(list((journal / "lfs").glob("*.jsonl"))) == 2, "what succeeded is over: the next is a new run"
    events = lines(journal)
    assert [event["event"] for event in events] == [arguments[0] for arguments in reported]
    assert events[0]["jobs"] == 4
    assert events[1]["version"] == "14.2", "a text stays one, however much like a number it looks"


def test_a_failed_run_is_taken_up_again(command: Command, journal: Path) -> None:
    """build_started after a failure continues with the run, and with --new begins another."""
    for arguments in (["build_started"], ["build_finished", "status=failed"], ["build_started"]):
        command("emit", "--journal", str(journal), "--build", "lfs", *arguments)
    assert len(list((journal / "lfs").glob("*.jsonl"))) == 1
    command("emit", "--journal", str(journal), "--build", "lfs", "--new", "build_started")
    assert len(list((journal / "lfs").glob("*.jsonl"))) == 2


@pytest.mark.parametrize("status", ["failed", "succeeded"])
@pytest.mark.parametrize("words", [("message=x",), ("message=x", "further=1")], ids=["quick", "other way"])
def test_a_note_joins_a_run_that_is_over(
    command: Command, journal: Path, run_file: Callable[..., Any], status: str, words: tuple[str, ...]
) -> None:
    """A note about a build that has ended is added to that run: its state stays what it is, and so does its alert."""
    run = run_file("lfs")
    run.add("build_started")
    run.step("p", "s", 1, status)
    run.add("build_finished", status=status)
    before = command("status", "--short", "--journal", str(journal)).stdout
    for arguments in (["note", *words], ["milestone_reached", "milestone=m"]):
        assert command("emit", "--journal", str(journal), "--build", "lfs", *arguments).returncode == 0
    assert len(list((journal / "lfs").glob("*.jsonl"))) == 1
    assert [event["event"] for event in lines(journal)][-2:] == ["note", "milestone_reached"]
    assert command("status", "--short", "--journal", str(journal)).stdout == before
    command("emit", "--journal", str(journal), "--build", "lfs", "step_started", "phase=p", "step=s")
    assert len(list((journal / "lfs").glob("*.jsonl"))) == 2, "work that goes on after the end is another run"


def test_many_events_come_from_standard_input(command: Command, journal: Path) -> None:
    """Another tool's output is taken as a whole: times of its own stay, fields of its own stay."""
    reported = '{"event":"note","message":"a","time":1700000000,"mine":[1]}\n\n{"event":"note","message":"b"}\n'
    done = command("emit", "--journal", str(journal), "--build", "lfs", "-", input=reported)
    assert done.returncode == 0, done.stderr
    first, second = lines(journal)
    assert (first["time"], first["mine"], first["build"]) == (1700000000, [1], "lfs")
    assert second["time"] > 1.7e9


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (["--build", "lfs", "no_such_event"], EVENT_NAMES[0]),
        (["--build", "lfs", "step_started", "phase=p"], "missing required field `step`"),
        (["--build", "lfs", "step_finished", "phase=p", "step=s", "status=great"], "status can't be"),
        (["--build", "lfs", "note", "message"], "FIELD=VALUE"),
        (["--build", "../etc", "note", "message=x"], "must name the build"),
        (["note", "message=x"], "must name the build"),
    ],
)
def test_what_is_wrong_is_reported_and_nothing_written(
    command: Command, journal: Path, arguments: list[str], reported: str
) -> None:
    """A wrong event is refused with what is allowed, and leaves no line behind."""
    done = command("emit", "--journal", str(journal), *arguments)
    assert done.returncode == 2
    assert reported in done.stderr
    assert "Traceback" not in done.stderr
    assert list(journal.iterdir()) == []


def test_one_wrong_line_keeps_all_of_them_out(command: Command, journal: Path) -> None:
    """Half a batch is worse than none: the writer can send it again as a whole."""
    good = '{"event":"note","message":"a"}\n'
    for bad, words in (('{"event":"note"}', "line 2, event"), (good[:-2] + ',"build":"x"}', "line 2 is of build 'x'")):
        done = command("emit", "--journal", str(journal), "--build", "lfs", "-", input=f"{good}{bad}\n")
        assert done.returncode == 2
        assert words in done.stderr
        assert list(journal.iterdir()) == []


def test_a_journal_that_cannot_be_written_is_code_one(command: Command, tmp_path: Path) -> None:
    """The caller learns that the event is lost."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    done = command("emit", "--journal", str(blocked), "--build", "lfs", "note", "message=x")
    assert done.returncode == 1
    assert "can't be written" in done.stderr


def test_inside_a_run_its_file_is_joined(command: Command, journal: Path) -> None:
    """Called from a wrapped build, an event needs no build named."""
    done = command(
        "run", "--journal", str(journal), "--build", "lfs", "--", "sh", "-c", '"$@"', "sh",
        *command_line("emit", "note", "message=inside"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "inside" in [event.get("message") for event in lines(journal)]
    (file,) = (journal / "lfs").iterdir()
    around = {**os.environ, RUN_FILE_VARIABLE: str(file)}
    for build, more in (("blfs", ()), ("other", ("further=1",))):
        done = command("emit", "--journal", str(journal), "--build", build, "build_started", *more, env=around)
        assert (done.returncode, [event["event"] for event in lines(journal, build)]) == (0, ["build_started"])


def command_line(*arguments: str) -> list[str]:
    """Return the command as a child process calls it."""
    return [sys.executable, "-m", "build_exporter", *arguments]


def test_a_mistyped_build_is_not_begun(command: Callable[..., subprocess.CompletedProcess[str]], journal: Path) -> None:
    """A note for a build that does not exist is refused with the nearest names; --new begins it all the same."""
    command("emit", "--journal", str(journal), "--build", "lfs-12.4", "build_started")
    done = command("emit", "--journal", str(journal), "--build", "lfs-12.5", "note", "message=x")
    assert done.returncode == 2
    assert "no build lfs-12.5" in done.stderr
    assert "lfs-12.4" in done.stderr
    assert not (journal / "lfs-12.5").exists()
    assert (
        command("emit", "--journal", str(journal), "--build", "lfs-12.5", "--new", "note", "message=x").returncode == 0
    )


def test_a_wrong_value_names_those_allowed(
    command: Callable[..., subprocess.CompletedProcess[str]], journal: Path
) -> None:
    """`status=ok` is answered with the statuses there are, in plain words."""
    done = command("emit", "--journal", str(journal), "--build", "k", "step_finished", "phase=p", "step=s", "status=ok")
    assert done.returncode == 2
    assert "status can't be 'ok'; allowed: failed, interrupted, skipped, succeeded" in done.stderr
    assert "$" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("build_started", "target=x86_64-lfs-linux-gnu", "jobs=4"),
        ("step_started", "phase=p", "step=s é ✔", "version=5.10", "pid=1"),
        ("step_progress", "phase=p", "step=s", "ratio=0.25", "message=half"),
        ("step_finished", "phase=p", "step=s", "status=failed", "exit_code=2", "seconds=12.5"),
        ("step_finished", "phase=p", "step=s", "status=failed", "exit_code=-2"),
        ("step_finished", "phase=p", "step=s", "status=failed", "signal=007"),
        ("note", "message=a=b", "level=warning"),
        ("note", "message=two\nlines"),
        ("note", "message=x", "further=1"),
        ("feedback", "rating=5"),
    ],
)
def test_the_quick_way_writes_what_the_other_writes(
    tmp_path: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain event is appended without the libraries that explain mistakes, and the line is the same."""
    monkeypatch.setattr("time.time", lambda: 1.78e9)
    lines = []
    for name, run in (("quick", emit_quickly), ("other", lambda words: not emit.main(words, standalone_mode=False))):
        journal = tmp_path / name
        (journal / "lfs").mkdir(parents=True)
        file = journal / "lfs" / "20260101T000000Z.jsonl"
        file.write_text("")
        if not run(["--journal", str(journal), "--build", "lfs", *arguments]):
            # left to the other way, with nothing written
            assert file.read_text() == ""
            assert any(mark in " ".join(arguments) for mark in ("-2", "007", "\n", "further"))
            return
        lines.append([json.loads(line) for line in file.read_text().splitlines()])
    assert lines[0] == lines[1]
    assert len(lines[0]) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("note",),
        ("note", "message"),
        ("nothing", "message=x"),
        ("feedback", "rating=6"),
        ("step_finished", "phase=p", "step=s", "status=ok"),
        ("step_progress", "phase=p", "step=s", "ratio=2"),
        ("note", "message=x", "--new"),
        ("-",),
        ("--help",),
    ],
)
def test_the_quick_way_leaves_what_is_wrong_to_the_other(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Mistakes are explained by the way that can, and nothing has been written before."""
    (tmp_path / "lfs").mkdir()
    file = tmp_path / "lfs" / "20260101T000000Z.jsonl"
    file.write_text("")
    assert not emit_quickly(["--journal", str(tmp_path), "--build", "lfs", *arguments])
    assert not emit_quickly(["--journal", str(tmp_path), "--build", "../lfs", "note", "message=x"])
    assert not emit_quickly(["--journal", str(tmp_path), "--build", "other", "note", "message=x"])
    assert file.read_text() == ""
    assert [path.name for path in tmp_path.iterdir()] == ["lfs"]
