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
from build_exporter.verdicts.descriptors import Ends, awaited, is_terminal, read, target

MAX_LEAVES: Final = 32
MAX_THREADS: Final = 64
FUTEX_TIMEOUT: Final = 3
"""Position of a futex call's timeout among its arguments; 0 waits for ever."""

_X86_64: Final = {
    0: "read", 1: "write", 7: "poll", 23: "select", 34: "pause", 35: "sleep", 42: "connect", 43: "accept",
    45: "receive", 47: "receive", 61: "wait", 65: "semaphore", 70: "receive", 72: "file lock", 73: "file lock",
    128: "signal", 130: "signal", 202: "lock", 230: "sleep", 232: "epoll", 247: "wait", 257: "open", 270: "select",
    271: "poll", 281: "epoll", 288: "accept", 441: "epoll",
}  # fmt: skip
_AARCH64: Final = {
    63: "read", 64: "write", 73: "poll", 72: "select", 101: "sleep", 203: "connect", 202: "accept", 207: "receive",
    212: "receive", 260: "wait", 193: "semaphore", 188: "receive", 25: "file lock", 32: "file lock", 133: "signal",
    137: "signal", 98: "lock", 115: "sleep", 22: "epoll", 95: "wait", 56: "open", 242: "accept", 441: "epoll",
}  # fmt: skip
_CALLS: Final = {"x86_64": _X86_64, "aarch64": _AARCH64}.get(platform.machine(), {})

_WORDS: Final = {
    "sleep": "sleeps",
    "receive": "waits for data from a socket",
    "accept": "waits for a connection",
    "connect": "connects",
    "signal": "waits for a signal",
    "pause": "waits for a signal",
    "wait": "waits for a child",
    "lock": "waits for a lock",
    "semaphore": "waits for a semaphore",
    "open": "waits for the other end of a pipe",
}
_CLOSED: Final = frozenset({"lock", "semaphore", "open"})
"""Waits that only another process or thread of the step can end."""
_FOR_CHILDREN: Final = frozenset({"wait", "signal", "pause", "own pipes"})
"""Waits that the end of a child ends: shells wait for its signal, make -j for what it then writes into its own pipe."""
_WAKES: Final = frozenset(f"anon_inode:{name}" for name in ("[eventfd]", "[timerfd]", "[signalfd]", "inotify"))
"""Files by which programs wake themselves."""


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
    kind: str
    words: str
    is_closed: bool = False
    is_terminal: bool = False


def waits_of(processes: Mapping[int, ProcessView], proc: str = "/proc") -> Waits:
    """Return what a step's processes wait for."""
    parents = {process.parent for process in processes.values()}
    leaves = [process for process in processes.values() if process.pid not in parents]
    others = [process for process in processes.values() if process.pid in parents]
    step = _Step(proc, Ends(processes, proc))
    found: list[tuple[str, _Wait]] = []
    for leaf in leaves[:MAX_LEAVES]:
        waits = step.waits(leaf.pid)
        if not waits:
            # one that can't be seen may do anything
            return Waits(words=())
        if any(wait.kind == "wait" for wait in waits):
            # there is one, and it is of another user whose processes /proc hides
            return Waits(hiding=leaf.name)
        found += [(leaf.name, wait) for wait in waits]
    reading = next((name for name, wait in found if wait.is_terminal), "") or step.reader(others)
    words = tuple(dict.fromkeys(f"{name} {wait.words}" for name, wait in found))
    is_closed = bool(found) and len(leaves) <= MAX_LEAVES and all(wait.is_closed for _, wait in found)
    return Waits(reading, words, is_closed and all(step.needs_the_others(each.pid) for each in others))


