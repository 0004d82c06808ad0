"""Strings that a regular expression's alternatives match: one or a few of each, unknown characters as NUL."""

from __future__ import annotations

from collections.abc import Iterable
from re import _constants as kinds  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

parse = parser.parse

MOST: Final = 4000
"""Strings made of a pattern at most."""

UNKNOWN: Final = "\0"


def samples(items: Iterable[Any], most: int = MOST) -> list[str]:
    """Return strings that match a parsed pattern: of each alternative, with optional parts and without."""
    found = [""]
    for kind, value in items:
        found = [before + after for before in found for after in _ways(kind, value, most)][:most]
    return found


def _letter(kind: Any, value: Any) -> str:
    """Return a character of one item of a set, empty for one that stands for nearly all."""
    if kind is kinds.CATEGORY:
        return {kinds.CATEGORY_DIGIT: "1", kinds.CATEGORY_SPACE: " "}.get(value, "")
    return chr(value if kind is kinds.LITERAL else value[0]) if kind in (kinds.LITERAL, kinds.RANGE) else ""


def _ways(kind: Any, value: Any, most: int) -> list[str]:
    """Return strings that match one element."""
    if kind is kinds.LITERAL:
        return [chr(value)]
    if kind is kinds.IN:
        letters = [letter for sort, each in value if (letter := _letter(sort, each))]
        return letters[:2] if letters and value[0][0] is not kinds.NEGATE else [UNKNOWN]
    if kind is kinds.BRANCH:
        return [each for branch in value[1] for each in samples(branch, most)]
    if kind is kinds.SUBPATTERN:
        return samples(value[3], most)
    if kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT):
        least, _, inner = value
        repeated = [each * max(least, 1) for each in samples(inner, 20)]
        return repeated[:6] if least else ["", *repeated[:1]]
    return [UNKNOWN] if kind in (kinds.ANY, kinds.NOT_LITERAL) else [""]
