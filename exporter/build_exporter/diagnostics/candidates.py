"""Find the lines of a log that may be evidence, by one scan for many words."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import Final

from build_exporter.diagnostics.finder import Finder
from build_exporter.diagnostics.language import foreign_words
from build_exporter.diagnostics.rules import WORDS

STOPS: Final = ("*** [", "not remade because", "FAILED: ")
"""Words of the builder's own lines."""


@cache
def _finder() -> Finder:
    return Finder([*WORDS, *foreign_words(), *STOPS])


def candidates(lines: Sequence[str]) -> list[int]:
    """Return the indexes of the lines that hold a word of the rules, in any language, in order."""
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    return sorted({bisect_right(starts, begin) - 1 for begin, _ in _finder().spans("\n".join(lines))})
