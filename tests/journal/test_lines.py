"""Bytes to whole lines: torn tails, long lines, and files that are cut, replaced or no files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from build_exporter.journal.lines import CHUNK_BYTES, LineFile, without_long_lines
from build_exporter.model.names import MAX_LINE_BYTES


class Read:
    """What reading a file until nothing is new gave."""

    def __init__(self, file: LineFile) -> None:
        self.data = b""
        self.too_long = 0
        self.from_start = 0
        while (chunk := file.read()) is not None:
            assert not chunk.data or chunk.data.endswith(b"\n")
            self.data += chunk.data
            self.too_long += chunk.too_long
            self.from_start += chunk.from_start


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that is empty."""
    path = tmp_path / "20260101T000000Z.jsonl"
    path.touch()
    return path


def append(path: Path, data: bytes) -> None:
    """Append bytes to a file."""
    with path.open("ab", buffering=0) as file:
        file.write(data)


def test_a_line_torn_anywhere_waits_for_its_rest(path: Path) -> None:
    """Wherever a write was cut, in the middle of a character too, only whole lines come, each once and in order."""
    whole = "{1: 'ä'}\n\n{2: '日本語 😀'}\n{3}\n".encode()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        file = LineFile(str(path))
        first = Read(file).data
        assert first == whole[: whole[:cut].rfind(b"\n") + 1]
        append(path, whole[cut:])
        assert first + Read(file).data == whole
        file.close()


def test_an_endless_line_is_counted_once_and_reading_continues(path: Path) -> None:
    """Ten megabytes without a newline are one line too long, take little memory, and what follows is read."""
    append(path, b"first\n")
    file = LineFile(str(path))
    assert Read(file).data == b"first\n"
    too_long = 0
    for _ in range(40):
        append(path, b"x" * CHUNK_BYTES)
        read = Read(file)
        assert read.data == b""
        too_long += read.too_long
        assert len(file._torn) <= MAX_LINE_BYTES + CHUNK_BYTES
    assert too_long == 1
    append(path, b"its end\nsecond\nthi")
    read = Read(file)
    assert (read.data, read.too_long) == (b"second\n", 0)
    append(path, b"rd\n")
    assert Read(file).data == b"third\n"


@pytest.mark.parametrize("extra", [-1, 0, 1])
@pytest.mark.parametrize("torn", [False, True], ids=["at once", "in two"])
def test_the_limit_of_a_line_is_exact(path: Path, extra: int, torn: bool) -> None:
    """A line of exactly the limit is taken, one byte more is not, however it was written."""
    line = b"x" * (MAX_LINE_BYTES - 1 + extra) + b"\n"
    data = b"before\n" + line + b"after\n"
    file = LineFile(str(path))
    cut = 7 + len(line) - 1 if torn else 0
    append(path, data[:cut])
    first = Read(file)
    append(path, data[cut:])
    rest = Read(file)
    assert first.data + rest.data == (data if extra <= 0 else b"before\nafter\n")
    assert first.too_long + rest.too_long == (extra > 0)


def test_long_lines_among_short_ones(path: Path) -> None:
    """Long lines one after the other, apart, and torn at the end of one read are each counted, and only they go."""
    long = b"x" * (MAX_LINE_BYTES + 5) + b"\n"
    path.write_bytes(b"a\n" + long + b"b\n" + long[:-1])
    read = Read(LineFile(str(path)))
    assert (read.data, read.too_long) == (b"a\nb\n", 2)
    path.write_bytes(b"a\n" + long * 7 + b"b\n" + long + b"c\n" * 100_000 + long)
    read = Read(LineFile(str(path)))
    assert (read.data, read.too_long) == (b"a\nb\n" + b"c\n" * 100_000, 9)


def test_without_long_lines_leaves_the_rest() -> None:
    """Lines at the limit stay, whatever stands before and after them."""
    at = b"y" * (MAX_LINE_BYTES - 1) + b"\n"
    over = b"z" * MAX_LINE_BYTES + b"\n"
    assert without_long_lines(at + over + at + b"s\n" + over + over) == (at + at + b"s\n", 3)
    assert without_long_lines(over) == (b"", 1)
    assert without_long_lines(at) == (at, 0)


def put(path: Path, data: bytes) -> None:
    """Put another file in a file's place."""
    path.with_name("other").write_bytes(data)
    path.with_name("other").rename(path)


