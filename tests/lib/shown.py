"""Output as a page shows it, without what differs from run to run."""

from __future__ import annotations

import re

ROUNDED = (
    (r"\x1b\[[\d;]*m", ""),
    (r"\d{8}T\d{6}Z", "RUN"),
    (r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d\d:\d\d|\b\d\d-\d\d \d\d:\d\d", "TIME"),
    (r"(?:\d[\d.]* (?:d|h|min|ms|s)\b ?)+", "LONG "),
    (r"[█░─]+", "BAR"),
    (r"\d+\.\d %", "SHARE"),
    (r" +", " "),
)
"""What differs from run to run, and what stands for it."""


def rounded(text: str) -> list[str]:
    """Return the lines without what differs from run to run."""
    for pattern, name in ROUNDED:
        text = re.sub(pattern, name, text)
    return [line.strip() for line in text.splitlines()]
