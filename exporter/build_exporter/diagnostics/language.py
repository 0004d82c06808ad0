"""Lines in other languages read as if they were English: single words and short phrases are replaced, nothing more.

    demo.cpp:13:25: Schwerwiegender Fehler: zlib.h: Datei oder Verzeichnis nicht gefunden
    demo.cpp:13:25: fatal error: zlib.h: No such file or directory

The table `words.json` is made of the message catalogs of gcc, binutils, make, bash, coreutils and the C library.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Final

from build_exporter.diagnostics.finder import Finder

_QUOTES: Final = "\u2018\u2019`\u00b4\u201e\u201c\u201d\u00ab\u00bb\u300c\u300d\u300e\u300f\u2039\u203a"
_ALIKE: Final = str.maketrans(_QUOTES, "'" * len(_QUOTES))
_WIDE: Final = str.maketrans(
    {"\uff1a": ": ", "\uff0c": ", ", "\uff1b": "; ", "\uff08": " (", "\uff09": ")", "\u00a0": " ", "\u202f": " "}
)
_SPACED_COLON: Final = re.compile(r"(?<=[^\s:]) +:(?= )")

LABELS: Final = frozenset({"error", "fatal error", "warning", "note", "internal compiler error"})
"""Words so short that they count only where such a label stands: before a colon."""

ENDINGS: Final = frozenset({"Interrupt", "Terminated", "Hangup", "Killed", "Segmentation fault", "ignored"})
"""Words that count only at the end of a line, or in brackets there."""

MAX_REPLACED: Final = 600
"""Characters of a line in which words are replaced."""

_LABELLED: Final = re.compile(r"(?:^|: )\Z")
_COLON: Final = re.compile(r" ?:")
_BEFORE_CODE: Final = re.compile(r"\] \Z")
_CODE: Final = re.compile(r" \d")
_BEFORE_END: Final = re.compile(r"[\] (]\Z")
_END: Final = re.compile(r"[\s)]*\Z")
_COMMON: Final = frozenset({"not", "nota", "as", "error"})
"""Words of the table that other languages have, too."""


@cache
def _english() -> dict[str, tuple[str, ...]]:
    """Return the English phrases by the foreign words for them, in the cases they are written in."""
    text = Path(__file__).with_name("words.json").read_text(encoding="utf-8")
    found: dict[str, tuple[str, ...]] = {}
    for phrase, words in json.loads(text).items():
        for word in words:
            for form in {word, word[0].upper() + word[1:], word.lower()} - _COMMON:
                found[form] = (*found.get(form, ()), str(phrase))
    return found


@cache
def _finder() -> Finder:
    return Finder(foreign_words())


def foreign_words() -> tuple[str, ...]:
    """Return the words of other languages that are known."""
    return tuple(_english())


def english(text: str) -> str:
    """Return a line with straight quotes and plain colons, and with words of other languages replaced by English."""
    text = text.translate(_ALIKE)
    spans = list(_finder().spans(text[:MAX_REPLACED]))
    if not spans:
        return text if text.isascii() else text.translate(_WIDE)
    text = _SPACED_COLON.sub(":", text.translate(_WIDE)).replace(":  ", ": ")
    pieces, reached = [], 0
    for begin, end in _finder().spans(text[:MAX_REPLACED]):
        phrase = _meant(text[max(0, begin - 3) : begin], text[begin:end], text[end : end + 8])
        if phrase is not None:
            pieces += [text[reached:begin], phrase]
            reached = end
    return "".join(pieces) + text[reached:]


def _meant(before: str, word: str, after: str) -> str | None:
    """Return the phrase that a word stands for where it stands, None where it is part of another or means nothing."""
    for phrase in _english()[word]:
        if phrase in LABELS:
            if _BEFORE_CODE.search(before) and _CODE.match(after):
                return "Error"
            fits = _LABELLED.search(before) is not None and _COLON.match(after) is not None
        elif phrase == "Error":
            fits = _BEFORE_CODE.search(before) is not None and _CODE.match(after) is not None
        elif phrase in ENDINGS:
            fits = _BEFORE_END.search(before) is not None and _END.match(after) is not None
        else:
            fits = _is_wide(word) or not (before[-1:].isalnum() or after[:1].isalnum())
        if fits:
            return phrase
    return None


def _is_wide(word: str) -> bool:
    """Return whether a word is of a language that puts no blanks between words."""
    return ord(word[0]) >= 0x2E80 or ord(word[-1]) >= 0x2E80
