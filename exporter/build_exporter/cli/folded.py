"""Lines of a label and a value, folded under the value where the terminal is narrower."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import Final

import click

INDENT: Final = 13
"""Columns before a value."""


def folded(text: str) -> str:
    """Return text for the terminal, if standard output is one; commands to be copied and lines of logs stay whole."""
    if not sys.stdout.isatty():
        return text
    width = shutil.get_terminal_size().columns
    return "\n".join(_fold(line, width) for line in text.split("\n"))


def _fold(line: str, width: int) -> str:
    is_of_log = line.startswith("    ") and not line.startswith(" " * INDENT)
    if len(click.unstyle(line)) <= width or is_of_log or line.startswith("  next"):
        return line
    return textwrap.fill(
        line,
        width,
        subsequent_indent=" " * INDENT,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
        expand_tabs=False,
    )
