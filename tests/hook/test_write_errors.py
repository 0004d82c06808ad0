"""A journal that can't be written never stops, slows or disturbs the build, and is used again when it can be."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

BUILD = """set -eu; . "$HOOK"; be_start b
be_step p s echo ran
be_step p t sh -c 'exit 3' || echo "status $?"
be_step_start p u; be_step_progress p u 0.5 x; be_step_end succeeded
be_milestone m; be_note n; be_end succeeded; echo reached"""
OUTPUT = "ran\nstatus 3\nreached\n"


def assert_unharmed(done: subprocess.CompletedProcess[str]) -> None:
    """The build printed what it prints, and the hook one line on stderr."""
    assert done.stdout == OUTPUT
    assert done.stderr.startswith("build-events: events are lost: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("journal", ["/proc/nowhere", "/dev/null/journal", "/dev/full"])
def test_a_journal_that_can_not_be(hook: Any, journal: str) -> None:
    """A journal in an impossible place costs one line on stderr and nothing else."""
    assert_unharmed(hook.run(BUILD, BUILD_EXPORTER_JOURNAL=journal))


def test_a_file_in_place_of_the_journal(hook: Any, tmp_path: Path) -> None:
    """A plain file where the journal should be is left as it is."""
    file = tmp_path / "file"
    file.write_text("mine")
    assert_unharmed(hook.run(BUILD, BUILD_EXPORTER_JOURNAL=str(file)))
    assert file.read_text() == "mine"


def test_a_read_only_journal(hook: Any, tmpfs: Callable[..., Path]) -> None:
    """A read-only file system under the journal stops nothing, even for root."""
    point = tmpfs("size=64k")
    subprocess.run(["mount", "-o", "remount,ro", str(point)], check=True)
    assert_unharmed(hook.run(BUILD, BUILD_EXPORTER_JOURNAL=str(point / "journal")))


def test_one_line_on_stderr_for_a_build_and_its_children(hook: Any) -> None:
    """Child scripts and background steps of a run that can't be recorded do not repeat the complaint."""
    script = """. "$HOOK"; be_start b
        be_step p s sh -c '. "$HOOK"; be_start b; be_step p t true; be_note x' & be_step p u true & wait; be_end 0"""
    done = hook.run(script, BUILD_EXPORTER_JOURNAL="/proc/nowhere")
    assert done.stderr.count("\n") == 1


def test_one_line_on_stderr_when_trouble_begins_later(hook: Any) -> None:
    """Steps at once that all meet a journal just lost say so once together, by the script itself."""
    done = hook.run(""". "$HOOK"; be_start b; rm -r "$BUILD_EXPORTER_JOURNAL"; : >"$BUILD_EXPORTER_JOURNAL"
        for i in 1 2 3 4; do be_step p "s$i" true & done; wait; be_note x; be_end succeeded""")
    assert done.stderr.count("\n") == 1


def test_without_be_start(hook: Any) -> None:
    """A script whose caller did not start a run works and says once that nothing is recorded."""
    done = hook.run(BUILD.replace("be_start b", ":"))
    assert_unharmed(done)
    assert "no be_start" in done.stderr


@pytest.mark.parametrize("name", ["relative.jsonl", "/x.txt", "/", "x"])
def test_a_run_file_that_is_none(hook: Any, name: str) -> None:
    """A BUILD_EXPORTER_RUN_FILE that can't be a run's file is not written."""
    script = BUILD.replace("be_start b", 'cd "$HOME"')
    assert_unharmed(hook.run(script, BUILD_EXPORTER_RUN_FILE=name))


@pytest.mark.parametrize("kind", ["fifo", "directory", "device"])
def test_what_is_no_regular_file_is_left_alone(hook: Any, kind: str, tmp_path: Path) -> None:
    """The build does not wait for a reader of a FIFO, and writes into no device."""
    run = tmp_path / "b" / "run.jsonl"
    run.parent.mkdir()
    if kind == "fifo":
        os.mkfifo(run)
    elif kind == "directory":
        run.mkdir()
    else:
        run.symlink_to("/dev/full")
    assert_unharmed(hook.run(BUILD.replace("be_start b", ":"), BUILD_EXPORTER_RUN_FILE=str(run)))


def test_a_closed_stderr(hook: Any) -> None:
    """A build without stderr, or without any output, is no reason to fail."""
    assert hook.run(f"exec 2>&-; {BUILD}", BUILD_EXPORTER_JOURNAL="/proc/nowhere").stdout == OUTPUT
    hook.run(f"exec >&- 2>&- <&-; {BUILD.replace('echo', 'true')}")
    assert hook.finished() == {"s": "succeeded", "t": "failed", "u": "succeeded"}


def test_a_removed_journal_is_made_again(hook: Any) -> None:
    """When someone removes the journal in the middle of a build the next event makes it again."""
    hook.run(""". "$HOOK"; be_start b; be_step p s rm -r "$BUILD_EXPORTER_JOURNAL"; be_step p t true; be_end 0""")
    events = [(e["event"], e.get("step")) for e in hook.events()]
    assert events[-3:] == [("step_started", "t"), ("step_finished", "t"), ("build_finished", None)]


