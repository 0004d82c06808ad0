"""Reading on from a position: every line once, over torn lines, lines too long, and runs that follow each other."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

import pytest

from build_exporter.journal import positions
from build_exporter.journal.positions import START, Cursor, CursorError, Position, decode_cursor, read_on

RUNS = ("20260101T000000Z", "20260102T000000Z", "20260103T000000Z")


def write(root: Path, *contents: bytes) -> None:
    """Write the runs of build `b`."""
    (root / "b").mkdir()
    for run, content in zip(RUNS, contents, strict=False):
        (root / "b" / f"{run}.jsonl").write_bytes(content)


def read_all(root: Path, begin: Position, end: Position) -> list[bytes]:
    """Return all lines from one position to another."""
    found: list[bytes] = []
    while begin != end:
        piece = read_on(str(root), "b", begin, end)
        found += [line.data for line in piece.lines]
        assert piece.after > begin
        begin = piece.after
    return found


def test_every_line_comes_once_whatever_the_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are read one after the other, a torn end is no line, and each line's own position leads to the next."""
    write(tmp_path, b"a\nbb\n", b"ccc\ntor", b"\ndd\ne\n")
    monkeypatch.setattr(positions, "READ_BYTES", 4)
    end = Position(RUNS[2], 6)
    assert read_all(tmp_path, START, end) == [b"a", b"bb", b"ccc", b"dd", b"e"]
    assert read_all(tmp_path, Position(RUNS[0], 2), end) == [b"bb", b"ccc", b"dd", b"e"]
    assert read_all(tmp_path, Position(RUNS[1], 4), end) == [b"dd", b"e"]
    assert read_all(tmp_path, Position(RUNS[0], 0), Position(RUNS[1], 4)) == [b"a", b"bb", b"ccc"]
    (first,) = [line.after for line in read_on(str(tmp_path), "b", Position(RUNS[2], 0), end).lines][:1]
    assert first == Position(RUNS[2], 4)


def test_a_line_that_is_too_long_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line longer than a journal line may be costs itself alone, however many pieces it spans."""
    write(tmp_path, b"a\n" + b"x" * 70_000 + b"\nb\n" + b"y" * 65_535 + b"\nc\n")
    end = Position(RUNS[0], 2 + 70_001 + 2 + 65_536 + 2)
    for size in (1024, 256 * 1024):
        monkeypatch.setattr(positions, "READ_BYTES", size)
        found = read_all(tmp_path, START, end)
        assert [len(line) for line in found] == ([1, 1, 65_535, 1] if size > 65_536 else [1, 1, 1])


@pytest.mark.parametrize("begin", [Position(RUNS[0], 1), Position(RUNS[0], 99), Position("20250101T000000Z", 0)])
def test_a_place_that_is_none_is_reported(tmp_path: Path, begin: Position) -> None:
    """In the middle of a line, beyond the file's end, or in a run that was removed, nothing can be gone on with."""
    write(tmp_path, b"aa\n", b"bb\n")
    with pytest.raises(CursorError):
        read_on(str(tmp_path), "b", begin, Position(RUNS[1], 3))


def test_a_cursor_stands_in_a_url_as_it_is() -> None:
    """A cursor survives being text, without a character that an address would change."""
    cursor = Cursor(1.78e9, {"a+b.c_d-e": (RUNS[0], 12345)})
    text = cursor.encode()
    assert text.replace("-", "").replace("_", "").isalnum()
    assert decode_cursor(text) == cursor


@pytest.mark.parametrize("text", ["", "x", "!!!!", "WzFd", "bnVsbA", "WzEuMCx7Ii4uIjpbIiIsMF19XQ", "W1tbW1tb" * 200])
def test_what_is_no_cursor_is_reported(text: str) -> None:
    """Whatever somebody sends as a cursor, it is refused and nothing else happens."""
    with pytest.raises(CursorError, match="no cursor"):
        decode_cursor(text)


def test_a_cursor_of_hundreds_of_builds_fits_in_an_address() -> None:
    """However many builds go on at once, a client resumes: proxies pass addresses and headers of 8 KiB on."""
    builds = {f"{name}-{n}": (RUNS[n % 3], n * 7919) for n in range(150) for name in ("lfs", "blfs-xorg")}
    text = Cursor(1.78e9, builds).encode()
    assert len(text) < 8000
    assert decode_cursor(text) == Cursor(1.78e9, builds)


def test_a_cursor_is_not_unpacked_without_end() -> None:
    """Text that would become more than 512 KiB is no cursor, and neither is one that ends too early."""
    packed = zlib.compress(b'[1.0,{"b":["' + b" " * (512 * 1024) + b'",0]}]')
    for data in (packed, zlib.compress(b'[1.0,{"b":["",0]}]')[:-9]):
        with pytest.raises(CursorError):
            decode_cursor(base64.urlsafe_b64encode(data).decode())
