"""Tables of ninja's log and plan: rows by hand, the runs they are of, the edges a target needs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from build_exporter.sources.ninja import source
from build_exporter.sources.ninja.log import (
    NinjaRun,
    Row,
    group_runs,
    has_starts,
    is_another_run,
    is_undated_run,
    read_row,
)
from build_exporter.sources.ninja.plan import needed_outputs

T = 1_750_000_000.0


def made(start: float, end: float, began: float, output: str = "o") -> Row:
    """Return the row of an edge of a run that began then, with the time of its output's making."""
    return Row(start, end, T + began + end, output, f"{output}{start}")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1500\t2250\t1750000000500000000\ta.o\tcafe", Row(1.5, 2.25, T + 0.5, "a.o", "cafe")),
        ("0\t0\t0\ta.o\t", Row(0.0, 0.0, 0.0, "a.o", "")), ("2\t1\t1\ta.o\tc", None), ("-1\t1\t1\ta.o\tc", None),
        ("1\t2\t-1\ta.o\tc", None), ("1\t2\t3\t\tc", None), ("1\t2\t3\ta.o", None), ("#1\t2\t3\ta.o\tc", None),
        ("1\t9999999999\t3\ta.o\tc", Row(0.001, 9999999.999, 3e-9, "a.o", "c")), ("1\t10000000000\t3\ta.o\tc", None),
        ("1\t2\t10000000000000000000\ta.o\tc", None), ("1\tx\t3\ta.o\tc", None),
    ],
)  # fmt: skip
def test_rows_are_read(line: str, expected: Row | None) -> None:
    """Milliseconds, milliseconds, nanoseconds, output and command; what is damaged is no row."""
    assert read_row(line) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [("# ninja log v5", False), ("# ninja log v6", True), ("# ninja log v7\n", True), ("# ninja log v", False),
     ("# ninja log v10", True), ("v6", False)],
)  # fmt: skip
def test_what_the_third_column_is(header: str, expected: bool) -> None:
    """From version 6 on it is when a command began."""
    assert has_starts(header) is expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([made(0, 1, 0), made(1, 4, 0)], [(0, 4, 2)]),
        ([made(0, 1, 0), made(0, 1, 100)], [(0, 1, 1), (100, 101, 1)]),
        ([made(0, 1, 100), made(0, 1, 0), made(1, 3, 100)], [(0, 1, 1), (100, 103, 2)]),
        ([made(0, 1, 0), made(0, 1, 1.4, "p")], [(0, 1, 2)]),
        ([made(0, 1, 0), made(0, 1, 1.6, "p")], [(0, 1, 1), (1.6, 2.6, 1)]),
        ([made(0, 1, 0), Row(1, 2, 0, "gone", "c")], [(0, 2, 2)]),
        ([made(0, 3, 0), Row(1, 2, 0, "gone", "c")], [(0, 3, 1)]),
        ([Row(1, 2, 0, "gone", "c")], []), ([], []),
    ],
)  # fmt: skip
def test_the_runs_of_a_whole_log(rows: list[Row], expected: list[tuple[float, float, int]]) -> None:
    """Rows whose runs may have begun at one moment are of one run: its beginning, end and number of edges."""
    found = group_runs(rows, has_starts=False)
    assert [(round(run.start - T, 3), round(run.end - T, 3), len(run.edges)) for run in found] == expected


@pytest.mark.parametrize(
    ("row", "by_starts", "expected"),
    [
        (made(9, 12, 0), False, False), (made(9, 12, 0), True, False), (made(0, 1, 100), False, True),
        (made(1, 2, 100), True, True), (made(1, 2, 0.9), False, True), (made(1, 2, -1.5), False, False),
        (made(9, 10, 1.4), False, False), (made(9.5, 12, 11.6), False, True), (made(9.5, 12, 7.6), False, False),
        (Row(2, 16, T + 14, "o", "c"), True, True), (Row(2, 16, T + 14, "o", "c"), False, False),
    ],
)  # fmt: skip
def test_a_row_of_a_later_run(row: Row, by_starts: bool, expected: bool) -> None:
    """After a run from 0 to 10 s, a row is of another where it ends earlier in its run, or begins after that end."""
    run = NinjaRun(T, 10.0)
    assert is_another_run(run, row, has_starts=by_starts) is expected


