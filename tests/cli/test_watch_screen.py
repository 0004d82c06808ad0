"""What `watch` writes to a terminal, by the terminal's own reckoning of it."""

from __future__ import annotations

import io

import pytest

pytest.importorskip("rich", reason="rich is not installed")

from rich.console import Console

from build_exporter.cli.watch_screen import Cell, Line, Screen, rendered


def console(width: int = 20, height: int = 4) -> Console:
    """A terminal of this size, whose output is kept."""
    return Console(file=io.StringIO(), force_terminal=True, width=width, height=height, no_color=True)


def line(words: str, width: int = 20) -> Line:
    """A line of plain words."""
    return (Cell(((words, ""),), width),)


def written(screen: Screen, shown: Console, *words: str) -> str:
    """Return what a frame writes."""
    before = len(shown.file.getvalue())  # type: ignore[attr-defined]
    screen.show([line(each) for each in words])
    return str(shown.file.getvalue()[before:])  # type: ignore[attr-defined]


def test_only_changed_lines_are_written() -> None:
    """A clock that goes on writes its own line alone, an equal frame nothing, a shorter one erases the rest."""
    shown = console()
    screen = Screen(shown)
    assert written(screen, shown, "a", "1 s").startswith("\x1b[1;1Ha" + " " * 19 + "\x1b[2;1H1 s")
    assert written(screen, shown, "a", "2 s") == "\x1b[2;1H2 s" + " " * 17
    assert written(screen, shown, "a", "2 s") == ""
    assert written(screen, shown, "a") == "\x1b[2;1H" + " " * 20


def test_a_resize_ctrl_l_and_each_tenth_frame_write_everything() -> None:
    """What another program wrote over the board goes away, and a terminal of a new size is filled."""
    shown = console()
    screen = Screen(shown)
    frames = [bool(written(screen, shown, "a")) for _ in range(11)]
    assert frames == [True, *[False] * 9, True]
    screen.forget()
    assert written(screen, shown, "a")
    shown.size = (20, 6)
    assert "\x1b[6;1H" in written(screen, shown, "a")


def test_lines_below_the_last_row_are_not_written() -> None:
    """A frame of more lines than the terminal has rows scrolls nothing."""
    shown = console()
    assert "e" not in written(Screen(shown), shown, *"abcdefgh")


@pytest.mark.parametrize(
    ("words", "looks"), [("abcde", "abcde"), ("abcdef", "abcd…"), ("日本語", "日本…"), ("a", "a    ")]
)
def test_a_cell_has_its_width(words: str, looks: str) -> None:
    """Words are cut with an ellipsis exactly where they are longer, by columns and not by characters."""
    assert rendered((Cell(((words, ""),), 5), Cell((("1", ""),), 3, is_right=True)), console()) == f"{looks}   1"
