"""Verify many files in the foreground: in parallel, at low priority."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import psutil

from build_exporter.checksums.check import Finding, check_file, check_metadata
from build_exporter.model.events import SourceFile
from build_exporter.model.states import SourceState

MAX_JOBS: Final = 4
"""Files read at a time by default, on machines with as many processors: more only makes a disk seek."""

MAX_UNLISTED: Final = 10_000


class Stopped(Exception):  # noqa: N818 - nothing is wrong
    """The reading was given up."""


def lower_priority(niceness: int) -> None:
    """Make this process, and the threads it starts, give way to others: at the processor, and at the disk wholly.

    How far that goes for the disk is for its scheduler; `bfq` heeds it, `none` does not.
    """
    os.nice(niceness)
    try:
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)
    except (OSError, psutil.Error):
        # a container may forbid it; then niceness has to do
        return


def bytes_to_read(directory: str, files: Iterable[SourceFile]) -> int:
    """Return how many bytes verifying files will read."""
    seen = (check_metadata(directory, each) for each in files)
    return sum(each.size or 0 for each in seen if each.state is SourceState.PENDING)


def verify(
    directory: str, files: Sequence[SourceFile], jobs: int | None = None, on_read: Callable[[int], None] | None = None
) -> Generator[tuple[SourceFile, Finding], None, None]:
    """Yield each file with how it stands, in the order given; closing the iterator gives the reading up.

    Args:
        directory: the directory of the files.
        files: as the plan or list describes them.
        jobs: files read at a time; by default one a processor, at most four.
        on_read: called with the bytes of each piece read, from several threads.
    """
    stopped = threading.Event()

    def go_on(count: int) -> None:
        if stopped.is_set():
            raise Stopped
        if on_read is not None:
            on_read(count)

    def one(planned: SourceFile) -> Finding:
        return check_file(directory, planned, go_on)

    pool = ThreadPoolExecutor(jobs or min(os.cpu_count() or 1, MAX_JOBS), "verify")
    try:
        yield from zip(files, pool.map(one, files), strict=True)
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)


def unlisted(directory: str, files: Mapping[str, SourceFile], passed_over: Iterable[str] = ()) -> list[str]:
    """Return the files that no list names, by name, in the directory and those below it that have listed ones.

    Args:
        directory: the directory to search.
        files: the listed ones.
        passed_over: paths of others to leave out: the lists themselves.
    """
    skip = {os.path.realpath(path) for path in passed_over}
    folders = sorted({name.rpartition("/")[0] for name in files} | {""})
    found: list[str] = []
    for folder in folders:
        try:
            with os.scandir(f"{directory}/{folder}") as entries:
                names = sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
        except OSError:
            continue
        full = (f"{folder}/{name}" if folder else name for name in names)
        found += [name for name in full if name not in files and os.path.realpath(f"{directory}/{name}") not in skip]
    return found[:MAX_UNLISTED]
