"""Reasons why processes without CPU time wait, as `/proc/PID/task/*/syscall` and `/proc/PID/fd` show it (proc(5)).

Reading these takes the right to trace the process: the same user, or root. Without it there is no verdict.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final, NamedTuple

from build_exporter.verdicts.activity import ProcessView

MAX_LEAVES: Final = 32
MAX_THREADS: Final = 64
FUTEX_TIMEOUT: Final = 3
"""Position of a futex call's timeout among its arguments; 0 waits for ever."""

_X86_64: Final = {
    0: "read", 1: "write", 7: "poll", 23: "select", 34: "pause", 35: "sleep", 42: "connect", 43: "accept",
    45: "receive", 47: "receive", 61: "wait", 65: "semaphore", 70: "receive", 72: "file lock", 73: "file lock",
    128: "signal", 130: "signal", 202: "lock", 230: "sleep", 232: "poll", 247: "wait", 257: "open", 270: "select",
    271: "poll", 281: "poll", 288: "accept",
}  # fmt: skip
_AARCH64: Final = {
    63: "read", 64: "write", 73: "poll", 72: "select", 101: "sleep", 203: "connect", 202: "accept", 207: "receive",
    212: "receive", 260: "wait", 193: "semaphore", 188: "receive", 25: "file lock", 32: "file lock", 133: "signal",
    137: "signal", 98: "lock", 115: "sleep", 22: "poll", 95: "wait", 56: "open", 242: "accept",
}  # fmt: skip
_CALLS: Final = {"x86_64": _X86_64, "aarch64": _AARCH64}.get(platform.machine(), {})

_WORDS: Final = {
    "sleep": "sleeps",
    "poll": "waits for events",
    "select": "waits for events",
    "receive": "waits for data from a socket",
    "accept": "waits for a connection",
    "connect": "connects",
    "signal": "waits for a signal",
    "pause": "waits for a signal",
    "wait": "waits for a child",
    "lock": "waits for a lock",
    "file lock": "waits for a lock of a file",
    "semaphore": "waits for a semaphore",
    "open": "waits for the other end of a pipe",
}
_CLOSED: Final = frozenset({"lock", "file lock", "semaphore", "open"})
"""Waits that only another process or thread of the step can end."""


class Waits(NamedTuple):
    """Reasons why the processes without children wait.

    Attributes:
        reading: the program that reads from a terminal, empty without one.
        words: what each waits for, as `NAME waits for a lock`.
        is_closed: whether nothing from outside the step, nor time, can end any of the waits.
        hiding: the program that waits for a child which is not seen, empty where there is none.
    """

    reading: str = ""
    words: tuple[str, ...] = ()
    is_closed: bool = False
    hiding: str = ""


class _Wait(NamedTuple):
    words: str
    is_closed: bool
    is_terminal: bool = False
    is_for_child: bool = False


def waits_of(processes: Mapping[int, ProcessView], root: int, proc: str = "/proc") -> Waits:
    """Return what a step's processes wait for; `root` is the first of them, whose standard input is from outside."""
    parents = {process.parent for process in processes.values()}
    leaves = [process for process in processes.values() if process.pid not in parents]
    outside = _target(f"{proc}/{root}/fd/0")
    found: list[tuple[str, _Wait]] = []
    for leaf in leaves[:MAX_LEAVES]:
        waits = list(_thread_waits(f"{proc}/{leaf.pid}", outside))
        if not waits:
            # one that can't be seen may do anything
            return Waits(words=())
        if any(wait.is_for_child for wait in waits):
            # there is one, and it is of another user whose processes /proc hides
            return Waits(hiding=leaf.name)
        found += [(leaf.name, wait) for wait in waits]
    reading = next((name for name, wait in found if wait.is_terminal), "")
    words = tuple(dict.fromkeys(f"{name} {wait.words}" for name, wait in found))
    is_closed = bool(found) and len(leaves) <= MAX_LEAVES and all(wait.is_closed for _, wait in found)
    return Waits(reading, words, is_closed)


def _thread_waits(directory: str, outside: str) -> Iterable[_Wait]:
    """Return the wait of each thread of a process; nothing where one is not seen or runs."""
    try:
        threads = list(islice(os.scandir(f"{directory}/task"), MAX_THREADS))
        calls = [_read(f"{thread.path}/syscall").split() for thread in threads]
    except OSError:
        return []
    waits = [_wait(directory, call, outside) for call in calls]
    known = [wait for wait in waits if wait is not None]
    return known if len(known) == len(waits) else []


def _wait(directory: str, call: list[str], outside: str) -> _Wait | None:
    if len(call) < 7 or not call[0].isdigit():
        return None
    kind = _CALLS.get(int(call[0]))
    if kind in ("read", "write"):
        return _transfer(kind, _target(f"{directory}/fd/{int(call[1], 16)}"), outside)
    if kind is None:
        return _Wait(f"is in system call {call[0]}", is_closed=False)
    timed = kind == "lock" and int(call[1 + FUTEX_TIMEOUT], 16) != 0
    return _Wait(_WORDS[kind], is_closed=kind in _CLOSED and not timed, is_for_child=kind == "wait")


def _transfer(kind: str, target: str, outside: str) -> _Wait:
    verb = "reads from" if kind == "read" else "writes to"
    if kind == "read" and target.startswith(("/dev/pts/", "/dev/tty", "/dev/console")):
        return _Wait("reads from the terminal", is_closed=False, is_terminal=True)
    if target.startswith("pipe:"):
        is_own = kind == "write" or target != outside
        return _Wait(f"{verb} a pipe", is_closed=is_own)
    return _Wait(f"{verb} {'a socket' if target.startswith('socket:') else 'a file'}", is_closed=False)


def _target(link: str) -> str:
    try:
        return os.readlink(link)  # noqa: PTH115 - many of them
    except OSError:
        return ""


def _read(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 256).decode("ascii", "replace")
    finally:
        os.close(descriptor)
