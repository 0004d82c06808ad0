"""Where a journal lies, which run a writer joins, and what names are."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build_exporter.journal import layout
from build_exporter.journal.current import join_run, last_state, unfinished_run
from build_exporter.journal.ingest import Ingest, Piece
from build_exporter.model.names import build_name_from, is_build_name, is_run_name, run_name, run_start

RunFiles = Callable[..., Any]
NOW = 1.78e9


@pytest.mark.parametrize(
    ("environment", "user", "path"),
    [
        ({"BUILD_EXPORTER_JOURNAL": "/j", "XDG_STATE_HOME": "/s", "HOME": "/h"}, 0, "/j"),
        ({"XDG_STATE_HOME": "/s", "HOME": "/h"}, 0, "/var/lib/build-exporter/journal"),
        ({"XDG_STATE_HOME": "/s", "HOME": "/h"}, 1000, "/s/build-exporter/journal"),
        ({"HOME": "/h"}, 1000, "/h/.local/state/build-exporter/journal"),
        (
            {"BUILD_EXPORTER_JOURNAL": "", "XDG_STATE_HOME": "", "HOME": "/h"},
            1000,
            "/h/.local/state/build-exporter/journal",
        ),
    ],
)
def test_the_default_journal(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], user: int, path: str
) -> None:
    """The environment's journal, else the system's for root, else the user's state directory."""
    for name in ("BUILD_EXPORTER_JOURNAL", "XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert layout.default_journal() == path


@given(st.one_of(st.text(max_size=20), st.from_regex(r"\d{8}T\d{6}Z\n?", fullmatch=True), st.from_regex(r"[\dTZ]{16}")))
def test_a_run_is_the_same_to_writers_and_readers(name: str) -> None:
    """The quick look at a name, for a step's start, and the careful one always agree."""
    assert layout._is_run(name) == is_run_name(name)


@given(st.floats(0, 4e9))
def test_a_runs_name_shows_its_start(start: float) -> None:
    """A name made from a time is one, and gives that second back."""
    assert is_run_name(run_name(start))
    assert run_start(run_name(start)) == int(start)


@given(st.text())
def test_any_text_gives_a_build_name(text: str) -> None:
    """Whatever a directory or target is called, the name made of it can name a build, and a good one stays."""
    assert is_build_name(build_name_from(text))
    if is_build_name(text) and text == text.strip("-"):
        assert build_name_from(text) == text


@pytest.mark.parametrize("name", ["", ".", "..", "...", "a/b", "a b", "a\n", "ä", "x" * 101, "\x00"])
def test_names_that_can_name_no_build(name: str) -> None:
    """Nothing that is no plain directory name names a build."""
    assert not is_build_name(name)


def test_builds_and_runs_are_listed_in_order(journal: Path, run_file: RunFiles) -> None:
    """Builds by name, runs oldest first, the newest's path; nothing where there is nothing."""
    for build in ("b", "a"):
        for run in ("20260102T000000Z", "20260101T000000Z", "20251231T235959Z"):
            run_file(build, run).raw(b"")
    assert layout.builds(str(journal)) == ["a", "b"]
    assert layout.runs(str(journal), "a") == ["20251231T235959Z", "20260101T000000Z", "20260102T000000Z"]
    assert layout.newest_run(str(journal), "a") == str(journal / "a" / "20260102T000000Z.jsonl")
    assert layout.newest_run(str(journal), "c") is None
    assert layout.builds(str(journal / "missing")) == layout.runs(str(journal), "missing") == []


ENDS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "nothing": ([], ""),
    "only notes": ([{"event": "note", "message": "m"}], ""),
    "begun": ([{"event": "build_started"}], "running"),
    "in a step": ([{"event": "build_started"}, {"event": "step_started", "phase": "p", "step": "s"}], "running"),
    "succeeded": ([{"event": "build_started"}, {"event": "build_finished", "status": "succeeded"}], "succeeded"),
    "failed": ([{"event": "build_finished", "status": "failed"}], "failed"),
    "taken up": ([{"event": "build_finished", "status": "failed"}, {"event": "build_started"}], "running"),
    "noted after the end": (
        [{"event": "build_finished", "status": "interrupted"}, {"event": "note", "message": "x" * 70_000}],
        "interrupted",
    ),
    "said in a message": (
        [{"event": "build_started"}, {"event": "note", "message": '"event":"build_finished","status":"failed"'}],
        "running",
    ),
    "far from the end": (
        [{"event": "build_finished", "status": "failed"}, *({"event": "note", "message": "y" * 900},) * 400],
        "failed",
    ),
}


