"""Memory of a process that starts once and then does little for days."""

from __future__ import annotations

import ctypes
import gc
from typing import Final

_ARENA_MAX: Final = -8
"""`M_ARENA_MAX` of mallopt(3)."""


def settle() -> None:
    """Keep what was loaded out of all later searches for garbage, and let the threads to come allocate from one arena.

    Beside Python's own lock, arenas of their own gain threads nothing; other C libraries than glibc have none.
    """
    gc.freeze()
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(_ARENA_MAX, 1)
