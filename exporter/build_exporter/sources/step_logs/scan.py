"""Search whole blocks of a log for many words in one pass, to pick the few lines that are read closely.

A word that begins with a line's end stands at a line's beginning, one that ends with it at a line's end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import cache, partial
from typing import Final

from build_exporter.diagnostics.finder import BlockFinder, block_finder, finds_all, overlap_finder
from build_exporter.diagnostics.prefix import parted
from build_exporter.diagnostics.terminal import shown

MAX_LINE: Final = 500
"""Characters of a line that are read: what is longer is a command."""

LARGE_BYTES: Final = 8 * 1024 * 1024
"""Bytes of logs from which hyperscan is worth its start: 30 ms of CPU time and 10 MB of memory."""

SAMPLE_LINES: Final = 8
"""Lines of a block that show whether something else stands before each line of the log."""

Near = tuple[bytes, ...]
"""The words that may stand where something was found."""

_COLOUR: Final = re.compile(rb"\x1b(?:\[[0-9;]*[mK]|\(B|\]8;[^\x07\x1b\n]*(?:\x07|\x1b\\))")
_STEERED: Final = re.compile(rb"(?m)^[^\n\r\x08\x1b]*[\r\x08\x1b][^\n]*")


class WordSearch:
    """Finds words in blocks: from `LARGE_BYTES` on with hyperscan, where that is installed."""

    def __init__(self, words: Sequence[bytes]) -> None:
        self._words = words
        self._left = LARGE_BYTES
        self._sets = _sets(words, overlapping=False)

    def hits(self, block: bytes) -> list[tuple[int, Near]]:
        """Return in order where words begin in whole lines, and which; one at the block's beginning at -1."""
        if self._left > 0:
            self._left -= len(block)
            if self._left <= 0 and finds_all(self._words):
                self._sets = _sets(self._words, overlapping=True)
        first = block.find(b"\n")
        # the block is not copied to put a line's end before it
        hits = [(start - 1, near) for start, near in self._found(b"\n" + block[: first + 1])]
        found = [hit for hit in self._found(block) if hit[0] >= first]
        return hits + found

    def _found(self, block: bytes) -> list[tuple[int, Near]]:
        hits = [(start, near(index)) for find, near in self._sets for start, index in find(block)]
        hits.sort()
        return hits


def _sets(words: Sequence[bytes], *, overlapping: bool) -> list[tuple[BlockFinder, Callable[[int], Near]]]:
    """Return what finds the words, `overlapping` ones too or the first of them, and what says which they may be."""
    if overlapping:
        return [(overlap_finder(words), lambda index: (words[index],))]
    # one that takes a line's end may hide another that begins with it
    ends = [word for word in words if word.endswith(b"\n")]
    others = [word for word in words if word not in ends]
    return [(block_finder(each), cache(partial(_near, each))) for each in (others, ends) if each]


def _near(words: Sequence[bytes], index: int) -> Near:
    """Return the words that may stand where one was found: in it, or begun within it."""
    return tuple(each for each in words if _may_stand_in(each, words[index]))


def _may_stand_in(each: bytes, word: bytes) -> bool:
    if each[:1] not in word:
        return False
    return each in word or any(each.startswith(word[begin:]) for begin in range(1, len(word)))


@cache
def word_search(words: tuple[bytes, ...]) -> WordSearch:
    """Return the search for some words, made once."""
    return WordSearch(words)


class WordCount:
    """Counts words in blocks."""

    def __init__(self, words: Sequence[bytes]) -> None:
        begins = [word for word in words if word.startswith(b"\n")]
        self._begins = tuple(word[1:] for word in begins)
        # one that is everywhere is found fastest by itself
        self._sets = [
            block_finder(each) for each in (begins, *([word] for word in words if word not in begins)) if each
        ]

    def count(self, block: bytes) -> int:
        """Return how often the words are in a block of whole lines."""
        return sum(len(find(block)) for find in self._sets) + block.startswith(self._begins)


@cache
def word_count(words: tuple[bytes, ...]) -> WordCount:
    """Return the count of some words, made once."""
    return WordCount(words)


