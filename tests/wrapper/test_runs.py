"""Which run a wrapped command is recorded in: resuming, joining, beginning again, many at once."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build_exporter.journal.current import last_state
from build_exporter.model import names
from build_exporter.wrapper.names import is_build_name

Run = Callable[..., subprocess.CompletedProcess[bytes]]
Read = Callable[..., list[dict[str, Any]]]

BUILD = ("--build", "b")
STEP = ("--build", "b", "--step", "s")


def _reported(events: list[dict[str, Any]]) -> list[str]:
    return [event["event"] + (f" {event['status']}" if "status" in event else "") for event in events]


@pytest.mark.parametrize(("code", "status"), [(0, "succeeded"), (3, "failed"), (130, "interrupted")])
def test_whole_build(run: Run, events: Read, code: int, status: str) -> None:
    """With neither step nor phase the command is the build: begun, its one step, ended as the command ended."""
    run("sh", "-c", f"exit {code}", options=BUILD)
    assert _reported(events()) == [
        "build_started",
        "step_started",
        f"step_finished {status}",
        f"build_finished {status}",
    ]
    assert {(event["phase"], event["step"]) for event in events() if "step" in event} == {("build", "sh")}


@pytest.mark.parametrize(
    ("words", "code", "status"),
    [
        ("ninja: build stopped: subcommand failed.", 143, "failed"),
        ("ninja: build stopped: interrupted by user.", 130, "failed"),
        ("ninja: build stopped: interrupted by user.", 2, "failed"),
        ("make: *** [all] Interrupt", 130, "interrupted"),
    ],
)
def test_a_code_that_ninja_hands_on_is_no_signal(
    run: Run, events: Read, tmp_path: Path, words: str, code: int, status: str
) -> None:
    """Ninja ends with its command's code, also with 130 and 143: where nobody was there to interrupt, it failed."""
    options = (*BUILD, "--log", str(tmp_path / "log"))
    run("sh", "-c", f"echo '{words}'; exit {code}", options=options, stdin=subprocess.DEVNULL)
    assert _reported(events())[-1] == f"build_finished {status}"


def test_whole_build_is_taken_up_until_it_succeeds(run: Run, events: Read) -> None:
    """A failed build run again continues in its run; after success, or with --new, another run begins."""
    for code in (1, 2, 0, 1):
        run("sh", "-c", f"exit {code}", options=BUILD)
    run("true", options=(*BUILD, "--new"))
    files = [event["file"] for event in events() if event["event"] == "build_started"]
    assert files[0] == files[1] == files[2] < files[3] < files[4]
    assert all(names.is_run_name(file.removesuffix(".jsonl")) for file in files)


def test_interrupted_by_loss_of_power_is_taken_up(run: Run, run_file: Callable[..., Any], events: Read) -> None:
    """A run that never ended, torn in the middle of a line, continues with that line lost and no other."""
    past = run_file("b")
    past.add("build_started")
    past.add("step_started", phase="p", step="s")
    past.raw(b'{"time":1.0,"event":"step_fin')
    run("true", options=BUILD)
    lines = past.path.read_bytes().split(b"\n")
    assert lines[2] == b'{"time":1.0,"event":"step_fin'
    rest = [json.loads(line) for line in lines[:2] + lines[3:-1]]
    assert _reported(rest) == [
        "build_started", "step_started", "build_started", "step_started", "step_finished succeeded",
        "build_finished succeeded",
    ]  # fmt: skip


def test_no_step_of_its_own(run: Run, events: Read) -> None:
    """--no-step leaves the steps to hooks within: the run begins and ends, nothing else is reported."""
    run("true", options=(*BUILD, "--no-step"))
    assert _reported(events()) == ["build_started", "build_finished succeeded"]


def test_steps_join_the_unfinished_run(run: Run, events: Read) -> None:
    """Steps one after another are one run; once something ended it, the next step begins another."""
    run("true", options=STEP)
    run("false", options=STEP)
    (path,) = {event["file"] for event in events()}
    assert _reported(events()) == [
        "build_started", "step_started", "step_finished succeeded", "step_started", "step_finished failed",
    ]  # fmt: skip
    run("false", options=BUILD)
    run("true", options=STEP)
    files = [event["file"] for event in events() if event["event"] == "build_started"]
    assert files[0] == files[1] == path < files[2]


def test_many_steps_at_once_make_one_run(run: Run, events: Read) -> None:
    """Eight steps started together, as by make -j8, begin one run between them, reported once and first."""
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: run("true", options=(*BUILD, "--step", f"s{n}")), range(8)))
    assert [one.stderr for one in done] == [b""] * 8
    reported = _reported(events())
    assert len({event["file"] for event in events()}) == 1
    assert (reported[0], reported.count("build_started"), reported.count("step_finished succeeded")) == (
        "build_started",
        1,
        8,
    )


def test_commands_within_join(run: Run, wrapper: list[str], events: Read, tmp_path: Path) -> None:
    """Whatever is wrapped within a wrapped command, from any directory and with any options, is a step of that run."""
    inner = f"cd {tmp_path}; {' '.join(wrapper)}"
    run("sh", "-c", f"{inner} -- echo; {inner} --step x -- sh -c '{inner} --phase q -- true'", options=BUILD)
    assert len({event["file"] for event in events()}) == 1
    assert [event["step"] for event in events() if event["event"] == "step_started"] == ["sh", "echo", "x", "true"]
    assert _reported(events()).count("build_started") == _reported(events()).count("build_finished succeeded") == 1


