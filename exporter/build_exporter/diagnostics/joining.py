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
    r"^ ?\* ERROR: \S+/\S+ failed.{0,40}:$"
    r"|(?:configure: error|: error|: fatal error|error(?:: \[GHC-\d+\])?|ERROR|Error):\s*$|error: \[GHC-\d+\]$"
    r"|^\s*thread '.{1,100}' (?:\(\d+\) )?panicked at .{1,500}:$"
)
_TRACEBACK: Final = re.compile(
    r"^(?:\s*)Traceback \(most recent call last\):|^(?:\s*)The above exception was|^(?:\s*)During handling of"
)
_UNKNOWN_PACKAGES: Final = re.compile(
    r"(?:dependencies are missing|missing dependencies|is not supported by the following packages?"
    r"|failed to select a version .*|no matching package .*"
    r"|Unmet build dependencies|==> Missing dependencies|unable to select packages|Unable to find a match)\s*:\s*$"
)


_OCAML: Final = re.compile(r"^File \"[^\"]{1,300}\", lines? \d[^:]{0,80}:$")
MAX_QUOTED: Final = 20
"""Lines of source that OCaml quotes before its words."""

_ARROW: Final = re.compile(r"^\s{0,20}(?:-->|--\[|\u256d\u2500\[|\u250c\u2500+)\s{0,4}([^\s:]{1,300}:\d{1,7}:\d{1,7})")
"""How rustc and its kin point to the place of the words above."""

_UNENDED: Final = re.compile(r"^checking .{1,200}\.\.\. ?(?=(?:\S*configure: error|Invalid configuration))")
"""The script had not ended its line when it failed."""


class Joined(NamedTuple):
    """A diagnostic.

    Attributes:
        text: its words.
        last: index of the line it ends with.
        said: as the rules read it, where what they need to know stands on another line than its words; empty otherwise.
    """

    text: str
    last: int
    said: str = ""


def joined(lines: Sequence[str], index: int) -> Joined:
    """Return the diagnostic that begins with a line: the line itself where it is one of a line."""
    text = _UNENDED.sub("", lines[index])
    for pattern, join in _JOINS:
        if pattern.search(text):
            return join(lines, index, text)
    return Joined(text, index)


def _dubious(lines: Sequence[str], index: int, text: str) -> Joined:
    """Join what perl's harness says of a test with the line before it, which names it."""
    before = lines[index - 1] if index else ""
    return Joined(f"{before.strip()} {text.strip()}".strip(), index)


def _gradle(lines: Sequence[str], index: int, text: str) -> Joined:
    """Return what Gradle says after its heading."""
    found = _next(lines, index, "")
    more = found.text.strip()
    return Joined(more, found.last, f"{text} {more}") if more else Joined(text, index)


def _waf(lines: Sequence[str], index: int, text: str) -> Joined:
    """Return the check that failed before waf's words that its configuration did."""
    for line in reversed(lines[max(0, index - 3) : index]):
        if line.rstrip().endswith((": not found", ": no")):
            return Joined(line, index, f"{text}: {line}")
    return Joined(text, index)


def _placed(lines: Sequence[str], index: int, text: str) -> Joined:
    """Return words with the place that an arrow on the next line points to."""
    found = _ARROW.match(lines[index + 1]) if index + 1 < len(lines) else None
    return Joined(text, index, f"{found[1]}: {text}") if found is not None else Joined(text, index)


def _ocaml(lines: Sequence[str], index: int, text: str) -> Joined:
    """Join the place that OCaml or Coq names with the error after the source it quotes."""
    for at in range(index + 1, min(index + MAX_QUOTED, len(lines))):
        if lines[at].startswith(("Error", "Fatal error")):
            error = joined(lines, at)
            return Joined(f"{text} {error.text}", error.last)
        if lines[at].startswith(("Warning", "File ")):
            break
    return Joined(text, index)


def _paragraph(lines: Sequence[str], index: int, text: str) -> Joined:
    """Join a header with the indented lines after it, up to the blank one that ends a sentence."""
    words, last = [text], index
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


_DECORATION: Final = " *#\t"


def _next(lines: Sequence[str], index: int, text: str) -> Joined:
    last = index
    for at in range(index + 1, min(index + 4, len(lines))):
        more = lines[at].lstrip(_DECORATION).rstrip()
        if more:
            text, last = f"{text.rstrip()} {more}", at
            if not more.endswith(":"):
                break
    return Joined(text, last)


def _traceback(lines: Sequence[str], index: int, text: str) -> Joined:
    """Return the last line of a traceback, which says what was wrong; of a chain the last one's."""
    indent = len(lines[index]) - len(lines[index].lstrip())
    for at in range(index + 1, min(index + 400, len(lines))):
        line = lines[at]
        depth = len(line) - len(line.lstrip())
        if line.strip() and depth <= indent and not _TRACEBACK.match(line):
            return Joined(line.strip(), at)
    return Joined(text.strip(), index)


_JOINS: Final = (
    (_TRACEBACK, _traceback),
    (_CMAKE, _paragraph),
    (_REQUIRED, _requirements),
    (re.compile(r"^\s*Dubious, test returned"), _dubious),
    (re.compile(r"^\* What went wrong:$"), _gradle),
    (_OCAML, _ocaml),
    (_CUT_SHORT, _next),
    (_UNKNOWN_PACKAGES, _next),
    (re.compile(r"^The configuration failed"), _waf),
    (re.compile(r"^(?:error|Error|ERROR)(?:\[[\w:-]{1,80}\])?: \S"), _placed),
)
"""How a diagnostic begins, and how the rest of it is found; the first that fits counts."""


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
