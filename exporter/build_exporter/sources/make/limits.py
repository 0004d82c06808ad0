"""Limits of what is remembered of a console and emitted of a run."""

from __future__ import annotations

from typing import Final

KEPT_LINES: Final = 1000
"""Lines before a failure in which its reason is looked for: with parallel jobs many come after it."""

KEPT_CHARACTERS: Final = 500

IDLE_LINES: Final = 300
"""A directory without a line among so many is taken to be done, when its make prints no leaving."""

MAX_STEPS: Final = 400
"""Steps of a run; parts beyond that are one step of their stage, `others`."""

OTHERS: Final = "others"

MAX_LEVEL: Final = 1000
"""A level that no make reaches."""