class _Step:
    """The waits of a step's processes; who has the other end of what they wait for is looked up once."""

    def __init__(self, proc: str, ends: Ends) -> None:
        self._proc = proc
        self._ends = ends

    def waits(self, pid: int) -> list[_Wait]:
        """Return the wait of each thread of a process; nothing where one is not seen or runs."""
        return [self._wait(pid, call) for call in self._calls(pid)]

    def reader(self, others: Iterable[ProcessView]) -> str:
        """Return the first process with children that reads from a terminal: what it started is in the background."""
        for each in islice(others, MAX_LEAVES):
            if any(wait.is_terminal and wait.kind == "read" for wait in self.waits(each.pid)):
                return each.name
        return ""

    def needs_the_others(self, pid: int) -> bool:
        """Return whether a process with children waits for those and for other processes of the step alone."""
        waits = self.waits(pid)
        return bool(waits) and all(wait.is_closed or wait.kind in _FOR_CHILDREN for wait in waits)

    def _calls(self, pid: int) -> list[list[str]]:
        try:
            threads = list(islice(os.scandir(f"{self._proc}/{pid}/task"), MAX_THREADS))
            calls = [read(f"{thread.path}/syscall", 256).decode("ascii", "replace").split() for thread in threads]
        except OSError:
            return []
        return calls if all(len(call) > 6 and call[0].isdigit() for call in calls) else []

    def _wait(self, pid: int, call: list[str]) -> _Wait:
        kind = _CALLS.get(int(call[0]), "")
        if kind in ("read", "write"):
            return self._transfer(pid, kind, self._target(pid, call))
        if kind in ("poll", "select", "epoll"):
            return self._poll(pid, kind, call)
        if kind == "file lock":
            is_own = bool(self._ends.lockers(self._target(pid, call)))
            return _Wait(kind, f"waits for a lock of a file{'' if is_own else ' from outside the step'}", is_own)
        if not kind:
            return _Wait(kind, f"is in system call {call[0]}")
        if kind == "open" and self._is_on_storage(pid):
            return _Wait(kind, "waits for storage or a file server")
        is_timed = kind == "lock" and int(call[1 + FUTEX_TIMEOUT], 16) != 0
        return _Wait(kind, _WORDS[kind], is_closed=kind in _CLOSED and not is_timed)

    def _transfer(self, pid: int, kind: str, file: str) -> _Wait:
        verb = "reads from" if kind == "read" else "writes to"
        if kind == "read" and is_terminal(file):
            return _Wait(kind, "reads from the terminal", is_terminal=self._is_typed_into(file))
        if file.startswith("pipe:"):
            is_own = bool(self._ends.writers(file) if kind == "read" else self._ends.readers(file))
            return _Wait(kind, f"{verb} a pipe" if is_own else f"{verb} a pipe from outside the step", is_own)
        return _Wait(kind, f"{verb} {'a socket' if file.startswith('socket:') else 'a file'}")

    def _poll(self, pid: int, kind: str, call: list[str]) -> _Wait:
        files, is_endless = awaited(f"{self._proc}/{pid}", kind, call)
        rest = [file for file in files if not (is_terminal(file) or self._is_own_wake(pid, file))]
        terminals = [file for file in files if is_terminal(file)]
        if terminals and not rest:
            is_typed = any(map(self._is_typed_into, terminals))
            return _Wait(kind, "reads from the terminal", is_terminal=is_typed)
        # of a socket or terminal the step has no other end, and all events and timers have one name
        writers = [self._ends.writers(file) if file.startswith("pipe:") else set() for file in files]
        is_own = is_endless and bool(writers) and all(writers)
        is_closed = is_own and all(each - {pid} for each in writers)
        return _Wait("own pipes" if is_own else kind, "waits for events", is_closed)

    def _is_own_wake(self, pid: int, file: str) -> bool:
        """Return whether a file is one by which a process wakes itself: of signals, timers and its own threads."""
        return file in _WAKES or (file.startswith("pipe:") and self._ends.writers(file) == {pid})

    def _is_typed_into(self, terminal: str) -> bool:
        """Return whether a person types into a terminal, rather than a program of the step such as `expect`.

        `script` and `sudo` have terminals of their own and hand on what is typed into theirs.
        """
        masters = self._ends.masters(terminal)
        return not masters or any(is_terminal(file) and file != terminal for file in self._watched(masters))

    def _watched(self, pids: Iterable[int]) -> Iterable[str]:
        for pid in pids:
            for call in self._calls(pid):
                kind = _CALLS.get(int(call[0]), "")
                if kind in ("poll", "select", "epoll"):
                    yield from awaited(f"{self._proc}/{pid}", kind, call).files
                elif kind == "read":
                    yield self._target(pid, call)

    def _is_on_storage(self, pid: int) -> bool:
        """Return whether the kernel lets no signal end the wait of a process, as it does for a pipe."""
        try:
            return read(f"{self._proc}/{pid}/stat").rpartition(b")")[2].split()[:1] == [b"D"]
        except OSError:
            return False

    def _target(self, pid: int, call: list[str]) -> str:
        return target(f"{self._proc}/{pid}/fd/{int(call[1], 16)}")
