"""Read the small files of /proc and /sys."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

_CHUNK: Final = 65536

ABSENT: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ENXIO, errno.EOPNOTSUPP})
"""Errors by which the kernel says that it has no such thing, rather than that asking went wrong."""


def read(path: str | Path) -> bytes:
    """Return all of a file.

    Raises:
        OSError: the file can't be read.
    """
    # twice as fast as open(): there is nothing to buffer or to decode
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(descriptor, _CHUNK):
            parts.append(part)
    finally:
        os.close(descriptor)
    return b"".join(parts)


def read_if_present(path: str | Path) -> bytes | None:
    """Return all of a file, None where this machine or kernel has no such file.

    Raises:
        OSError: the file is there and can't be read.
    """
    try:
        return read(path)
    except OSError as error:
        if error.errno in ABSENT:
            return None
        raise


def read_number(path: str | Path) -> int | None:
    """Return the one integer in a file; None where it can't be had: drivers refuse their files for many reasons."""
    try:
        return int(read(path))
    except (OSError, ValueError):
        return None


def read_word(path: str | Path) -> str:
    """Return the text in a file without the white space around it; empty where it can't be had."""
    try:
        return read(path).decode("utf-8", "backslashreplace").strip()
    except OSError:
        return ""


def number_after(text: bytes, key: bytes) -> int | None:
    """Return the number that follows `key` at the start of a line, None where there is none.

    The key holds the separator (`b"MemFree:"`, `b"oom_kill "`), so that no longer key is taken for it.
    """
    place = 0 if text.startswith(key) else text.find(b"\n" + key) + 1 or -1
    if place < 0:
        return None
    value = text[place + len(key) : place + len(key) + 32].split(None, 1)
    return int(value[0]) if value and value[0].isdigit() else None
