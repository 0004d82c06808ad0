"""Sanitize text from outside: remove terminal escapes, control characters and secrets."""

from __future__ import annotations

import re
from typing import Final

_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]+[0-~]|[0-Z\\-_])")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters but tab and newline, and those that turn the direction of the text after them."""

_LINE_ENDS: Final = re.compile(r"[\n\u2028\u2029]")


def plain(text: str) -> str:
    """Return text without terminal escapes and control characters; newlines stay."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n")))


def plain_line(text: str) -> str:
    """Return text as one line without terminal escapes and control characters."""
    return _LINE_ENDS.sub(" ", plain(text))


def clean_name(text: str) -> str:
    """Return a name as labels, tables and pages can show it: one line without escapes and control characters.

    One that consists of nothing else is the replacement character.
    """
    return text if text.isprintable() else plain_line(text).replace("\t", " ") or "\N{REPLACEMENT CHARACTER}"
