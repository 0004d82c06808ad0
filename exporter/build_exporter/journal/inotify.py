"""Watch directories for changes with inotify(7)."""

from __future__ import annotations

import ctypes
import os
import struct

_MODIFY, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x2, 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF, _ONLYDIR = 0x400, 0x800, 0x01000000
_MASK = _MODIFY | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF | _ONLYDIR
_IGNORED, _OVERFLOW = 0x8000, 0x4000
_HEADER = struct.Struct("iIII")


class Watcher:
    """An inotify instance over directories. Without inotify, `descriptor` is -1 and nothing is ever reported."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor: int = self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        self._paths: dict[int, str] = {}
        self._watches: dict[str, int] = {}

    def __del__(self) -> None:
        # an instance that nobody closed would stay until the process ends, and a user has few
        self.close()

    def add(self, path: str) -> bool:
        """Watch a directory; False when it can't be watched (it is not there, or the limit of watches is reached)."""
        if self.descriptor < 0:
            return False
        watch: int = self._libc.inotify_add_watch(self.descriptor, os.fsencode(path), _MASK)
        if watch < 0:
            return False
        self._forget(self._paths.get(watch, ""))
        self._forget(path)
        self._paths[watch] = path
        self._watches[path] = watch
        return True

    def is_watched(self, path: str) -> bool:
        """Whether changes in a directory are reported."""
        return path in self._watches

    def read(self) -> set[str]:
        """Return the directories that changed since the last call; every watched one when the kernel lost count."""
        changed: set[str] = set()
        while True:
            try:
                data = os.read(self.descriptor, 65536)
            except OSError:
                return changed
            position = 0
            while position < len(data):
                watch, mask, _, length = _HEADER.unpack_from(data, position)
                position += _HEADER.size + length
                if mask & _OVERFLOW:
                    changed.update(self._watches)
                path = self._paths.get(watch)
                if path is not None:
                    changed.add(path)
                    if mask & _MOVE_SELF:
                        # what happens at its new place is nothing of ours
                        self._libc.inotify_rm_watch(self.descriptor, watch)
                    if mask & (_IGNORED | _MOVE_SELF):
                        self._forget(path)

    def close(self) -> None:
        """End watching."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _forget(self, path: str) -> None:
        watch = self._watches.pop(path, None)
        if watch is not None:
            self._paths.pop(watch, None)
