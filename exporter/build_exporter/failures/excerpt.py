"""Excerpt of a failure's log without secrets or control characters."""

from __future__ import annotations

from typing import Final

from build_exporter.model.redaction import redact
from build_exporter.model.text import plain

EXCERPT_LENGTH: Final = 300


def excerpt(message: str | None) -> str:
    """Return at most 300 characters of a failure's message, plain and redacted; empty without one."""
    if not message:
        return ""
    text = redact(plain(message[:4096])).strip()
    return text if len(text) <= EXCERPT_LENGTH else text[: EXCERPT_LENGTH - 1] + "…"
