"""Retention: which run files are removed so that the journal's size stays bounded."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass

from build_exporter.journal.layout import builds, run_path, runs

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept: `runs` of each build, `size` bytes and `age` seconds in all; None keeps everything."""

    runs: int | None = None
    size: int | None = None
    age: float | None = None


@dataclass(frozen=True, slots=True)
class _File:
    mtime: float
    size: int
    path: str


def prune(root: str, limits: Limits, now: float) -> list[str]:
    """Remove the run files beyond the limits, oldest first, and return their paths.

    The newest run of each build always stays: it may still be written to. A file that can't be removed is told in the
    log and keeps none of the others from being removed.
    """
    removed: list[str] = []
    for path in list(_beyond(root, limits, now)):
        try:
            os.unlink(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            log.warning("cannot remove an old run", extra={"path": path, "error": error.strerror})
        else:
            removed.append(path)
    return removed


def _beyond(root: str, limits: Limits, now: float) -> Iterator[str]:
    left: list[_File] = []
    total = 0
    for build in builds(root):
        files = [_file(run_path(root, build, name)) for name in runs(root, build)]
        if not files:
            continue
        *older, newest = files
        total += newest.size
        spare = len(older) if limits.runs is None else max(0, limits.runs - 1)
        surplus = older[: max(0, len(older) - spare)]
        yield from (file.path for file in surplus)
        for file in older[len(surplus) :]:
            if limits.age is not None and now - file.mtime > limits.age:
                yield file.path
            else:
                left.append(file)
                total += file.size
    for file in sorted(left, key=lambda f: f.mtime):
        if limits.size is None or total <= limits.size:
            return
        total -= file.size
        yield file.path


def _file(path: str) -> _File:
    try:
        found = os.stat(path)
    except OSError:
        # gone in the meantime, or a link to nothing
        return _File(0.0, 0, path)
    return _File(found.st_mtime, found.st_size, path)
