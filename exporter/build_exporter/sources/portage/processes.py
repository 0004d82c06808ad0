"""Find out whether an emerge lives, by its locks on the packages it builds and by the process table.

Portage locks a package's build directory before it says `Cleaning`, and takes the lock's file away before it lets go:
a file that no one locks is that of an emerge which died. Locks are seen from outside a container or chroot too.
"""

from __future__ import annotations

import fcntl
import os
import struct
from enum import Enum, auto
from pathlib import Path
from typing import Final, NamedTuple

import psutil

from build_exporter.sources.files import open_regular
from build_exporter.sources.make_process import INITIAL_PID_NAMESPACE

MAX_LOCKS_BYTES: Final = 1024 * 1024


REMOTE: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "ceph", "afs", "lustre", "glusterfs"})
"""Kinds of file systems on which another machine, or a guest, may be at work."""

PROGRAM_WORDS: Final = 8
"""Words of a command line in which emerge is searched: later ones are its arguments."""

_LOCK: Final = struct.Struct("@hhqqi")


class Hold(Enum):
    """State of a package's lock."""

    HELD = auto()
    LEFT = auto()
    """Its file is there, but no one holds it: who did has died."""
    NONE = auto()
    UNKNOWN = auto()


class Lock(NamedTuple):
    """A package's lock, and the process that holds it; 0 where that is in no namespace seen from here."""

    hold: Hold
    pid: int = 0


class Emerge(NamedTuple):
    """A process that is an emerge, or runs one: under sudo, or another machine's Python under an emulator.

    Attributes:
        pid: the process.
        began: Unix seconds of its start.
        is_certain: it is emerge itself.
    """

    pid: int
    began: float
    is_certain: bool


def lock_of(temporary: Path, package: str) -> Lock:
    """Return the lock on the directory in which a package is built; nothing is locked, or waited for, to find out."""
    category, _, name = package.partition("/")
    path = temporary / "portage" / category / f".{name}.portage_lockfile"
    try:
        descriptor = open_regular(path, follow_links=False)
    except (FileNotFoundError, NotADirectoryError):
        return Lock(Hold.NONE)
    except OSError:
        return _lock_by_name(path)
    try:
        asked = _LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = _LOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
        if kind != fcntl.F_UNLCK:
            return Lock(Hold.HELD, max(0, pid))
        # where Portage finds record locks broken it takes the other sort
        holder = _holder(os.fstat(descriptor).st_ino)
        return Lock(Hold.LEFT) if holder is None else Lock(Hold.HELD, holder)
    except OSError:
        return Lock(Hold.UNKNOWN)
    finally:
        os.close(descriptor)


def _lock_by_name(path: Path) -> Lock:
    try:
        holder = _holder(path.stat(follow_symlinks=False).st_ino)
    except FileNotFoundError:
        return Lock(Hold.NONE)
    except OSError:
        return Lock(Hold.UNKNOWN)
    return Lock(Hold.UNKNOWN) if holder is None else Lock(Hold.HELD, holder)


def _holder(inode: int) -> int | None:
    """Return the process with a lock on an inode, by the kernel's list; None where it lists none."""
    try:
        with Path("/proc/locks").open("rb") as file:
            lines = file.read(MAX_LOCKS_BYTES).decode("ascii", "replace").splitlines()
    except OSError:
        return None
    for line in lines:
        fields = line.split()
        if len(fields) >= 6 and fields[1] != "->" and fields[5].rpartition(":")[2] == str(inode):
            return max(0, int(fields[4])) if fields[4].lstrip("-").isdigit() else 0
    return None


def running_emerges() -> list[Emerge]:
    """Return the emerges among the processes, less those that an emerge has forked to merge a package."""
    found: dict[int, tuple[int, Emerge]] = {}
    for process in psutil.process_iter(["cmdline", "ppid", "create_time"]):
        command = process.info["cmdline"] or []
        if "emerge" in _names(command):
            each = Emerge(process.pid, process.info["create_time"] or 0.0, is_emerge(command))
            found[process.pid] = (process.info["ppid"] or 0, each)
    certain = {pid for pid, (_, each) in found.items() if each.is_certain}
    return [each for parent, each in found.values() if not (each.is_certain and parent in certain)]


def is_emerge(command: list[str]) -> bool:
    """Return whether a command line is emerge's: Python, its flags, and the program; or the program itself."""
    names = _names(command)
    if names and names[0].startswith(("python", "pypy")):
        return next((name for name in names[1:] if not name.startswith("-")), "") == "emerge"
    return names[:1] == ["emerge"]


def _names(command: list[str]) -> list[str]:
    return [word.rpartition("/")[2] for word in command[:PROGRAM_WORDS]]


def sees_all_processes() -> bool:
    """Return whether every process of this machine is seen from here: no container, and nothing hidden in /proc."""
    try:
        return os.readlink("/proc/self/ns/pid") == INITIAL_PID_NAMESPACE and bool(Path("/proc/1/cmdline").read_bytes())  # noqa: PTH115
    except OSError:
        return False


def is_local(path: Path) -> bool:
    """Return whether whoever writes to a path does so on this machine."""
    try:
        device = path.stat().st_dev
        wanted = f"{os.major(device)}:{os.minor(device)}"
        with Path("/proc/self/mountinfo").open(encoding="utf-8", errors="replace") as file:
            mounts = [line.split() for line in file]
    except OSError:
        return False
    kinds = [fields[fields.index("-") + 1] for fields in mounts if fields[2] == wanted and "-" in fields[3:]]
    return not any(kind in REMOTE or kind.startswith("fuse") for kind in kinds)