@pytest.mark.parametrize("kind", ENDS)
@pytest.mark.parametrize("spaces", [True, False], ids=["spaced", "tight"])
def test_how_a_run_stands_is_read_from_its_end(tmp_path: Path, kind: str, spaces: bool) -> None:
    """The last event that shows decides, however the JSON is written, whatever notes and messages say after it."""
    path = tmp_path / "20260101T000000Z.jsonl"
    separators = (", ", ": ") if spaces else (",", ":")
    events, state = ENDS[kind]
    lines = [json.dumps({"time": 1, "build": "b", **event}, separators=separators) + "\n" for event in events]
    path.write_text("".join(lines))
    assert last_state(str(path)) == state
    with path.open("a") as file:
        file.write('{"time":1,"event":"build_fin')
    assert last_state(str(path)) == state


@pytest.mark.parametrize("cut", [1, 20, 60, 70])
def test_an_end_that_two_reads_share_is_read(tmp_path: Path, cut: int) -> None:
    """The file is read from its end in blocks of 64 KiB, whichever line the edge of one falls in."""
    end = b'{"time":1,"event":"build_finished","build":"b","status":"succeeded"}\n'
    note = b'{"time":1,"event":"note","build":"b","message":"%s"}\n'
    (tmp_path / "run").write_bytes(end + note % (b"x" * (64 * 1024 - cut - len(note) + 2)))
    assert last_state(str(tmp_path / "run")) == "succeeded"


@pytest.mark.parametrize(
    ("status", "joined", "resumed"),
    [(None, True, True), ("succeeded", False, False), ("failed", False, True), ("interrupted", False, True)],
)
def test_which_run_is_joined(
    journal: Path, run_file: RunFiles, status: str | None, joined: bool, resumed: bool
) -> None:
    """Steps join a run until it has ended; a build started again takes up what has not succeeded."""
    run = run_file("lfs")
    run.add("build_started")
    if status:
        run.add("build_finished", status=status)
    assert (unfinished_run(str(journal), "lfs") == str(run.path)) == joined
    assert (unfinished_run(str(journal), "lfs", resume=True) == str(run.path)) == resumed
    assert join_run(str(journal), "lfs", NOW, new=True) != str(run.path)


def test_writers_at_the_same_time_join_one_run(journal: Path) -> None:
    """However many ask at once, one run is made; a second one begun in the same second is the next second's."""
    together = threading.Barrier(8)

    def ask(_: int) -> str:
        together.wait()
        return join_run(str(journal), "lfs", NOW)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {str(journal / "lfs" / f"{run_name(NOW)}.jsonl")}
    assert join_run(str(journal), "lfs", NOW, new=True) == str(journal / "lfs" / f"{run_name(NOW + 1)}.jsonl")


def test_a_note_takes_nothing_back_of_an_end(tmp_path: Path) -> None:
    """Posted after a run's end it joins that run; work that goes on after it is another one."""
    ingest, note = Ingest(str(tmp_path)), b'{"time":1,"event":"note","build":"b","message":"x"}\n'
    end = note.replace(b'"note"', b'"build_finished","status":"succeeded"')
    for lines, goes_on, ends, runs in ((end, False, True, 1), (note, False, False, 1), (note, True, False, 2)):
        ingest.append(Piece("b", lines, NOW, goes_on, starts=False, ends=ends))
        assert len(layout.runs(str(tmp_path), "b")) == runs
    ingest.close()


def test_a_run_removed_while_it_was_written_to_is_not_written_to_again(tmp_path: Path) -> None:
    """Posted events after the removal are in a run of the journal, not in the file that was removed."""
    note = b'{"time":1,"event":"note","build":"b","message":"x"}\n'
    ingest, piece = Ingest(str(tmp_path)), Piece("b", note, NOW, goes_on=True, starts=False, ends=False)
    ingest.append(piece)
    # as if it were removed between the write and the look at what was written
    shutil.rmtree(tmp_path / "b")
    known = ingest._open["b"]
    ingest._write(known, piece)
    ingest.append(piece)
    (run,) = layout.runs(str(tmp_path), "b")
    assert (tmp_path / "b" / f"{run}.jsonl").read_bytes() == note
    ingest.close()
