"""Parts of a log by bytes, worked out by hand on ten of them; who may read it, and what of it is masked."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.queries.context import BadRequestError, NotFoundError
from build_exporter.queries.log import LogPart, LogText, log

Ask = Callable[..., LogText]


@pytest.fixture
def ask(builder: Callable[..., Any], tmp_path: Path) -> Ask:
    """Return a function that writes a step's log and asks for a part of it."""

    def read(data: bytes, name: str = "log", step: str = "s", *, over: bool = True, **wanted: Any) -> LogText:
        build = builder()
        (tmp_path / name).write_bytes(data)
        build.add("step_started", phase="p", step="s", log=str(tmp_path / name))
        if over:
            build.add("step_finished", phase="p", step="s", status="succeeded")
        for phase, other in (("p", "two"), ("q", "two"), ("p", "none")):
            build.add("step_started", phase=phase, step=other, log=None if other == "none" else str(tmp_path / "gone"))
        (tmp_path / "lfs").mkdir(exist_ok=True)
        (tmp_path / "lfs" / f"{build.run}.jsonl").touch()
        return log(build.context(journal=str(tmp_path)), "lfs", LogPart(step=step, **wanted))

    return read


@pytest.mark.parametrize(
    ("over", "offset", "limit", "text", "begin"),
    [
        (False, 0, 100, "ab\ncdef\n", 0), (True, 0, 100, "ab\ncdef\ngh", 0), (True, 0, 5, "ab\n", 0),
        (True, 3, 5, "cdef\n", 3), (True, 3, 2, "cd", 3), (True, 8, 1, "g", 8), (True, 8, 2, "gh", 8),
        (False, 99, 5, "", 10), (True, -8, 100, "cdef\ngh", 3), (True, -7, 100, "gh", 8), (False, -7, 100, "", 8),
        (True, -10, 100, "ab\ncdef\ngh", 0), (True, -99, 100, "ab\ncdef\ngh", 0),
    ],
)  # fmt: skip
def test_a_part_is_whole_lines(ask: Ask, over: bool, offset: int, limit: int, text: str, begin: int) -> None:
    """Of a line that is being written nothing, of one longer than the part as much as fits; the last of a log's end."""
    found = ask(b"ab\ncdef\ngh", over=over, offset=offset, limit=limit)
    assert (found.text, found.offset, found.next, found.size) == (text, begin, begin + len(text), 10)
    assert (found.over, found.eof) == (over, begin + len(text) == 10)


def test_a_part_does_not_end_within_a_character(ask: Ask) -> None:
    """Of two bytes of an ä both are in a part, or none: the next part begins with it."""
    parts = [ask("xä\nyy".encode(), offset=offset, limit=2) for offset in (0, 1, 3)]
    assert [(part.text, part.next) for part in parts] == [("x", 1), ("ä", 3), ("\n", 4)]


@pytest.mark.parametrize(
    ("data", "plain", "coloured"),
    [
        (b"password=hunter2hunter2\n", "password=***\n", "password=***\n"),
        (b"pass\x1b[31mword=hunter2hunter2\x1b[0m\n", "password=***\n", "password=***\n"),
        (b"\x1b[2J\x1b[31mred\x1b[0m\x07\n", "red\n", "\x1b[31mred\x1b[0m\n"),
        (b"10 %\r99 %\rdone\r\nx\r\n", "done\nx\n", "done\nx\n"),
        (b"\xff\n", "\ufffd\n", "\ufffd\n"),
    ],
)
def test_no_secret_and_no_escape_is_in_a_log(ask: Ask, data: bytes, plain: str, coloured: str) -> None:
    """Not with colours either, which are the only escapes that may stay; lines written over show what stood last."""
    assert [ask(data, colour=colour).text for colour in (False, True)] == [plain, coloured]
    assert ask(data, "na\x1b[1mme").path.endswith("/name")


def test_whose_log_it_is_may_be_read(ask: Ask, tmp_path: Path) -> None:
    """A run's writer gets nothing read that belongs to another user, nor through a link, unless the writer is root."""
    if os.geteuid() != 0:
        pytest.skip("files of other users are made by root alone")
    assert ask(b"x\n").text == "x\n"
    run, path = tmp_path / "lfs" / "20260102T030405Z.jsonl", tmp_path / "log"
    os.chown(run, 12345, -1)
    with pytest.raises(NotFoundError, match="s can't be read: it belongs to another user"):
        ask(b"x\n")
    os.chown(path, 12345, -1)
    assert ask(b"x\n").text == "x\n"
    path.rename(tmp_path / "other")
    path.symlink_to(tmp_path / "other")
    with pytest.raises(NotFoundError, match="can't be read"):
        ask(b"x\n")
    os.chown(run, 0, -1)
    assert ask(b"x\n").text == "x\n"


@pytest.mark.parametrize(
    ("step", "error", "words"),
    [
        ("two", BadRequestError, "several steps have this name; allowed: p/two, q/two"),
        ("q/two", NotFoundError, "the log of q/two can't be read: No such file"),
        ("none", NotFoundError, "no log is known of p/none"),
        ("zzz", NotFoundError, "no step zzz in lfs"),
    ],
)
def test_a_log_that_cannot_be_read_has_its_reason(ask: Ask, step: str, error: type[Exception], words: str) -> None:
    """A name that two phases have, one without a log, one whose log is gone, and one that is not there."""
    with pytest.raises(error, match=words):
        ask(b"x\n", step=step)
