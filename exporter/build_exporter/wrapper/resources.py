"""Resource use of the command's process tree: sampled memory, I/O from the kernel's accounting."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from build_exporter.wrapper.record import Outcome

FIRST_INTERVAL_SECONDS = 0.01
"""Many steps take milliseconds: the first samples come soon, then the interval doubles."""

INTERVAL_SECONDS = 0.25
SHARE_OF_A_CORE = 0.0025
"""The cost limit of sampling: the larger the tree, the longer the interval."""

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class MemoryPeak:
    """The highest sum of resident memory seen over a process and its descendants, in bytes.

    Pages that processes share count once for each of them. Descendants whose parent has gone are not seen.
    """

    def __init__(self, root: int) -> None:
        self.root = root
        self.bytes = 0
        self._interval = FIRST_INTERVAL_SECONDS
        self._kernel_lists_children = os.access(f"/proc/self/task/{os.getpid()}/children", os.R_OK)

    def sample(self) -> float:
        """Sample the tree and return the seconds until it should be sampled again."""
        began = time.thread_time()
        children = None if self._kernel_lists_children else _children_by_parent()
        total = 0
        waiting = [self.root]
        while waiting:
            pid = waiting.pop()
            pages, threads = _memory_and_threads(pid)
            total += pages
            if children is None:
                waiting.extend(_children(pid, threads))
            else:
                waiting.extend(children.get(pid, ()))
        self.bytes = max(self.bytes, total * _PAGE_BYTES)
        self._interval = min(INTERVAL_SECONDS, self._interval * 2)
        cost = time.thread_time() - began
        return max(self._interval, cost / SHARE_OF_A_CORE)


def account(outcome: Outcome, peak: MemoryPeak, began: float) -> None:
    """Complete an outcome of a start at monotonic time `began`; its block counts stay where I/O can't be read."""
    outcome.seconds = time.monotonic() - began
    # the largest single process is known exactly, even one that lived between two samples
    outcome.max_rss_bytes = max(outcome.max_rss_bytes, peak.bytes)
    counted = io_bytes()
    if counted is not None:
        outcome.read_bytes, outcome.written_bytes = counted


def io_bytes() -> tuple[int, int] | None:
    """Return the bytes that this process's waited-for descendants had read from and sent to storage; None if unknown.

    Linux adds the account of a child that is waited for to its parent's, and keeps those of living threads apart.
    Written bytes count when the page cache takes them, tmpfs not at all.
    """
    try:
        read, written = _io("/proc/self/io")
        for thread in os.listdir("/proc/self/task"):  # noqa: PTH208
            own_read, own_written = _io(f"/proc/self/task/{thread}/io")
            read -= own_read
            written -= own_written
    except (OSError, ValueError):
        return None
    return max(0, read), max(0, written)


def _io(path: str) -> tuple[int, int]:
    read = written = 0
    text = proc_file(path)
    if not text:
        raise FileNotFoundError(path)
    for line in text.splitlines():
        name, _, value = line.partition(b":")
        if name == b"read_bytes":
            read = int(value)
        elif name == b"write_bytes":
            written = int(value)
    return read, written


def _memory_and_threads(pid: int) -> tuple[int, int]:
    """Return a process's resident pages and how many threads it has; zeros when it has gone."""
    # the name in brackets may itself hold brackets and spaces
    fields = proc_file(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return (int(fields[21]), int(fields[17])) if len(fields) > 21 else (0, 0)


def _children(pid: int, threads: int) -> Iterator[int]:
    if threads <= 1:
        tasks = [str(pid)] if threads else []
    else:
        try:
            tasks = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208
        except OSError:
            tasks = []
    for task in tasks:
        yield from map(int, proc_file(f"/proc/{pid}/task/{task}/children").split())


def _children_by_parent() -> dict[int, list[int]]:
    """Return the children of every process, for kernels built without the lists of children."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            fields = proc_file(f"/proc/{name}/stat").rpartition(b")")[2].split()
            if len(fields) > 1:
                children.setdefault(int(fields[1]), []).append(int(name))
    return children


def proc_file(path: str) -> bytes:
    """Return the content of a file of /proc, empty if it can't be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
