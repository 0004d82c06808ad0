"""Retention: remove old run files to bound the journal's size, and keep their counts."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from build_exporter.journal.layout import builds, run_path, runs
from build_exporter.journal.removed_runs import Tally, remove_run

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the journal: `runs` per build, `size` bytes and `age` seconds in all; None keeps everything."""

    runs: int | None = None
    size: int | None = None
    age: float | None = None


@dataclass(frozen=True, slots=True)
class _File:
    mtime: float
    size: int
    build: str
    run: str


def prune(root: str, limits: Limits, now: float, count: Callable[[str, str], Tally | None]) -> list[str]:
    """Remove the run files beyond the limits, oldest first, and return their paths.

    The newest run of each build always stays: it may still be written to. A file that can't be removed, or whose
    counts can't be recorded, is logged and does not keep the others from being removed.

    Args:
        root: the journal.
        limits: what is kept.
        now: Unix seconds.
        count: returns what a run of a build counted; None where it isn't known yet, and the run stays for now.
    """
    removed: list[str] = []
    for file in list(_beyond(root, limits, now)):
        path = run_path(root, file.build, file.run)
        counted = count(file.build, file.run)
        if counted is None:
            continue
        try:
            if remove_run(root, file.build, file.run, counted):
                removed.append(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            log.warning("cannot remove an old run", extra={"path": path, "error": error.strerror})
    return removed


def _beyond(root: str, limits: Limits, now: float) -> Iterator[_File]:
    left: list[_File] = []
    total = 0
    for build in builds(root):
        files = [_file(root, build, name) for name in runs(root, build)]
        if not files:
            continue
        *older, newest = files
        total += newest.size
        spare = len(older) if limits.runs is None else max(0, limits.runs - 1)
        surplus = older[: max(0, len(older) - spare)]
        yield from surplus
        for file in older[len(surplus) :]:
            if limits.age is not None and now - file.mtime > limits.age:
                yield file
            else:
                left.append(file)
                total += file.size
    for file in sorted(left, key=lambda f: f.mtime):
        if limits.size is None or total <= limits.size:
            return
        total -= file.size
        yield file


def _file(root: str, build: str, run: str) -> _File:
    try:
        found = os.stat(run_path(root, build, run))
    except OSError:
        # gone in the meantime, or a link to nothing
        return _File(0.0, 0, build, run)
    return _File(found.st_mtime, found.st_size, build, run)