def test_a_journal_that_appears_later(hook: Any, tmp_path: Path) -> None:
    """A journal that could not be made at the start is used as soon as it can be."""
    blocker = tmp_path / "later"
    blocker.write_text("")
    done = hook.run(
        """. "$HOOK"; be_start b; be_step p lost true; rm "$HOME/later"; _be_retry=0
        be_step p found true; be_end 0""",
        BUILD_EXPORTER_JOURNAL=str(blocker),
    )
    assert done.stderr.count("\n") == 1
    hook.journal = blocker
    assert hook.finished() == {"found": "succeeded"}
    assert [e["count"] for e in hook.events() if e["event"] == "events_lost"] == [3], "a run and a step"


def test_a_full_disk_and_room_again(hook: Any, tmpfs: Callable[..., Path]) -> None:
    """On a full disk the build continues; when there is room again events are whole lines, at most one torn before."""
    point = tmpfs("size=64k")
    script = """set -eu; . "$HOOK"; be_start b
        cat /dev/zero >"$BUILD_EXPORTER_JOURNAL/filler" 2>/dev/null || true
        i=0; while [ $i -lt 30 ]; do be_note "$1"; i=$((i+1)); done
        be_step p on sh -c 'echo ran'
        rm "$BUILD_EXPORTER_JOURNAL/filler"
        be_step p again true; be_end succeeded; echo reached"""
    done = hook.run(script, "m" * 900, BUILD_EXPORTER_JOURNAL=str(point))
    assert done.stdout == "ran\nreached\n"
    assert done.stderr.count("\n") == 1
    lines = next(point.glob("b/*.jsonl")).read_bytes().splitlines()
    torn = [line for line in lines if line and not _is_json(line)]
    assert len(torn) <= 1
    assert all(line.startswith(b'{"time":') for line in torn)
    assert [msgspec.json.decode(line).get("step") for line in lines[-3:]] == ["again", "again", None]
    assert len(lines) < 30


def test_a_full_disk_and_a_trap_of_the_caller(hook: Any, tmpfs: Callable[..., Path]) -> None:
    """On a full disk, where the hook can't see which traps there are, it sets none over the caller's."""
    point = tmpfs("size=64k")
    script = """. "$HOOK"; be_start b; trap 'echo "cleaned up"' EXIT
        cat /dev/zero >"$BUILD_EXPORTER_JOURNAL/filler" 2>/dev/null; set -e
        work() { echo ran; exit 3; }; be_step p s work"""
    done = hook.run(script, status=3, BUILD_EXPORTER_JOURNAL=str(point))
    assert done.stdout == "ran\ncleaned up\n"


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except msgspec.DecodeError:
        return False
    return True


def test_a_torn_line_of_another_writer_is_ended(hook: Any, run_file: Any) -> None:
    """A script that joins a run whose last line was cut off by a full disk does not lose its first event to it."""
    run = run_file("b")
    run.add("build_started")
    run.raw(b'{"time":17900')
    hook.run('. "$HOOK"; be_note one; be_note two', BUILD_EXPORTER_RUN_FILE=str(run.path))
    lines = run.path.read_bytes().splitlines()
    assert [_is_json(line) for line in lines] == [True, False, True, True]


@pytest.mark.parametrize("hook", ["bash", "posix", "dash"], indirect=True)
def test_an_impossible_journal_costs_little(hook: Any, tmp_path: Path) -> None:
    """While the journal can't be made, making it is tried every few seconds and not at each event."""
    mkdir = tmp_path / "bin" / "mkdir"
    mkdir.parent.mkdir()
    mkdir.write_text('#!/bin/sh\necho tried >>"$HOME/tries"; exit 1\n')
    mkdir.chmod(0o755)
    script = '. "$HOOK"; be_start b; i=0; while [ $i -lt 300 ]; do be_note x; i=$((i+1)); done'
    start = time.monotonic()
    path = f"{mkdir.parent}:{hook.environment['PATH']}"
    hook.run(script, PATH=path, BUILD_EXPORTER_JOURNAL=str(tmp_path / "journal" / "none"))
    tries = (tmp_path / "tries").read_text().count("tried")
    assert 1 <= tries <= 2 + (time.monotonic() - start) / 5


@pytest.mark.parametrize("hook", ["bash", "posix", "dash"], indirect=True)
@pytest.mark.parametrize("options", ["set -eu", ": no options"])
def test_without_any_program(hook: Any, tmp_path: Path, options: str) -> None:
    """A step that empties PATH, or a root without programs, takes nothing from the steps that need none."""
    script = f""". "$HOOK"; be_start b; be_note 'clock is set'; {options}; PATH=/nowhere
        work() {{ made=$((${{made:-0}} + 1)); echo "work $made"; }}
        be_step p s work; be_step p s work; BE_LOG_DIR=$HOME/logs; be_step p t work; be_step p t work
        be_plan "$HOOK"; be_start b; be_end succeeded; echo "on $made" """
    (tmp_path / "logs").mkdir()
    done = hook.run(script)
    assert done.stdout == "work 1\nwork 2\non 4\n"
    assert hook.finished() == {"s": "succeeded", "t": "succeeded"}


def test_readonly_locale(hook: Any) -> None:
    """A script that made LC_ALL readonly still gets valid lines."""
    hook.run('. "$HOOK"; readonly LC_ALL; be_start b; be_step p "é\\"" true; be_end 0; echo reached')
    assert [e["event"] for e in hook.events()][-1] == "build_finished"
