"""What `watch` writes to a terminal, by the terminal's own reckoning of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

pytest.importorskip("rich", reason="rich is not installed")

from rich.console import Console

from build_exporter.cli.watch_frame import frame
from build_exporter.cli.watch_screen import Cell, Line, Screen, rendered
from build_exporter.estimate import Estimator
from build_exporter.formatting import duration
from build_exporter.monitor import Monitor
from build_exporter.queries.build import glance
from build_exporter.queries.builds import builds
from build_exporter.queries.context import Context


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


def test_a_board_has_the_figures_of_its_build(journal: Path, run_file: Callable[..., Any]) -> None:
    """Two of three steps fill 18 of the 28 columns there are; a build that stands has work left, from less to more."""
    run = run_file("lfs", clock=1.78e9)
    run.add("plan", steps=[{"phase": "p", "step": step, "expected_seconds": 100.0} for step in "abc"])
    for step in "ab":
        run.step("p", step, 100.0)
    run.step("p", "c", 0.0, "failed", error_class="killed", message="no memory")
    monitor = Monitor(str(journal))
    monitor.poll()
    known = monitor.tracker.builds
    context = Context(known, run.clock + 50, estimate=Estimator(known))
    board = glance(context, "lfs")
    text = ["".join(words for words, _ in line[0].parts) for line in frame(builds(context), board, "x", (60, 24))]
    assert text[0].startswith("✘ lfs FAILED · 3 min 22 s · ended ")
    assert text[1] == "━" * 18 + "─" * 10 + "  66.6 % 2 of 3 steps, 1 failed"
    assert board.estimate is not None
    low, middle, high = map(duration, msgspec.structs.astuple(board.estimate.remaining_seconds))
    assert text[2].startswith(f"{middle} of work left, from {low} to {high}")
    assert text[3:5] == ["✘ killed in p c", "  no memory"]
    assert text[-1] == "q quit · n/p next/previous build · x"
    other = run_file("other", clock=1.78e9)
    other.step("p", "a")
    other.step("p", "b", status="failed")
    other.add("step_started", phase="p", step="c")
    monitor.poll()
    (line,) = frame(builds(context), glance(context, "other"), "x", (60, 24))[1]
    assert line.parts[0][0] == "1 step done, 1 failed", "without a plan nobody knows of how many"
    (last,) = frame(builds(context), None, "x", (60, 24))[-1:]
    assert last[0].parts[0][0] == "begin one: build-exporter run --build my-build -- make"
