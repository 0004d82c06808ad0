"""The birth time of a file: Linux has it in statx(2), Python does not expose it."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Final

_AT_FDCWD: Final = -100
_AT_SYMLINK_NOFOLLOW: Final = 0x100
_STATX_BTIME: Final = 0x800
_BUFFER_BYTES: Final = 256
_BIRTH_OFFSET: Final = 0x50
"""Offset of `stx_btime` in `struct statx` (statx(2)): seconds in 8 bytes, nanoseconds in 4."""


def birth_time(path: Path) -> float | None:
    """Return a file's birth time in Unix seconds, rounded to ms; None where the system has none."""
    try:
        statx = ctypes.CDLL(None, use_errno=True).statx
    except (OSError, AttributeError):
        return None
    buffer = ctypes.create_string_buffer(_BUFFER_BYTES)
    if statx(_AT_FDCWD, os.fsencode(path), _AT_SYMLINK_NOFOLLOW, _STATX_BTIME, buffer) != 0:
        return None
    if not int.from_bytes(buffer.raw[:4], "little") & _STATX_BTIME:
        return None
    seconds = int.from_bytes(buffer.raw[_BIRTH_OFFSET : _BIRTH_OFFSET + 8], "little", signed=True)
    nanoseconds = int.from_bytes(buffer.raw[_BIRTH_OFFSET + 8 : _BIRTH_OFFSET + 12], "little")
    return round(seconds + nanoseconds / 1e9, 3)
