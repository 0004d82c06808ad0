"""The descriptors that a waiting system call waits on, and which processes of the step have their other ends (proc(5)).

Reading these takes the right to trace the process: the same user, or root. What can't be read counts as outside.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from struct import iter_unpack
from typing import Final, NamedTuple

MAX_OWNERS: Final = 128
"""Processes of a step whose descriptors are searched for the other end of a pipe."""
MAX_DESCRIPTORS: Final = 256
"""Descriptors read of one process, and of one call that waits for many."""

_POLLIN: Final = 1
_AARCH64: Final = platform.machine() == "aarch64"
_MILLISECONDS: Final = frozenset({22} if _AARCH64 else {7, 232, 281})
"""Calls whose timeout is a number, negative without one; that of others is a pointer, null without one."""
_EPOLL: Final = re.compile(rb"^tfd: *(\d+) events: *([0-9a-f]+)", re.MULTILINE)


class Awaited(NamedTuple):
    """Files that a call waits to read, and whether it waits for ever."""

    files: tuple[str, ...]
    is_endless: bool


def awaited(directory: str, kind: str, call: list[str]) -> Awaited:
    """Return what a call of a process waits for, given its kind (poll, select or epoll) and its `/proc/PID/syscall`."""
    number, first, second, third, fourth, fifth = (int(word, 0) for word in call[:6])
    timeout = {"poll": third, "select": fifth, "epoll": fourth}[kind]
    is_endless = bool(timeout & 0x80000000) if number in _MILLISECONDS else timeout == 0
    try:
        if kind == "epoll":
            watched = _EPOLL.findall(read(f"{directory}/fdinfo/{first}", 65536))
            found = [int(fd) for fd, events in watched if int(events, 16) & _POLLIN]
        elif kind == "poll":
            array = _memory(directory, first, 8 * min(second, MAX_DESCRIPTORS))
            whole = array[: len(array) // 8 * 8]
            found = [fd for fd, events, _ in iter_unpack("=ihh", whole) if fd >= 0 and events & _POLLIN]
        else:
            count = min(first, MAX_DESCRIPTORS)
            bits = int.from_bytes(_memory(directory, second, (count + 7) // 8), "little")
            found = [fd for fd in range(count) if bits >> fd & 1]
    except (OSError, OverflowError):
        return Awaited((), is_endless)
    return Awaited(tuple(target(f"{directory}/fd/{fd}") for fd in found[:MAX_DESCRIPTORS]), is_endless)


def is_terminal(file: str) -> bool:
    """Return whether a file is the side of a terminal that programs read what is typed from."""
    return file.startswith(("/dev/pts/", "/dev/tty", "/dev/console")) and not file.endswith("ptmx")


class Ends:
    """The step's own descriptors of pipes, locked files and the masters of terminals; all are read at the first use."""

    def __init__(self, pids: Iterable[int], proc: str = "/proc") -> None:
        self._pids = pids
        self._proc = proc
        self._known: dict[str, list[tuple[int, str]]] | None = None

    def writers(self, pipe: str) -> set[int]:
        """Return the processes that may write into a pipe."""
        return {pid for pid, mode, _ in self._infos(pipe) if mode != os.O_RDONLY}

    def readers(self, pipe: str) -> set[int]:
        """Return the processes that may read from a pipe."""
        return {pid for pid, mode, _ in self._infos(pipe) if mode != os.O_WRONLY}

    def lockers(self, file: str) -> set[int]:
        """Return the processes through which a file is locked."""
        return {pid for pid, _, info in self._infos(file) if b"\nlock:" in info}

    def masters(self, terminal: str) -> set[int]:
        """Return the processes that type into a terminal, as `expect` and `script` do."""
        number = terminal.rpartition("/")[2].encode()
        return {
            pid
            for master in ("/dev/ptmx", "/dev/pts/ptmx")
            for pid, _, info in self._infos(master)
            if info.partition(b"tty-index:")[2].split()[:1] == [number]
        }

    def _infos(self, file: str) -> Iterator[tuple[int, int, bytes]]:
        if self._known is None:
            self._known = {}
            for pid in islice(self._pids, MAX_OWNERS):
                for number, name in _descriptors(f"{self._proc}/{pid}/fd"):
                    self._known.setdefault(name, []).append((pid, f"{self._proc}/{pid}/fdinfo/{number}"))
        for pid, path in self._known.get(file, ()):
            try:
                info = read(path)
            except OSError:
                continue
            flags = info.partition(b"flags:")[2].split()[:1]
            yield pid, int(flags[0], 8) & os.O_ACCMODE if flags else os.O_RDONLY, info


def _descriptors(directory: str) -> Iterator[tuple[str, str]]:
    try:
        numbers = os.listdir(directory)[:MAX_DESCRIPTORS]  # noqa: PTH208 - only names
    except OSError:
        return
    for number in numbers:
        yield number, target(f"{directory}/{number}")


def target(link: str) -> str:
    """Return what a link of `/proc/PID/fd` leads to, empty where it can't be read."""
    try:
        return os.readlink(link)  # noqa: PTH115 - many of them
    except OSError:
        return ""


def read(path: str, size: int = 4096) -> bytes:
    """Return the first bytes of a small file; OSError where it can't be read."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)


def _memory(directory: str, address: int, size: int) -> bytes:
    descriptor = os.open(f"{directory}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(descriptor, size, address)
    finally:
        os.close(descriptor)
