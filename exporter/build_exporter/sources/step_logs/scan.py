"""One pass over whole blocks of a log: a search for many words picks the few lines that are read closely.

A word that begins with a line's end stands at a line's beginning; none ends with one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import cache
from typing import Final

from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

from build_exporter.diagnostics.prefix import parted
from build_exporter.diagnostics.terminal import shown

MAX_LINE: Final = 500
"""Characters of a line that are read: what is longer is a command."""

SAMPLE_LINES: Final = 8
"""Lines of a block that show whether something else stands before each line of the log."""

Hit = tuple[int, int, int]
"""Index of a word, and where it begins and ends."""

Finder = Callable[[bytes], Sequence[Hit]]

_COLOUR: Final = re.compile(rb"\x1b(?:\[[0-9;]*[mK]|\(B|\]8;[^\x07\x1b\n]*(?:\x07|\x1b\\))")
_STEERED: Final = re.compile(rb"[^\n]*[\r\x08\x1b][^\n]*")


@cache
def finder(words: tuple[bytes, ...]) -> Finder:
    """Return what finds words in a block, the longest that begins at a place, and none within another."""
    automaton = BytesAhoCorasick(words, MatchKind.LeftmostLongest, implementation=Implementation.DFA)
    return automaton.find_matches_as_indexes


def related(words: Sequence[bytes]) -> dict[bytes, list[bytes]]:
    """Return for each word the words that may stand where it was found: in it, or begun within it."""
    return {word: [each for each in words if _may_stand_in(each, word)] for word in words}


def _may_stand_in(each: bytes, word: bytes) -> bool:
    return each in word or any(each.startswith(word[begin:]) for begin in range(1, len(word)))


def words_in(line: str, words: tuple[bytes, ...]) -> list[bytes]:
    """Return those of the words that a single line holds."""
    hits = finder(words)(b"\n" + line.encode("utf-8", "replace") + b"\n")
    return list(dict.fromkeys(words[index] for index, _, _ in hits))


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
    """Finds the lines of blocks that hold any of some words.

    Attributes:
        counted: how often the words to be counted were found so far.
    """

    def __init__(self, words: Sequence[bytes], counted: Sequence[bytes] = ()) -> None:
        """Look for `words`, and count those in `counted`, whose lines alone are not wanted."""
        wanted = frozenset(words)
        # those whose lines are not wanted come first, so that the index identifies their hits
        self._words = (*(word for word in dict.fromkeys(counted) if word not in wanted), *dict.fromkeys(words))
        self._unwanted = len(self._words) - len(wanted)
        self._counted = frozenset(self._words.index(word) for word in counted if word in wanted)
        self._find = finder(self._words)
        self.counted = 0

    def lines(self, block: bytes, is_busy: Callable[[], bool]) -> Iterator[tuple[str, list[bytes]]]:
        """Yield lines of a block that ends with a line's end, and the words found in each; each line once, in order.

        While `is_busy` every line is wanted, with no words where it has none. Takes linear time however long lines are.
        """
        block = b"\n" + block
        all_hits = self._find(block)
        first, words, counted = self._unwanted, self._words, self._counted
        hits = [hit for hit in all_hits if hit[0] >= first]
        self.counted += len(all_hits) - len(hits)
        done = 1
        if is_busy():
            done = yield from self._busy_lines(block, done, is_busy)
        begin = end = 0
        found: list[bytes] = []
        for index, start, _ in hits:
            self.counted += index in counted
            if start < done - 1:
                continue
            if start < end:
                found.append(words[index])
                continue
            if found:
                yield _text(block, begin, end), found
                done, found = end + 1, []
                if is_busy():
                    done = yield from self._busy_lines(block, done, is_busy)
                    if start < done - 1:
                        continue
            begin = start + 1 if block[start] == 10 else block.rfind(b"\n", done - 1, start) + 1
            end = block.find(b"\n", start + 1)
            found = [words[index]]
        if found:
            yield _text(block, begin, end), found
            if is_busy():
                yield from self._busy_lines(block, end + 1, is_busy)

    def _busy_lines(
        self, block: bytes, begin: int, is_busy: Callable[[], bool]
    ) -> Generator[tuple[str, list[bytes]], None, int]:
        """Yield every line from a place on while somebody is busy; return where the first that is not read begins."""
        while is_busy() and begin < len(block):
            end = block.find(b"\n", begin)
            text = _text(block, begin, end)
            yield text, words_in(text, self._words)
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
