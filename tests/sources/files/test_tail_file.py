"""Files of others as they grow, shrink, are swapped, or hold anything but text."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build_exporter.sources.files import Limits, TailFile
from build_exporter.sources.lines import CUT_MARK

Append = Callable[[bytes], None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An empty log."""
    path = tmp_path / "log"
    path.touch()
    return path


@pytest.fixture
def append(path: Path) -> Append:
    """Write more of it."""

    def write(data: bytes) -> None:
        with path.open("ab") as file:
            file.write(data)

    return write


def test_only_whole_lines_are_reported(path: Path, append: Append) -> None:
    """Half a line, even half a character, waits for its rest and is reported once."""
    tail = TailFile(path)
    append("one\ntwo é".encode()[:-1])
    assert tail.read().lines == ["one"]
    assert tail.read().lines == []
    append("é".encode()[-1:])
    assert tail.torn == "two \N{REPLACEMENT CHARACTER}"
    append(b"\r\nthree\n")
    assert tail.read().lines == ["two é", "three"]


def test_last_line_without_end_when_over(path: Path, append: Append) -> None:
    """What a killed build left of its last line is reported when nothing more will come, and only once."""
    append(b"one\ntw")
    tail = TailFile(path)
    assert tail.read(over=True).lines == ["one", "tw"]
    assert tail.read(over=True).lines == []


def test_cut_short_is_read_anew(path: Path, append: Append) -> None:
    """A log emptied by a retry is read from its beginning, without the torn line of the attempt before."""
    tail = TailFile(path)
    append(b"first attempt\nbroke off he")
    assert tail.read().from_start
    path.write_bytes(b"second\n")
    found = tail.read()
    assert (found.from_start, found.lines) == (True, ["second"])


def test_cut_and_longer_than_before_is_read_anew(path: Path, append: Append) -> None:
    """A log emptied and already longer than it was is not taken for one that grew."""
    tail = TailFile(path)
    append(b"first\n")
    tail.read()
    path.write_bytes(b"second attempt\nlonger than the first\n")
    found = tail.read()
    assert (found.from_start, found.lines) == (True, ["second attempt", "longer than the first"])


def test_grown_is_not_anew(path: Path, append: Append) -> None:
    """A file that grows from nothing, byte by byte, beyond what is remembered of its beginning, never begins again."""
    tail = TailFile(path)
    lines = tail.read().lines
    for number in range(200):
        append(b"%d\n" % number)
        found = tail.read()
        assert not found.from_start
        lines += found.lines
    assert lines == [str(number) for number in range(200)]


def test_replaced_is_read_anew(path: Path, append: Append, tmp_path: Path) -> None:
    """A file moved into the place of another is read from its beginning."""
    tail = TailFile(path)
    append(b"old\n")
    tail.read()
    other = tmp_path / "other"
    other.write_bytes(b"new\n")
    other.replace(path)
    assert tail.read().lines == ["new"]


def test_held_file_loses_nothing_by_rotation(path: Path, append: Append) -> None:
    """What is written to a rotated log before and after its renaming is reported, then what the new one holds."""
    tail = TailFile(path, hold=True)
    append(b"one\n")
    assert tail.read().lines == ["one"]
    path.rename(path.with_suffix(".1"))
    with path.with_suffix(".1").open("ab") as file:
        file.write(b"two\nthr")
    assert tail.read().lines == ["two"]
    path.write_bytes(b"four\n")
    found = tail.read()
    assert (found.lines, found.more) == (["thr"], True)
    found = tail.read()
    assert (found.lines, found.from_start) == (["four"], True)
    tail.close()


def test_no_file_is_held_open(path: Path, append: Append) -> None:
    """Between looks nothing of the record is open, so that its file system can be unmounted."""
    append(b"one\n")
    TailFile(path).read()
    assert path not in {link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()}


