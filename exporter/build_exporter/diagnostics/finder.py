"""Many words looked for in one scan of a text or of a block of bytes."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Final

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


FEW_WORDS: Final = 32
"""So few are found as fast without hyperscan, which calls Python for each."""

Hit = tuple[int, int]
"""Where a word begins in a block, and its index."""

BlockFinder = Callable[[bytes], list[Hit]]
"""Returns the words in a block, in order."""


@cache
def hyperscan() -> ModuleType | None:
    """Return the library, None without the extra; loaded once words are looked for, for the memory it takes."""
    try:
        return import_module("hyperscan")
    except ImportError:
        return None


def finds_all(words: Sequence[bytes]) -> bool:
    """Return whether `overlap_finder` can be had, and finds so many words faster than `block_finder`."""
    return len(words) > FEW_WORDS and hyperscan() is not None


def block_finder(words: Sequence[bytes]) -> BlockFinder:
    """Return what finds words in blocks: of those that overlap the first, the longest where it begins."""
    if ahocorasick_rs is not None:
        kind, dfa = ahocorasick_rs.MatchKind.LeftmostLongest, ahocorasick_rs.Implementation.DFA
        find = ahocorasick_rs.BytesAhoCorasick(words, kind, implementation=dfa).find_matches_as_indexes
        return lambda block: [(begin, index) for index, begin, _ in find(block)]
    indexes = {word: index for index, word in enumerate(words)}
    pattern = re.compile(b"|".join(map(re.escape, sorted(words, key=len, reverse=True))))
    return lambda block: [(found.start(), indexes[found[0]]) for found in pattern.finditer(block)]


def overlap_finder(words: Sequence[bytes]) -> BlockFinder:
    """Return what finds words in blocks, all of those that overlap; it needs hyperscan."""
    library = hyperscan()
    assert library is not None
    database = library.Database(mode=library.HS_MODE_BLOCK)
    literals = [b"".join(b"\\x%02x" % byte for byte in word) for word in words]
    database.compile(expressions=literals, ids=list(range(len(words))), elements=len(words), flags=[0] * len(words))
    lengths = [len(word) for word in words]
    # a database has one scratch space
    lock = threading.Lock()

    def find(block: bytes) -> list[Hit]:
        hits: list[Hit] = []
        with lock:
            database.scan(block, lambda index, _, end, *__: hits.append((end - lengths[index], index)))
        hits.sort()
        return hits

    return find