def test_hooks_within_join(
    run: Run, events: Read, environment: dict[str, str], repository: Path, tmp_path: Path
) -> None:
    """Steps that a script within shows by the shell hook lie in the wrapper's run, wherever the script goes."""
    hook = repository / "exporter" / "build_exporter" / "shell" / "build-events.sh"
    relative = {**environment, "BUILD_EXPORTER_JOURNAL": "journal"}
    script = f"cd /; . {hook}; be_step p inner true"
    run("sh", "-c", script, options=(*BUILD, "--no-step"), cwd=tmp_path, env=relative)
    assert _reported(events()) == [
        "build_started", "step_started", "step_finished succeeded", "build_finished succeeded",
    ]  # fmt: skip
    assert {event["file"] for event in events()} == {events()[0]["file"]}
    assert events()[1]["step"] == "inner"


@pytest.mark.parametrize("options", [("--build", "other"), ("--journal", "elsewhere"), ("--new",)])
def test_commands_within_that_mean_another_run(
    run: Run, wrapper: list[str], events: Read, options: tuple[str, ...], tmp_path: Path
) -> None:
    """A build, a journal or --new named within is not the run around, which stays as it is."""
    run("sh", "-c", " ".join([*wrapper, *options, "--step", "inner", "--", "true"]), options=BUILD, cwd=tmp_path)
    files = list(tmp_path.rglob("*.jsonl"))
    inner = [path for path in files if '"inner"' in path.read_text()]
    assert len(files) == 2
    assert len(inner) == 1
    assert '"build_started"' in inner[0].read_text()
    assert inner[0].parent == tmp_path / options[-1] / "b" if "--journal" in options else True
    assert "build_finished" not in inner[0].read_text()


@pytest.mark.parametrize("kind", ["gone", "directory", "fifo"])
def test_run_file_that_is_none(run: Run, environment: dict[str, str], events: Read, tmp_path: Path, kind: str) -> None:
    """A run file named by the environment that is not there, or no file, is not waited for: the step finds another."""
    path = tmp_path / "b" / "20260101T000000Z.jsonl"
    path.parent.mkdir()
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    done = run("true", options=STEP, env={**environment, "BUILD_EXPORTER_RUN_FILE": str(path)})
    assert done.stderr == b""
    assert _reported(events()) == ["build_started", "step_started", "step_finished succeeded"]


def test_build_is_named_by_the_directory(run: Run, environment: dict[str, str], events: Read, tmp_path: Path) -> None:
    """Without a name the build is called as the current directory, or by $BUILD_EXPORTER_BUILD."""
    directory = tmp_path / "my build #2"
    directory.mkdir()
    run("true", options=(), cwd=directory)
    assert events("my-build-2")
    run("true", options=(), cwd=directory, env={**environment, "BUILD_EXPORTER_BUILD": "named"})
    assert {event["build"] for event in events("named")} == {"named"}


def test_journal_option(run: Run, tmp_path: Path) -> None:
    """--journal names the journal, for the command and all hooks within."""
    show = 'echo "$BUILD_EXPORTER_JOURNAL"'
    done = run("sh", "-c", show, options=(*STEP, "--journal", "other"), cwd=tmp_path)
    assert done.stdout.decode() == f"{tmp_path}/other\n"
    assert len(list((tmp_path / "other" / "b").glob("*.jsonl"))) == 1


def test_step_beside_one_that_begins_the_run(run: Run, journal: Path, events: Read) -> None:
    """A step that comes while another has made the run's file but not yet begun it waits for that and joins."""
    directory = journal / "b"
    directory.mkdir()
    path = directory / "20260101T000000Z.jsonl"
    begin = 'sleep 0.2; printf \'{"time":1.0,"event":"build_started","build":"b","run":"20260101T000000Z"}\\n\' >>'
    with subprocess.Popen(
        ["flock", str(directory), "sh", "-c", f": >{path}; echo locked; {begin}{path}"], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == b"locked\n"
        run("true", options=STEP)
    assert _reported(events()) == ["build_started", "step_started", "step_finished succeeded"]


def test_lock_held_by_another(run: Run, journal: Path, events: Read) -> None:
    """A neighbour that holds the build's lock and hangs delays a step by a second at most."""
    (journal / "b").mkdir()
    with subprocess.Popen(["flock", str(journal / "b"), "sleep", "60"], process_group=0) as holder:
        try:
            assert run("true", options=STEP, timeout=20).returncode == 0
            assert _reported(events())[-1] == "step_finished succeeded"
            assert holder.poll() is None
        finally:
            os.killpg(holder.pid, 9)


def test_state_at_the_end_of_a_long_run(tmp_path: Path) -> None:
    """The end is found behind any number of notes, in any spacing; a message that quotes an event is no event."""
    path = tmp_path / "run.jsonl"
    quoted = json.dumps({"event": "build_finished", "status": "succeeded"})
    note = json.dumps({"time": 1.0, "event": "note", "build": "b", "message": quoted}) + "\n"
    end = '{ "status" : "failed", "event" : "build_finished" }\n'
    for text, state in [
        ("", ""),
        (note, ""),
        (end, "failed"),
        (note + end + note * 5000, "failed"),
        (end + '{"event": "step_started"}\n' + note * 5000, "running"),
        (end.rstrip("\n"), "failed"),
        (end + '{"event": "step_sta', "failed"),
    ]:
        path.write_text(text)
        assert last_state(str(path)) == state, text[:200]


@given(st.text(st.sampled_from("aZ09._+- /é\x00\n"), max_size=4) | st.text(max_size=120) | st.just("a" * 100))
def test_build_names_are_those_of_the_model(name: str) -> None:
    """The quick check of a build's name is the model's rule."""
    assert is_build_name(name) == names.is_build_name(name)
