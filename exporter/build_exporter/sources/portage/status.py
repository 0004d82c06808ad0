"""Status that a running emerge publishes (Portage 3.0.82, FEATURES="observability"; "cgroup" adds resources).

Files `emerge-<pid>.json`, replaced at each change and every two seconds, and sockets `emerge-<pid>.sock` that send
the newest snapshot to whoever connects. A file outlives an emerge that was killed.
"""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import Any, Final

import msgspec
import psutil

from build_exporter.sources.files import Directory, open_regular

MAX_BYTES: Final = 4 * 1024 * 1024
SOCKET_SECONDS: Final = 0.25
MAX_EMERGES: Final = 32

_NAME: Final = re.compile(r"emerge-(\d{1,10})\.(json|sock)\Z")


class Jobs(msgspec.Struct):
    """Most packages an emerge builds at once."""

    max: int | float | bool | None = None


class Resources(msgspec.Struct):
    """Resources a package's processes have used so far: microseconds, bytes."""

    cpu_usec: float | None = None
    mem_peak: float | None = None
    io_read_bytes: float | None = None
    io_write_bytes: float | None = None


class Task(msgspec.Struct):
    """A package being built or merged now."""

    cpv: str
    binary: bool | None = None
    root: str | None = None
    resources: Resources | None = None


class Snapshot(msgspec.Struct):
    """One emerge as it is now."""

    type: str
    emerge_pid: int
    tasks: list[Task]
    timestamp: float | None = None
    jobs: Jobs | None = None


_decoder = msgspec.json.Decoder(Snapshot)


class StatusDirectory:
    """The newest snapshots of the emerges that are alive.

    Attributes:
        snapshots: as of the last poll.
    """

    def __init__(self, path: Path | None) -> None:
        self.snapshots: list[Snapshot] = []
        self._directory = Directory(path) if path is not None else None

    def poll(self) -> None:
        """Read the snapshots; those of emerges that are gone, and whatever is no snapshot, are left out."""
        self.snapshots = []
        if self._directory is None:
            return
        try:
            self._directory.poll()
        except OSError:
            return
        for pid, kinds in sorted(_by_pid(self._directory.names).items())[:MAX_EMERGES]:
            if not _is_alive(pid):
                continue
            name = str(self._directory.path / f"emerge-{pid}")
            data = _of_file(Path(name + ".json")) if "json" in kinds else b""
            snapshot = read_snapshot(data or (_of_socket(name + ".sock") if "sock" in kinds else b""), pid)
            if snapshot is not None and not _is_of_another(snapshot):
                self.snapshots.append(snapshot)

    def task(self, package: str) -> tuple[Snapshot, Task] | None:
        """Return a package's task and the emerge it is of; None where none runs."""
        return next(((s, task) for s in self.snapshots for task in s.tasks if task.cpv == package), None)


def read_snapshot(data: bytes, pid: int) -> Snapshot | None:
    """Return the snapshot that `data` is, None where it is none, or another process's."""
    try:
        snapshot = _decoder.decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
        return None
    return snapshot if snapshot.type == "snapshot" and snapshot.emerge_pid == pid else None


def figures(task: Task) -> dict[str, Any]:
    """Return what a package has used, as fields of its end."""
    used = task.resources
    if used is None:
        return {}
    found = {
        "cpu_seconds": _amount(used.cpu_usec, 1e-6),
        "max_rss_bytes": _count(used.mem_peak),
        "read_bytes": _count(used.io_read_bytes),
        "written_bytes": _count(used.io_write_bytes),
    }
    return {name: value for name, value in found.items() if value is not None}


def _amount(value: float | None, scale: float) -> float | None:
    return round(value * scale, 6) if value is not None and 0 <= value < 1e18 else None


def _count(value: float | None) -> int | None:
    return int(value) if value is not None and 0 <= value < 1e18 else None


def _by_pid(names: frozenset[str]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for name in names:
        if (parts := _NAME.match(name)) is not None:
            found.setdefault(int(parts[1]), set()).add(parts[2])
    return found


def _is_of_another(snapshot: Snapshot) -> bool:
    """Return whether the process began after the snapshot: it has the number of the emerge that left the file."""
    try:
        return snapshot.timestamp is not None and psutil.Process(snapshot.emerge_pid).create_time() > snapshot.timestamp
    except (psutil.Error, OSError, OverflowError):
        return True


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _of_file(path: Path) -> bytes:
    try:
        descriptor = open_regular(path, follow_links=False)
    except OSError:
        return b""
    try:
        return os.pread(descriptor, MAX_BYTES, 0)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _of_socket(path: str) -> bytes:
    data = b""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(SOCKET_SECONDS)
            connection.connect(path)
            while b"\n" not in data and len(data) < MAX_BYTES and (more := connection.recv(65536)):
                data += more
    except OSError:
        return b""
    return data.partition(b"\n")[0]
