"""Check symbolic links on the way to a record: a privileged exporter must not read what their owner may not read."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path, PurePath
from typing import Final

MOST_LINKS: Final = 40
"""Links on the way to one file; the kernel follows no more."""


def check_links(path: Path, descriptor: int) -> None:
    """Check that the links on the way to an open file are of someone who may read that file.

    Links of root and of this process's user are followed wherever they lead. The link of another user may lead to a
    file of that user, or to one that everyone may read.

    Args:
        path: what was opened, absolute.
        descriptor: the open file.

    Raises:
        OSError: a link leads further than that, or the path has changed since.
    """
    real = _path_of(descriptor)
    if real == str(path):
        return
    resolved, owners = _resolve(path)
    found = os.fstat(descriptor)
    if real != resolved and (real or not os.path.samestat(found, os.lstat(resolved))):
        raise OSError(errno.ESTALE, "the path changed while it was opened", str(path))
    if owners - {found.st_uid} and not _is_open_to_all(resolved, found):
        raise OSError(errno.EPERM, "another user's link leads to a file that this user may not read", str(path))


def _path_of(descriptor: int) -> str:
    """Return where an open file is, without any link; empty where there is no /proc."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115 - each poll
    except OSError:
        return ""


def _resolve(path: Path) -> tuple[str, set[int]]:
    """Return a path without links, and the users other than root and this one whose links are on the way."""
    reached, owners, links = "/", set[int](), 0
    ahead = list(reversed(path.absolute().parts[1:]))
    while ahead:
        name = ahead.pop()
        if name == "..":
            reached = os.path.dirname(reached)  # noqa: PTH120 - of a string
            continue
        step = os.path.join(reached, name)  # noqa: PTH118 - of a string
        found = os.lstat(step)
        if not stat.S_ISLNK(found.st_mode):
            reached = step
            continue
        links += 1
        if links > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
        owners.add(found.st_uid)
        target = PurePath(os.readlink(step))  # noqa: PTH115 - of a string
        if target.is_absolute():
            reached = "/"
        ahead += reversed(target.parts[1:] if target.is_absolute() else target.parts)
    return reached, owners - {0, os.geteuid()}


def _is_open_to_all(resolved: str, found: os.stat_result) -> bool:
    """Return whether everyone may read a file, by its mode and those of the directories above it."""
    above = PurePath(resolved).parents
    return bool(found.st_mode & stat.S_IROTH) and all(os.stat(each).st_mode & stat.S_IXOTH for each in above)  # noqa: PTH116
