"""Lines wider than the terminal."""

from __future__ import annotations

import sys

import pytest

from build_exporter.cli.folded import folded


def test_long_values_fold_under_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A narrow terminal shows values as a column; commands, lines of logs, and all that goes into a file stay whole."""
    lines = (
        "  left       two hours and one minute",
        "  next       build-exporter explain gcc",
        "    a line of a log that is long",
        "  left       short",
    )
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert folded("\n".join(lines)).split("\n") == [
        "  left       two hours and one",
        "             minute",
        *lines[1:],
    ]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    assert folded(lines[0]) == lines[0]
