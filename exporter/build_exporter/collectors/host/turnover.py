"""Whether processes came or went, by two figures of the kernel: a listing of /proc costs a hundred times as much."""

from __future__ import annotations

import os
from typing import Final

from build_exporter.collectors.host.files import read

_FIRST_NAMESPACE: Final = "pid:[4026531836]"
"""`PROC_PID_INIT_INO` of the kernel's include/linux/proc_ns.h."""


class Turnover:
    """Compares the pid given out last, which each fork moves, and the links of /proc, which count the processes.

    Only in the first pid namespace do both count the same processes: the links are those of the whole machine. In
    others, as in containers, and on kernels without `ns_last_pid` (CONFIG_CHECKPOINT_RESTORE) processes may always have
    come or gone.
    """

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = proc
        self._newest: tuple[bytes, int] | None = None
        self._before: tuple[bytes, int] | None = None
        try:
            self._is_first = os.readlink(f"{proc}/self/ns/pid") == _FIRST_NAMESPACE  # noqa: PTH115 - a string
        except OSError:
            self._is_first = False

    def is_none(self) -> bool:
        """Return whether no process came or went since the last two calls; to be called before a listing."""
        figures = self._figures() if self._is_first else None
        # twice: a process may be listed a moment after its pid was given out
        is_none = figures is not None and figures == self._newest == self._before
        self._before, self._newest = self._newest, figures
        return is_none

    def _figures(self) -> tuple[bytes, int] | None:
        try:
            return read(f"{self._proc}/sys/kernel/ns_last_pid"), os.stat(self._proc).st_nlink  # noqa: PTH116 - a string
        except OSError:
            return None
