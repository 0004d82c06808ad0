"""Raw output as a terminal shows it: carriage returns, backspaces and cursor movements are interpreted."""

from __future__ import annotations

import re
from typing import Final

from build_exporter.model.text import plain_line

MAX_LINE: Final = 2000
"""Characters of a line that are read; the rest is cut before any pattern sees it."""

MAX_PIECES: Final = 100_000
"""Texts that one line showed one after the other: a progress written over in place for days stays bounded."""

_BREAKS: Final = re.compile(r"\r|\x1b\[(?:\d{0,4}[ABDEFGd]|\d{0,4}(?:;\d{0,4})?[Hf]|[12]K|[0-3]?J)|\x1b[78DEM]")
"""Sequences that move the cursor or clear a line: the text after them is separate."""

_FORWARD: Final = re.compile(r"\x1b\[(\d{0,3})C")
_STEERS: Final = re.compile(r"[\r\x08\x1b]")


def shown(raw: str) -> list[str]:
    """Return the texts that a raw line showed one after the other, plain, without trailing blanks and empty ones.

    A progress that is written over in place is one line with many texts. The cursor moved forward leaves blanks,
    a backspace takes back a character.
    """
    if _STEERS.search(raw) is None:
        text = plain_line(raw[:MAX_LINE]).rstrip()
        return [text] if text else []
    pieces = _BREAKS.split(raw, MAX_PIECES)
    texts = (_text(piece[: 2 * MAX_LINE]) for piece in pieces if piece)
    return [text for text in texts if text]


def _text(piece: str) -> str:
    if "\x1b[" in piece:
        piece = _FORWARD.sub(lambda found: " " * min(int(found[1] or 1), 200), piece)
    return _erased(plain_line(piece) if "\x08" not in piece else _plain_but_backspaces(piece))[:MAX_LINE].rstrip()


def _plain_but_backspaces(piece: str) -> str:
    return "\x08".join(map(plain_line, piece.split("\x08")))


def _erased(text: str) -> str:
    """Return a text with each backspace taking back the character before it."""
    if "\x08" not in text:
        return text
    kept: list[str] = []
    for character in text:
        if character != "\x08":
            kept.append(character)
        elif kept:
            kept.pop()
    return "".join(kept)
