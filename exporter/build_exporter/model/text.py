"""Text from outside made fit to be shown: without terminal escapes, control characters and secrets."""

from __future__ import annotations

import re
from typing import Final

_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]+[0-~]|[0-Z\\-_])")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters but tab and newline, and those that turn the direction of the text after them."""

_LINE_ENDS: Final = re.compile(r"[\n\u2028\u2029]")
# each part is bounded: what a log holds must not take time that grows with its square
_SECRETS: Final = (
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]{0,30}://)[^\s/@:]+:[^\s/@]+@"), r"\1***@"),
    (
        re.compile(
            r"(?i)\b((?:[a-z0-9]{1,40}[_-]){0,8}(?:password|passwd|secret|token|api[_-]?key|access[_-]?key|credentials?))"
            r"(\s*[=:]\s*)(?:\"[^\"]*\"|'[^']*'|\S+)"
        ),
        r"\1\2***",
    ),
    (re.compile(r"(?i)\b(authorization\s*:\s*(?:basic|bearer)|bearer)\s+\S+"), r"\1 ***"),
)


def plain(text: str) -> str:
    """Return text without terminal escapes and control characters; newlines stay."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n")))


def plain_line(text: str) -> str:
    """Return text as one line without terminal escapes and control characters."""
    return _LINE_ENDS.sub(" ", plain(text))


def redact(text: str) -> str:
    """Return text with passwords in addresses and values named like secrets masked."""
    for pattern, mask in _SECRETS:
        text = pattern.sub(mask, text)
    return text
