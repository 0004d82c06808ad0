"""Diagnostics that take several lines, read as one: CMake's, configure's, tracebacks; and the place they name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

MAX_JOINED: Final = 40
"""Lines that one diagnostic takes at most."""

_CMAKE: Final = re.compile(r"^CMake (?:Error|Deprecation Error)\b.*:$")
_REQUIRED: Final = re.compile(r"configure: error: .*Package requirements \(|configure: error: .*were not met")
_LACKS: Final = re.compile(r"^(?:No package \W|Package \W|Requested \W|Package dependency requirement|\S+: )")
_CUT_SHORT: Final = re.compile(
    r"(?:configure: error|: error|: fatal error|error(?:: \[GHC-\d+\])?|ERROR|Error):\s*$|error: \[GHC-\d+\]$"
    r"|^\s*thread '.{1,100}' (?:\(\d+\) )?panicked at .{1,500}:$"
)
_TRACEBACK: Final = re.compile(
    r"^(?:\s*)Traceback \(most recent call last\):|^(?:\s*)The above exception was|^(?:\s*)During handling of"
)
_UNKNOWN_PACKAGES: Final = re.compile(
    r"(?:dependencies are missing|missing dependencies|is not supported by the following packages?"
    r"|failed to select a version .*|no matching package .*"
    r"|Unmet build dependencies):\s*$"
)


_UNENDED: Final = re.compile(r"^checking .{1,200}\.\.\. ?(?=(?:\S*configure: error|Invalid configuration))")
"""The script had not ended its line when it failed."""


class Joined(NamedTuple):
    """A diagnostic: its text, and the index of the line it ends with."""

    text: str
    last: int


def joined(lines: Sequence[str], index: int) -> Joined:
    """Return the diagnostic that begins with a line: the line itself where it is one of a line."""
    text = lines[index]
    text = _UNENDED.sub("", text)
    if _TRACEBACK.match(text):
        return _traceback(lines, index)
    if _CMAKE.match(text):
        return _paragraph(lines, index)
    if _REQUIRED.search(text):
        return _requirements(lines, index, text)
    if _CUT_SHORT.search(text) or _UNKNOWN_PACKAGES.search(text):
        return _next(lines, index, text)
    return Joined(text, index)


def _paragraph(lines: Sequence[str], index: int) -> Joined:
    """Join a header with the indented lines after it, up to the blank one that ends a sentence."""
    words, last = [lines[index]], index
    for at in range(index + 1, min(index + MAX_JOINED, len(lines))):
        line = lines[at]
        if not line.strip():
            if (words[-1].endswith(_SENTENCE_ENDS) and len(words) > 1) or len(words) > MAX_PARAGRAPH:
                break
            continue
        if not line.startswith(" ") or line.lstrip().startswith("Call Stack"):
            break
        words.append(line.strip())
        last = at
    return Joined(" ".join(words), last)


_SENTENCE_ENDS: Final = (".", ":", "!", "?", ")")
MAX_PARAGRAPH: Final = 6
"""Lines of a message of CMake's that has no end of a sentence."""


def _requirements(lines: Sequence[str], index: int, text: str) -> Joined:
    """Join what a package needs with the words on which of it was not found."""
    words, last, is_met = [text.strip()], index, "were not met" in text
    for at in range(index + 1, min(index + MAX_JOINED, len(lines))):
        line = lines[at].strip()
        if line.startswith(("Consider ", "Alternatively", "You may")):
            break
        if not is_met and line:
            words.append(line)
            is_met = "were not met" in line
        elif _LACKS.match(line):
            words.append(line)
            last = at
            break
    return Joined(" ".join(words), last)


def _next(lines: Sequence[str], index: int, text: str) -> Joined:
    for at in range(index + 1, min(index + 4, len(lines))):
        if lines[at].strip():
            return Joined(f"{text.rstrip()} {lines[at].strip()}", at)
    return Joined(text, index)


def _traceback(lines: Sequence[str], index: int) -> Joined:
    """Return the last line of a traceback, which says what was wrong; of a chain the last one's."""
    indent = len(lines[index]) - len(lines[index].lstrip())
    for at in range(index + 1, min(index + 400, len(lines))):
        line = lines[at]
        depth = len(line) - len(line.lstrip())
        if line.strip() and depth <= indent and not _TRACEBACK.match(line):
            return Joined(line.strip(), at)
    return Joined(lines[index].strip(), index)


_PLACES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"^(?:ERROR: ParseError at |CMake Error at |\+?\s*)?((?:[A-Za-z]:)?[^\s:'\"(),]{1,300}):(\d{1,7})\b",
        r"^([^\s:()]{1,300})\((\d{1,7})(?:,\s?\d+)?\):",
        r"(?:^|: )/?(?:\S{1,200}/)?(?:ld|mold)\S{0,20}: \S{0,200}?([^\s:]{1,300}):(\d{1,7}): ",
        r" at ([^\s'\"]{1,300}) line (\d{1,7})",
        r"^([^\s:]{1,300}): line (\d{1,7}): ",
        r"panicked at ([^\s:']{1,300}):(\d{1,7})",
    )
)
_PLACES_NEAR: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"^\s*--> ([^\s:]{1,300}):(\d{1,7})",
        r"^>>> (?:referenced|defined) (?:by|at) ([^\s:]{1,300}):(\d{1,7})",
        r"^\s*File \"([^\"]{1,300})\", line (\d{1,7})",
        r"^\s+at .*?\(?([^\s():]{1,300}):(\d{1,7})(?::\d+)?\)?$",
        r"^([^\s:]{1,300}):(\d{1,7}):\d{1,7}:$",
    )
)


def place_of(lines: Sequence[str], first: int, last: int, text: str) -> str | None:
    """Return the `FILE:LINE` that a diagnostic names, in its own words or in those just after or before it."""
    for pattern in _PLACES:
        found = pattern.search(text[:1000])
        if found is not None and not found[1].startswith(("make", "gmake")) and not found[1].isdigit():
            return f"{found[1]}:{found[2]}"
    after = range(last + 1, min(last + 5, len(lines)))
    before = range(last, max(last - 6, -1), -1)
    for at in (*after, *before):
        for pattern in _PLACES_NEAR:
            found = pattern.match(lines[at][:1000])
            if found is not None:
                return f"{found[1]}:{found[2]}"
    return None
