"""Many words looked for in one scan."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

try:
    import ahocorasick_rs
except ImportError:  # no wheel for this machine: slower, and the same matches
    ahocorasick_rs = None  # type: ignore[assignment]


class Finder:
    """Finds words of a fixed set in texts, from left to right, the longest where several begin; none overlap."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = sorted(set(words), key=lambda word: (-len(word), word))
        self._automaton = self._pattern = None
        if ahocorasick_rs is not None:
            self._automaton = ahocorasick_rs.AhoCorasick(
                self._words, matchkind=ahocorasick_rs.MatchKind.LeftmostLongest
            )
        else:
            self._pattern = re.compile("|".join(map(re.escape, self._words)))

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield begin and end of each word in a text."""
        if self._automaton is not None:
            for _, begin, end in self._automaton.find_matches_as_indexes(text):
                yield begin, end
        elif self._pattern is not None:
            for found in self._pattern.finditer(text):
                yield found.span()