def test_edges_of_a_run() -> None:
    """Several outputs of one edge are one, named by its first; the five slowest are told, none of no time at all."""
    run = NinjaRun(T)
    for number, seconds in enumerate((3, 1, 0, 7, 2, 5, 4)):
        for output in ("first", "second"):
            run.add(Row(1, 1 + seconds, T, f"{output}{number}", str(number)))
    assert run.end == T + 8
    assert run.slowest() == [(7, "first3"), (5, "first5"), (4, "first6"), (3, "first0"), (2, "first4")]
    short = NinjaRun(T)
    short.add(Row(1, 1, T, "none", "0"))
    assert short.slowest() == []
    assert [is_undated_run([Row(0, 5, 0, "a", ""), Row(0, end, 0, "b", "")], 1) for end in (5, 4.9)] == [False, True]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("build a: r x |@ v\nbuild v: r\nbuild b: r\ndefault a\n", ["a", "v"]),
        ("build a: r x | i\nbuild i: r\nbuild b: r\ndefault a\n", ["a", "i"]),
        ("build a: r x || o\nbuild o: r\nbuild b: r\ndefault a\n", ["a", "o"]),
        ("build a | |@: r x\nbuild b: r |\ndefault a b\n", ["a", "b"]),
        ("build a: r b c\nbuild b: r d\nbuild c: r d\nbuild d: r a\ndefault a\n", ["a", "b", "c", "d"]),
        ("build a: phony b\nbuild b: r\nbuild meson-internal__x: r\nbuild c: CLEAN\nbuild t.util: r\n", ["b"]),
        ("p = q\nbuild ${p}/a$:b: r\nbuild $p/c: r\nbuild $none/d: r\n", ["q/a:b", "q/c", "/d"]),
        ("build a: r\nbuild b: r\ndefault a\ndefault b\n", ["a", "b"]), ("build a: r\ndefault x\n", []), ("", []),
    ],
)  # fmt: skip
def test_the_edges_a_target_needs(text: str, expected: list[str], tmp_path: Path) -> None:
    """Inputs of every kind are followed, each edge once; signs between them are no paths."""
    (tmp_path / "build.ninja").write_text(text)
    assert needed_outputs(tmp_path / "build.ninja") == expected


@pytest.mark.parametrize(
    ("edges", "built", "expected"),
    [(100, 0, 100), (100, 95, 5), (100, 96, 0), (100, 100, 0), (0, 0, 0), (20, 19, 1), (21, 20, 0)],
)
def test_how_many_edges_a_run_has(edges: int, built: int, expected: int, tmp_path: Path) -> None:
    """Those that never ran, where they are a twentieth of all at least: fewer are no measure of a run."""
    (tmp_path / "build.ninja").write_text("".join(f"build o{number}: r\n" for number in range(edges)))
    followed: Any = SimpleNamespace(_log=tmp_path / ".ninja_log", _built={f"o{number}" for number in range(built)})
    assert source.Ninja._count(followed) == expected


@pytest.mark.parametrize(
    ("name", "is_one"), [("ninja", True), ("ninja-build", True), ("samu", True), ("samurai", False), ("", False)]
)
def test_who_is_a_ninja(name: str, is_one: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program is called ninja in some spelling, or samu."""
    process = SimpleNamespace(pid=7, info={"name": name})
    monkeypatch.setattr("psutil.process_iter", lambda _: [process])
    monkeypatch.setattr(source, "_holds", lambda pid, _: pid == 7)
    assert source._holder_of(tmp_path.stat()) == (7 if is_one else None)
