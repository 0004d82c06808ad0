"""Read untrusted trees safely: bounded, non-blocking, never following links out of the tree."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import stat
from collections import OrderedDict
from collections.abc import Hashable
from pathlib import Path, PurePosixPath
from typing import Final

MAX_NAMES: Final = 4096
"""Most entries read of one directory."""

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
"""Bytes searched of one file: an unstripped linker has some 20 MiB."""

MAX_POLL_BYTES: Final = 512 * 1024 * 1024
"""Bytes read in one poll over all files."""

_MAX_LINKS: Final = 40
_BLOCK_BYTES: Final = 256 * 1024
_OVERLAP_BYTES: Final = 512
_KEPT: Final = 2048


class Files:
    """Reads files as one user may, with what was found in each kept until the file changes.

    A file is read only where it is a regular one that belongs to `owner`, or that everybody may read; with `owner`
    None wherever this process can.

    Attributes:
        owner: that user's id.
        bytes_read: bytes searched in this poll.
    """

    def __init__(self, other: Files | None = None) -> None:
        """Begin with what was found by `other`, and share what is found from now on."""
        self.owner: int | None = None
        self.bytes_read = 0
        self._kept: OrderedDict[Hashable, bytes | None] = other._kept if other is not None else OrderedDict()

    def begin(self, owner: int | None) -> None:
        """Begin a poll for a user's id, None for root; what may be read is counted again."""
        self.owner = owner
        self.bytes_read = 0

    def names(self, directory: Path) -> list[str]:
        """Return the names in a directory in their order, at most `MAX_NAMES`; none where it can't be read."""
        try:
            with os.scandir(directory) as entries:
                return sorted(entry.name for entry in itertools.islice(entries, MAX_NAMES))
        except OSError:
            return []

    def find(self, path: Path, pattern: re.Pattern[bytes]) -> bytes | None:
        """Return what a pattern's first match in a file holds: its group, else all of it, of at most 512 bytes.

        None where there is none, or the file may not be read.
        """
        try:
            descriptor = self.open(path)
        except OSError:
            return None
        try:
            found = os.fstat(descriptor)
            key = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, pattern)
            with contextlib.suppress(KeyError):
                self._kept.move_to_end(key)
                return self._kept[key]
            text = self._search(descriptor, pattern)
        except OSError:
            return None
        finally:
            os.close(descriptor)
        self._kept[key] = text
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return text

    def read(self, path: Path, limit: int = 64 * 1024) -> bytes:
        """Return the first `limit` bytes of a file; empty where it may not be read."""
        try:
            descriptor = self.open(path)
        except OSError:
            return b""
        try:
            return os.read(descriptor, limit)
        except OSError:
            return b""
        finally:
            os.close(descriptor)

    def open(self, path: Path) -> int:
        """Open a regular file that may be read and return its descriptor.

        Raises:
            OSError: there is none, or it may not be read.
        """
        # a path alone first: opening a FIFO may wait, and opening a device may do something
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            found = os.fstat(place)
            # what is regular and has no size is the kernel's: reading it may take something away
            if not stat.S_ISREG(found.st_mode) or not found.st_size or not self._may_read(found):
                raise OSError(errno.EACCES, "not a regular file that may be read", str(path))
            return os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        finally:
            os.close(place)

    def _may_read(self, found: os.stat_result) -> bool:
        return self.owner is None or found.st_uid == self.owner or bool(found.st_mode & stat.S_IROTH)

    def _search(self, descriptor: int, pattern: re.Pattern[bytes]) -> bytes | None:
        position, tail = 0, b""
        while position < MAX_FILE_BYTES and self.bytes_read < MAX_POLL_BYTES:
            block = os.pread(descriptor, _BLOCK_BYTES, position)
            if not block:
                return None
            self.bytes_read += len(block)
            match = pattern.search(tail + block)
            if match is not None:
                # a copy: a match holds all of the block
                return next((group for group in match.groups() if group is not None), match[0])
            position += len(block)
            tail = block[-_OVERLAP_BYTES:]
        return None


def resolve(root: Path, path: str) -> Path | None:
    """Return where a path leads for somebody whose root directory is `root`; None where it leads nowhere.

    Links are followed as inside a chroot: an absolute one begins again at `root`, and `..` does not lead out of it.
    """
    waiting = [part for part in reversed(PurePosixPath(path).parts) if part != "/"]
    reached: list[str] = []
    links = 0
    while waiting:
        part = waiting.pop()
        if part == "..":
            del reached[-1:]
            continue
        place = "/".join((str(root).rstrip("/"), *reached, part))
        try:
            found = os.lstat(place)
            target = os.readlink(place) if stat.S_ISLNK(found.st_mode) else None  # noqa: PTH115 - text, as it stands
        except OSError:
            return None
        if target is None:
            reached.append(part)
            continue
        links += 1
        if links > _MAX_LINKS:
            return None
        if target.startswith("/"):
            reached.clear()
        waiting += [each for each in reversed(PurePosixPath(target).parts) if each != "/"]
    return root.joinpath(*reached)
