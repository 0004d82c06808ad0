"""Putting panels on Grafana's grid of 24 columns."""

from __future__ import annotations

from typing import Final

import style
from style import Json

COLUMNS: Final = 24


class Grid:
    """Places panels from left to right, line by line; after `head` with `collapsed` they go into that row."""

    def __init__(self) -> None:
        self.panels: list[Json] = []
        self._into = self.panels
        self._y = 0

    def head(self, number: int, title: str, *, collapsed: bool = False) -> None:
        """Begin a row."""
        head = style.row(number, title, collapsed=collapsed)
        head["gridPos"] = {"x": 0, "y": self._y, "w": COLUMNS, "h": 1}
        self.panels.append(head)
        self._y += 1
        self._into = head["panels"] if collapsed else self.panels

    def line(self, height: int, *panels: tuple[int, Json]) -> None:
        """Add one line of panels, each with its width in columns.

        Raises:
            ValueError: the widths do not fill the line.
        """
        if sum(width for width, _ in panels) != COLUMNS:
            raise ValueError(f"a line is {COLUMNS} columns wide, got {[width for width, _ in panels]}")
        x = 0
        for width, panel in panels:
            panel["gridPos"] = {"x": x, "y": self._y, "w": width, "h": height}
            self._into.append(panel)
            x += width
        self._y += height