def test_line_too_long_is_cut_and_the_next_is_whole(path: Path, append: Append) -> None:
    """A line without end is reported at once as far as it may go, its rest dropped, and the line after it is whole."""
    tail = TailFile(path, Limits(line=10))
    append(b"0123456789abc")
    assert tail.read().lines == ["0123456789" + CUT_MARK]
    append(b"def" * 1000)
    assert tail.read().lines == []
    append(b"\nnext\n" + b"x" * 11 + b"\nlast\n")
    assert tail.read().lines == ["next", "x" * 10 + CUT_MARK, "last"]


def test_bytes_that_are_no_text(path: Path, append: Append) -> None:
    """Binary garbage becomes replacement characters; the lines around it stay as they are."""
    append(b"before\n\xff\xfe\x00\x80\nafter\n")
    lines = TailFile(path).read().lines
    assert (lines[0], lines[2]) == ("before", "after")
    assert "\N{REPLACEMENT CHARACTER}" in lines[1]


def test_a_look_is_bounded_and_says_so(path: Path, append: Append) -> None:
    """A large backlog is read in portions, in order, none twice."""
    append(b"".join(b"%d\n" % number for number in range(10_000)))
    tail = TailFile(path, Limits(poll_bytes=1000))
    lines: list[str] = []
    while (found := tail.read()).more:
        assert len(found.lines) <= 500
        lines += found.lines
    assert lines + found.lines == [str(number) for number in range(10_000)]


def test_only_new_bytes_are_read(path: Path, append: Append) -> None:
    """Looking at what has not changed reads nothing; looking at what has grown reads little more than the growth."""
    append(b"x" * 99 + b"\n")
    tail = TailFile(path)
    for _ in range(1000):
        tail.read()
    assert tail.bytes_read == 100
    append(b"y" * 99_999 + b"\n")
    tail.read()
    assert tail.bytes_read < 100_100 + 512


def test_only_the_end_where_that_is_wanted(path: Path, append: Append) -> None:
    """Of a sparse file of 2 GB only its end is read, from the first whole line in it, at once and later."""
    with path.open("wb") as file:
        file.truncate(2_000_000_000)
    append(b"\nlast\n")
    tail = TailFile(path, Limits(last=1000))
    found = tail.read()
    assert (found.lines, found.skipped) == (["last"], 2_000_000_006 - 1000)
    append(b"b\n" * 499 + b"a\n" * 500)
    found = tail.read()
    assert (found.lines, found.skipped) == (["a"] * 500, 998)
    assert tail.bytes_read < 4000


def test_vanished_and_back(path: Path, append: Append) -> None:
    """A file that goes away is an error until another comes, which is read from its beginning."""
    append(b"one\n")
    tail = TailFile(path)
    tail.read()
    path.unlink()
    with pytest.raises(FileNotFoundError):
        tail.read()
    path.write_bytes(b"one\ntwo\n")
    assert "two" in tail.read().lines


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to(path)])
def test_what_is_no_file_is_an_error_at_once(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A FIFO, a directory, a symbolic link to itself: an error, without waiting."""
    path = tmp_path / "odd"
    make(path)
    with pytest.raises(OSError):
        TailFile(path).read()


def test_links_are_not_followed_where_forbidden(path: Path, tmp_path: Path) -> None:
    """A link planted in a tree that others write leads nowhere."""
    link = tmp_path / "link"
    link.symlink_to(path)
    assert TailFile(link).read().lines == []
    with pytest.raises(OSError):
        TailFile(link, follow_links=False).read()


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(1, 50))
def test_any_pieces_give_the_same_lines(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], poll: int
) -> None:
    """However a file's bytes arrive, and however little is read at a time, its lines are the same."""
    path = tmp_path_factory.mktemp("pieces") / "log"
    path.touch()
    tail = TailFile(path, Limits(poll_bytes=poll))
    lines: list[str] = []
    for piece in pieces:
        with path.open("ab") as file:
            file.write(piece)
        lines += tail.read().lines
    while (found := tail.read(over=True)).lines or found.more:
        lines += found.lines
    expected = b"".join(pieces).split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert lines == [line.removesuffix(b"\r").decode("utf-8", "replace") for line in expected]
