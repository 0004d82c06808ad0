"""Memory of a process that starts once and then does little for days; other C libraries than glibc have none of it."""

from __future__ import annotations

import ctypes
import gc
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
"""Options of mallopt(3), `M_ARENA_MAX` and so on."""
_LARGE: Final = 1 << 20
"""Bytes from which a block is mapped by itself, and given back when it is free: glibc would learn to keep such ones."""


def settle() -> None:
    """Keep what was loaded out of all later searches for garbage, and let the threads to come allocate from one arena.

    Beside Python's own lock, arenas of their own gain threads nothing.
    """
    gc.freeze()
    _library("mallopt", _ARENA_MAX, 1)
    _library("mallopt", _MMAP_THRESHOLD, _LARGE)
    _library("mallopt", _TRIM_THRESHOLD, 2 * _LARGE)


def give_back() -> None:
    """Return to the system what some work that is over, and seldom done, took and left free between what is kept."""
    gc.collect()
    _library("malloc_trim", 0)


def _library(name: str, *arguments: int) -> None:
    if (function := getattr(ctypes.CDLL(None), name, None)) is not None:
        function(*arguments)
