"""Lines of `watch` on a terminal: a line is rendered once while it is shown, and only changed lines are written."""

from __future__ import annotations

from typing import NamedTuple

from rich.console import Console
from rich.text import Text

Part = tuple[str, str]
"""Words and their style."""

_FRAMES_TO_WHOLE = 10
"""Frames after which all lines are written: another program may have written to the terminal."""


class Cell(NamedTuple):
    """Words in so many columns, cut with an ellipsis where they are longer."""

    parts: tuple[Part, ...]
    width: int
    is_right: bool = False


Line = tuple[Cell, ...]
"""Cells with a space between them; equal lines look the same."""


def rendered(line: Line, console: Console) -> str:
    """Return a line as the console shows it, with spaces up to its last cell's end; never wider than the console."""
    text = Text()
    for place, cell in enumerate(line):
        words = Text.assemble(*cell.parts)
        words.truncate(cell.width, overflow="ellipsis")
        words.align("right" if cell.is_right else "left", cell.width)
        text.append(" " if place else "").append_text(words)
    with console.capture() as captured:
        console.print(text, end="", no_wrap=True, overflow="crop")
    return captured.get()


class Screen:
    """A terminal that shows one frame after the other."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._size = (0, 0)
        self._kept: dict[Line, str] = {}
        self._rows: list[str] = []
        self._frames = 0

    def show(self, lines: list[Line]) -> None:
        """Write those rows that differ from what the terminal shows; lines below its last row are not rendered."""
        width, height = self._console.size
        if (width, height) != self._size:
            self._size = (width, height)
            self._kept.clear()
            self.forget()
        if self._frames % _FRAMES_TO_WHOLE == 0:
            self._rows = []
        self._frames += 1
        self._kept = {line: self._kept.get(line) or rendered(line, self._console) for line in lines[:height]}
        rows = [self._kept[line] for line in lines[:height]]
        rows += [" " * width] * (height - len(rows))
        before = self._rows or [""] * height
        changed = [f"\x1b[{n};1H{row}" for n, (row, old) in enumerate(zip(rows, before, strict=True), 1) if row != old]
        self._rows = rows
        if changed:
            self._console.file.write("".join(changed))
            self._console.file.flush()

    def forget(self) -> None:
        """Write every row with the next frame."""
        self._frames = 0