@pytest.mark.parametrize("rests", [False, True], ids=["open", "resting"])
@pytest.mark.parametrize(
    ("before", "change", "data"),
    [
        (b"one\ntwo\nthr", lambda path: path.write_bytes(b""), b""),
        (b"one\ntwo\nthr", lambda path: os.truncate(path, 8), b"one\ntwo\n"),
        (b"one\ntwo\n", lambda path: os.truncate(path, 4), b"one\n"),
        (b"one\nto", lambda path: put(path, b"new\nto"), b"new\n"),
        (b"x" * (MAX_LINE_BYTES + 1), lambda path: path.write_bytes(b"new\nmore\n"), b"new\nmore\n"),
    ],
    ids=["to nothing", "its torn end", "short", "replaced", "amid a long line"],
)
def test_a_file_that_was_cut_or_replaced_is_read_anew(
    path: Path, before: bytes, change: Callable[[Path], object], data: bytes, rests: bool
) -> None:
    """From its beginning, and reported so; of a torn or long line that was there before nothing is left."""
    path.write_bytes(before)
    file = LineFile(str(path))
    Read(file)
    if rests:
        file.rest()
    change(path)
    if not rests:
        file.check_replaced()
    read = Read(file)
    assert (read.data, read.from_start, read.too_long, file.position) == (data, 1, 0, len(data))
    append(path, b"\nlast\n" if data == b"new\n" else b"last\n")
    assert Read(file).data == (b"to\nlast\n" if data == b"new\n" else b"last\n")
    file.close()


def test_a_file_that_comes_back_is_read_anew(path: Path) -> None:
    """A removed file is an error until there is one again, which is then read from its beginning."""
    path.write_bytes(b"old\n")
    file = LineFile(str(path))
    Read(file)
    path.unlink()
    file.check_replaced()
    with pytest.raises(FileNotFoundError):
        file.read()
    path.write_bytes(b"new\n")
    assert Read(file).data == b"new\n"


def test_a_file_left_alone_is_not_read_again(path: Path) -> None:
    """Looking whether it was replaced reads nothing twice."""
    path.write_bytes(b"old\n")
    file = LineFile(str(path))
    Read(file)
    file.check_replaced()
    assert file.read() is None


def test_an_empty_file_is_reported_once(path: Path) -> None:
    """A run that has begun and reported nothing is known from its file alone."""
    file = LineFile(str(path))
    assert Read(file).from_start == 1
    assert file.read() is None


MAKERS: dict[str, Callable[[Path], object]] = {
    "fifo": os.mkfifo,
    "directory": Path.mkdir,
    "null": lambda path: path.symlink_to("/dev/null"),
    "circle": lambda path: path.symlink_to(path),
    "nothing": lambda path: path.symlink_to(path.parent / "missing"),
}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.timeout(10)
def test_what_is_no_file_is_an_error_and_no_wait(path: Path, kind: str) -> None:
    """A named pipe, a directory, a device or a link to nothing in place of a run is refused at once, every time."""
    path.unlink()
    MAKERS[kind](path)
    file = LineFile(str(path))
    for _ in range(3):
        file.check_replaced()
        with pytest.raises(OSError, match=r"regular|directory|symbolic|No such"):
            file.read()


def test_a_link_to_a_file_is_followed(path: Path, tmp_path: Path) -> None:
    """A run kept elsewhere and linked into the journal is read like any other, through a change of the link too."""
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(name.encode() + b"\n")
    path.unlink()
    path.symlink_to(tmp_path / "one")
    file = LineFile(str(path))
    assert Read(file).data == b"one\n"
    path.unlink()
    path.symlink_to(tmp_path / "two")
    file.check_replaced()
    assert Read(file).data == b"two\n"


def test_no_descriptor_is_left_open(path: Path) -> None:
    """However often files are replaced, cut or refused, the reader has one descriptor."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    file = LineFile(str(path))
    for number in range(50):
        path.write_bytes(b"x\n" * (50 - number))
        Read(file)
        file.check_replaced()
        path.unlink()
        path.mkdir()
        file.check_replaced()
        with pytest.raises(OSError, match="regular"):
            file.read()
        path.rmdir()
    file.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_resting_file_goes_on_where_it_was(tmp_path: Path) -> None:
    """A file that rests holds no descriptor; grown it is read on, torn lines whole."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"a\nb\nto")
    file = LineFile(str(path))
    first = file.read()
    assert first is not None
    assert (first.data, file.position) == (b"a\nb\n", 4)
    file.rest()
    assert not file.is_open
    assert file.read() is None
    assert not file.is_open
    with path.open("ab") as writer:
        writer.write(b"rn\nc\n")
    more = file.read()
    assert more is not None
    assert (more.data, more.from_start, file.position) == (b"torn\nc\n", False, 11)
    file.close()


def test_another_file_of_the_same_number_is_read_anew(path: Path) -> None:
    """A resting file that was rewritten in its place and is longer now is known by its first bytes."""
    path.write_bytes(b"old 1\n")
    file = LineFile(str(path))
    Read(file)
    file.rest()
    assert file.quiet_seconds() < 60
    path.write_bytes(b"new 1\nnew 2\n")
    read = Read(file)
    assert (read.data, read.from_start) == (b"new 1\nnew 2\n", 1)
