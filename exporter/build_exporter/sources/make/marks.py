"""The few lines of a console that may be more than work, by one scan of a block for many words.

Of lines without any of the words no pattern of a console matches, but that of a compiler's command: they are counted,
and not read closely.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import Final

from build_exporter.diagnostics.finder import Finder

WORDS: Final = (
    "make", "ninja", "samu", "meson", "ctest", "onfigur", "config.status", "Script ", "arning", "ARNING", "rror",
    "ERROR", "hecking ", "-- ", "CMake ", "The Meson", "Making ", "nstall", "INSTALL", "DEPMOD", "STRIP", "SIGN ",
    "PASS: ", "FAIL: ", "SKIP: ", "Testsuite", " tests ===", "Test run", "Test project", "Running ", "running ", " OK",
    " FAIL", " SKIP", "FAILED", " TIMEOUT", "test ", "ok  \t", "FAIL\t", "?   \t", "testing of", "session starts",
    "test suite", ".....", "Emerging (", "Reticulating", "Build targets", "up to date", "mkdir -p", "mkinstalldirs",
    "Compiling ", "compiling ", "cd ", " -C", "%", "\n  ", "\n[", "\n(", "\n<", "\n|", "\n\t", "\n$ ", "\n+", "\r",
    "\x1b", "\x08", *(f"\n{digit}" for digit in range(10)),
    *(f"{digit}{between}" for digit in range(10) for between in ("/", " /", "of", " of")),
)  # fmt: skip
"""Text at least one of which is in each line that any other pattern of a console matches."""


@cache
def _finder() -> Finder:
    return Finder(WORDS)


def marked(lines: Sequence[str]) -> set[int]:
    """Return the indexes of the lines that have one of the words."""
    block = "\n".join(("", *lines))
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    return {bisect_right(starts, begin) - 1 for begin, _ in _finder().spans(block)}
