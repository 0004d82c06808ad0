"""What may be shown of a failure: a short excerpt without secrets or control characters."""

from __future__ import annotations

import re
from typing import Final

EXCERPT_LENGTH: Final = 300

_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SECRETS: Final = (
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@:]+:[^\s/@]+@"), r"\1***@"),
    (
        re.compile(
            r"(?i)\b((?:[a-z0-9]+[_-])*(?:password|passwd|secret|token|api[_-]?key|access[_-]?key|credentials?))"
            r"(\s*[=:]\s*)(?:\"[^\"]*\"|'[^']*'|\S+)"
        ),
        r"\1\2***",
    ),
    (re.compile(r"(?i)\b(authorization\s*:\s*(?:basic|bearer)|bearer)\s+\S+"), r"\1 ***"),
)


def plain(text: str) -> str:
    """Return text without terminal escapes and control characters; newlines stay."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n")))


def redact(text: str) -> str:
    """Return text with passwords in addresses and values named like secrets masked."""
    for pattern, mask in _SECRETS:
        text = pattern.sub(mask, text)
    return text


def excerpt(message: str | None) -> str:
    """Return at most 300 characters of a failure's message, plain and redacted; empty without one."""
    if not message:
        return ""
    text = redact(plain(message[:4096])).strip()
    return text if len(text) <= EXCERPT_LENGTH else text[: EXCERPT_LENGTH - 1] + "…"