def words_in(line: str, words: tuple[bytes, ...]) -> list[bytes]:
    """Return the words that a single line may hold."""
    hits = word_search(words).hits(line.encode("utf-8", "replace") + b"\n")
    return list(dict.fromkeys(word for _, near in hits for word in near))


def plain(block: bytes) -> bytes:
    """Return whole lines as a terminal showed them last, without colours and what others put before each line."""
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    if b"\x1b" in block:
        block = _COLOUR.sub(b"", block)
    if b"\r" in block or b"\x1b" in block or b"\x08" in block:
        block = _STEERED.sub(_shown_last, block)
    return _without_prefixes(block) if _has_prefixes(block) else block


def shown_last(line: str) -> str:
    """Return a line as a terminal showed it last."""
    if "\x1b" not in line and "\r" not in line and "\x08" not in line:
        return line
    texts = shown(line)
    return texts[-1] if texts else ""


def _shown_last(found: re.Match[bytes]) -> bytes:
    return shown_last(found[0].decode("utf-8", "replace")).encode()


def _has_prefixes(block: bytes) -> bool:
    head = [line for line in block[: SAMPLE_LINES * MAX_LINE].split(b"\n") if line][:SAMPLE_LINES]
    texts = [line[:MAX_LINE].decode("utf-8", "replace") for line in head]
    # a stamp, a level or a name: what stands before a single line is no prefix of the log
    return 2 * sum(bool(found.stamp) or found.text != text for text in texts for found in (parted(text),)) > len(texts)


def _without_prefixes(block: bytes) -> bytes:
    return b"\n".join(_unprefixed(line) for line in block.split(b"\n"))


def _unprefixed(line: bytes) -> bytes:
    text = line[:MAX_LINE].decode("utf-8", "replace")
    found = parted(text).text
    return line if found is text or found == text else found.encode() + line[MAX_LINE:]


class LineScan:
    """Finds the lines of blocks that may hold any of some words."""

    def __init__(self, words: tuple[bytes, ...]) -> None:
        self._words = words
        self._search = word_search(words)

    def lines(self, block: bytes, is_busy: Callable[[], bool]) -> Iterator[tuple[str, Near]]:
        """Yield lines of a block of whole ones, and the words there may be in each, in order.

        While `is_busy` every line is wanted, with no words where it has none. Takes linear time however long lines are.
        """
        done = 0
        if is_busy():
            done = yield from self._busy_lines(block, done, is_busy)
        begin = end = -1
        found: Near = ()
        for start, near in self._search.hits(block):
            if start < done - 1:
                continue
            if start < end:
                found = found if found == near else found + near
                continue
            if found:
                yield _text(block, begin, end), found
                done, found = end + 1, ()
                if is_busy():
                    done = yield from self._busy_lines(block, done, is_busy)
                    if start < done - 1:
                        continue
            # the last byte, which -1 is too, ends a line
            begin = start + 1 if block[start] == 10 else block.rfind(b"\n", max(0, done - 1), start) + 1
            end = block.find(b"\n", start + 1)
            found = near
        if found:
            yield _text(block, begin, end), found
            if is_busy():
                yield from self._busy_lines(block, end + 1, is_busy)

    def _busy_lines(
        self, block: bytes, begin: int, is_busy: Callable[[], bool]
    ) -> Generator[tuple[str, Near], None, int]:
        """Yield every line from a place on while somebody is busy; return where the first that is not read begins."""
        while is_busy() and begin < len(block):
            end = block.find(b"\n", begin)
            text = _text(block, begin, end)
            yield text, tuple(words_in(text, self._words))
            begin = end + 1
        return begin


def _text(block: bytes, begin: int, end: int) -> str:
    return block[begin : min(end, begin + MAX_LINE)].decode("utf-8", "replace")


def last_lines(block: bytes, count: int) -> list[str]:
    """Return the last lines of a block that ends with a line's end."""
    lines: list[str] = []
    end = len(block) - 1
    while len(lines) < count and end > 0:
        begin = block.rfind(b"\n", 0, end) + 1
        lines.append(_text(block, begin, end))
        end = begin - 1
    return lines[::-1]
