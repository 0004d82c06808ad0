"""Space on the mounted file systems, by statvfs."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from build_exporter.collectors.host.files import ABSENT, read
from build_exporter.collectors.host.mounts import Mount, is_directory, parse_mounts
from build_exporter.exposition import Family

TIMEOUT_SECONDS: Final = 2.0
"""Seconds for all file systems together to answer."""

_PREFIX: Final = "build_host_filesystem_"
_FAMILIES: Final = ("size_bytes", "available_bytes", "free_bytes", "files", "files_free", "readonly", "error")

StartCall = Callable[[bytes], os.statvfs_result | None]


def start_call(path: bytes) -> os.statvfs_result | None:
    """Return statvfs of the file system mounted at `path`; None where that is a single file.

    Raises:
        OSError: the file system refuses.
    """
    return os.statvfs(path) if is_directory(path) else None


class StatvfsCall(threading.Thread):
    """One file system being asked, in a thread of its own: over a dead network mount the kernel waits for ever."""

    def __init__(self, mount: Mount, statvfs: StartCall) -> None:
        # a daemon: what hangs in the kernel must not keep the exporter from ending
        super().__init__(name=f"statvfs {mount.labels[0]}", daemon=True)
        self.mount = mount
        self.answer: os.statvfs_result | None = None
        self.error: OSError | None = None
        self._statvfs = statvfs

    def run(self) -> None:
        """Ask and keep the answer or the error."""
        try:
            self.answer = self._statvfs(self.mount.path)
        except OSError as error:
            self.error = error


class Filesystem:
    """Size and free space of each real file system; one that hangs is marked and costs the others nothing."""

    name = "filesystem"

    def __init__(self, proc: str = "/proc", statvfs: StartCall = start_call, timeout: float = TIMEOUT_SECONDS) -> None:
        self._path = f"{proc}/self/mountinfo"
        self._statvfs = statvfs
        self._timeout = timeout
        self._hanging: dict[bytes, StatvfsCall] = {}

    def collect(self) -> Iterator[Family]:
        """Return the families.

        Raises:
            OSError: the list of mounts can't be read.
        """
        families = {name: Family(_PREFIX + name) for name in _FAMILIES}
        for call in self._asked(parse_mounts(read(self._path))):
            add_mount(families, call)
        yield from families.values()

    def _asked(self, mounts: list[Mount]) -> list[StatvfsCall]:
        """Return a question for each mount, answered unless it hangs; one that hangs is not asked again."""
        deadline = time.monotonic() + self._timeout
        questions = []
        for mount in mounts:
            call = self._hanging.get(mount.path)
            if call is None or not call.is_alive():
                call = StatvfsCall(mount, self._statvfs)
                call.start()
            questions.append(call)
        for call in questions:
            if call.mount.path not in self._hanging:
                call.join(max(0.0, deadline - time.monotonic()))
        self._hanging = {call.mount.path: call for call in questions if call.is_alive()}
        return questions


def add_mount(families: dict[str, Family], call: StatvfsCall) -> None:
    """Add one file system's samples; nothing where it is gone again, has no size, or is a single file."""
    labels = call.mount.labels
    # read once: the thread may finish meanwhile
    hangs, error, answer = call.is_alive(), call.error, call.answer
    if hangs or (error is not None and error.errno not in ABSENT):
        families["error"].add(1, *labels)
    elif answer is not None and answer.f_blocks:
        families["error"].add(0, *labels)
        families["size_bytes"].add(answer.f_blocks * answer.f_frsize, *labels)
        families["available_bytes"].add(answer.f_bavail * answer.f_frsize, *labels)
        families["free_bytes"].add(answer.f_bfree * answer.f_frsize, *labels)
        families["readonly"].add(int(bool(answer.f_flag & os.ST_RDONLY)), *labels)
        if answer.f_files:
            families["files"].add(answer.f_files, *labels)
            families["files_free"].add(answer.f_ffree, *labels)
