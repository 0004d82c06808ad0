"""Build times and disk space as the books print them: `less than 0.1 SBU`, `0.4 - 32 SBU (typically about 2.5 SBU)`.

A figure keeps the book's words, the range they span and the one number that stands for it in a plan. That number is

- of a plain figure itself, of `less than N` that N (the longest it may be),
- of a range the number after `typically`, else its middle,
- of alternatives (`2.4 SBU on a spinning disk, 0.5 SBU on an SSD`) the smallest.

Test times are kept apart and not in that number, unless the figure includes them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MAX_LENGTH: Final = 500
"""Longest phrase read, in characters; the longest of the books has some 180."""

_NUMBER: Final = r"(\d{1,6}(?:\.\d{0,6})?|\.\d{1,6})"
_LESS: Final = re.compile(r"(?:less|fewer) than\s*|<\s*")
_ABOUT: Final = re.compile(r"(?:about|approximately|approx\.?|around|from|~)\s*")
_RANGE: Final = re.compile(rf"{_NUMBER}(?:\s*(?:-|\u2013|to)\s*{_NUMBER})?\s*")
_TYPICAL: Final = re.compile(rf"typically\s+(?:about\s+|around\s+)?{_NUMBER}\s*")
_JOBS: Final = re.compile(
    r"parallelism\s*=\s*(\d{1,4})|(?<![\w-])-j\s*(\d{1,4})|\b(?:with|using)\s+(\d{1,4})\s+(?:jobs|cores)\b"
    r"|\b(\d{1,4})-core\b|\bmachine with (\d{1,4}) cores"
)
_PARENTHESES: Final = re.compile(r"\([^()]*\)")
_TESTS: Final = r"(?:tests?|checks?|test\s?suites?|quicktest)\b"
_WITHOUT: Final = re.compile(rf"without\s+(?:the\s+)?{_TESTS}")
_WITH: Final = re.compile(rf"(?:with|includ(?:ing|es))\b(?:(?!with|add\b|includ)[^;(])*?\b{_TESTS}")
_MORE: Final = re.compile(r"(?:add(?:itional)?|plus)\b")
_INSTEAD: Final = re.compile(rf"\s*(?:\S+\s+){{0,3}}?{_TESTS}")


@dataclass(frozen=True, slots=True)
class Figure:
    """A build time in SBU or a disk space in bytes.

    Attributes:
        text: as printed.
        low: the least it may be.
        typical: the one number that stands for it.
        high: the most it may be.
        less_than: whether only an upper bound is given.
        includes_tests: whether the test suite is in it; None if not stated.
        with_tests: the whole with the test suite, None where that isn't given apart.
        jobs: how many jobs it was measured with, None if not stated.
    """

    text: str
    low: float
    typical: float
    high: float
    less_than: bool = False
    includes_tests: bool | None = None
    with_tests: float | None = None
    jobs: int | None = None


def parse_sbu(text: str) -> Figure | None:
    """Return a build time in SBU, None if the words give no number (`varies`, `TBD`)."""
    return _parse(text, {"sbu": 1, "sbus": 1})


def parse_size(text: str) -> Figure | None:
    """Return a disk space in bytes, None if the words give no number; the books' KB, MB, GB are powers of 1,024."""
    return _parse(text, {"kb": 1024, "mb": 1024**2, "gb": 1024**3})


def _parse(text: str, units: dict[str, int]) -> Figure | None:
    text = " ".join(text[:MAX_LENGTH].split())
    words = text.lower()
    less = _LESS.match(words)
    start = less.end() if less else 0
    if about := _ABOUT.match(words, start):
        start = about.end()
    unit = re.compile(rf"({'|'.join(sorted(units, key=len, reverse=True))})\b")
    first = _amount(words, start, unit, units)
    if first is None:
        return None
    low, high, end = first
    others = _alternatives(words, end, unit, units)
    typical = min([(low + high) / 2, *others])
    for found in _TYPICAL.finditer(words, end):
        if kind := unit.match(words, found.end()):
            typical = float(found[1]) * units[kind[1]]
            break
    included = _includes_tests(words)
    jobs = _JOBS.search(words)
    return Figure(
        text=text,
        low=0.0 if less else min([low, *others]),
        typical=typical,
        high=max([high, *others]),
        less_than=less is not None,
        includes_tests=included,
        with_tests=_with_tests(words, end, high, unit, units) or (typical if included else None),
        jobs=int(next(filter(None, jobs.groups()))) if jobs else None,
    )


def _amount(words: str, start: int, unit: re.Pattern[str], units: dict[str, int]) -> tuple[float, float, int] | None:
    """Return the number, or the two of a range, that stand at `start` before a unit, and where the unit ends."""
    found = _RANGE.match(words, start)
    kind = unit.match(words, found.end()) if found else None
    if found is None or kind is None:
        return None
    factor = units[kind[1]]
    low, high = sorted((float(found[1]) * factor, float(found[2] or found[1]) * factor))
    return low, high, kind.end()


def _alternatives(words: str, end: int, unit: re.Pattern[str], units: dict[str, int]) -> list[float]:
    """Return the amounts for other circumstances: those outside parentheses that are not additions."""
    bare = _PARENTHESES.sub(lambda found: " " * len(found[0]), words)
    found = re.compile(rf",\s*{_NUMBER}\s*").finditer(bare, end)
    amounts = ((each, unit.match(bare, each.end())) for each in found)
    return [
        float(each[1]) * units[kind[1]]
        for each, kind in amounts
        if kind and not _INSTEAD.match(bare, kind.end()) and "installed" not in bare[kind.end() : kind.end() + 12]
    ]


def _includes_tests(words: str) -> bool | None:
    if _WITHOUT.search(words):
        return False
    # `(about 0.4 SBU with tests)` is another figure, and `(add 2 SBU for tests)` comes on top
    parts = re.split(r"[;(]|,(?=\s*add)", words)
    own = (part for part in parts if not re.search(r"\badd\b|\bplus\b|additional\s+[\d~]", part))
    number = re.compile(rf"{_NUMBER}\s*(?:sbus?|[kmg]b)\b")
    said = [place for place, part in enumerate(own) if _WITH.search(part) and (place == 0 or not number.search(part))]
    return True if said else None


def _with_tests(words: str, end: int, own: float, unit: re.Pattern[str], units: dict[str, int]) -> float | None:
    """Return the total with tests: as stated, or the figure plus what the tests add."""
    for found in _RANGE.finditer(words, end):
        kind = unit.match(words, found.end())
        if kind is None or "test" not in (purpose := _purpose(words, kind.end())):
            continue
        amount = float(found[2] or found[1]) * units[kind[1]]
        before = re.split(r"[;(,]", words[: found.start()])[-1]
        adds = _MORE.search(before) or " for " in f" {purpose} " or "plus" in before
        # a total can't be less than the part without tests
        return own + amount if adds or amount < own else amount
    return None


def _purpose(words: str, start: int) -> str:
    """Return the words after an amount up to the next punctuation or amount."""
    return re.split(r"[;),]", re.split(r"\d", words[start:])[0])[0].replace("quicktest", "test")
