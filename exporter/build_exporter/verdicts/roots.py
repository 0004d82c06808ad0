"""Find the root process of a running step: the recorded one, else one found by group, command line or open log.

Finding takes a look through `/proc` each `SCAN_SECONDS`, less often after looks in vain, and none where the process of
every running step is known.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from build_exporter.journal.layout import pid_namespace
from build_exporter.tracker import Key, Run, Step

SCAN_SECONDS: Final = 5.0
LONGEST_SCAN_SECONDS: Final = 40.0
MAX_COMMAND: Final = 4096
"""Bytes of a command line that a pattern is tried on."""


_Name = tuple[str, Key, int]


class Match(NamedTuple):
    """How the process of a build's steps is known where they record none: by a command line or a control group."""

    build: str
    command: str | None
    cgroup: str | None


class _Process(NamedTuple):
    pid: int
    parent: int
    group: int
    start: int


class StepRoots:
    """Returns the root processes of running steps, by build; may be called from one thread at a time."""

    def __init__(
        self,
        runs: Callable[[], Iterable[Run]],
        proc: str = "/proc",
        groups: str = "/sys/fs/cgroup",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runs = runs
        self._proc, self._groups = proc, groups
        self._clock = clock
        self._here = pid_namespace()
        self.matches: tuple[Match, ...] = ()
        self._found: dict[_Name, int] = {}
        self._next_scan, self._interval = 0.0, SCAN_SECONDS

    def __call__(self) -> dict[str, dict[int, float]]:
        """Return, for each build, the pids of its running steps with the steps' start in Unix seconds."""
        running = [(run, step) for run in self._runs() if run.status is None for step in list(run.running.values())]
        names = {_name(run, step) for run, step in running}
        self._found = {name: pid for name, pid in self._found.items() if name in names and self._is_there(pid)}
        lost = [(run, step) for run, step in running if self.pid_of(run, step) is None]
        if lost and self._clock() >= self._next_scan:
            new = self._scan(lost)
            self._found |= new
            self._interval = SCAN_SECONDS if new else min(2 * self._interval, LONGEST_SCAN_SECONDS)
            self._next_scan = self._clock() + self._interval
        roots: dict[str, dict[int, float]] = {}
        for run, step in running:
            if (pid := self.pid_of(run, step)) is not None:
                roots.setdefault(run.build, {})[pid] = step.start or 0.0
        return roots

    def pid_of(self, run: Run, step: Step) -> int | None:
        """Return the root process of a running step, None where it is not known.

        A pid of another namespace is one of another process here.
        """
        recorded = step.pid if step.pid_namespace in (None, self._here) else None
        return recorded or self._found.get(_name(run, step))

    def _is_there(self, pid: int) -> bool:
        return os.path.exists(f"{self._proc}/{pid}")  # noqa: PTH110 - each second

    def _scan(self, lost: Iterable[tuple[Run, Step]]) -> dict[_Name, int]:
        processes = self._processes()
        found: dict[_Name, int] = {}
        for run, step in lost:
            pid = next(
                filter(None, (self._matching(each, processes) for each in self.matches if each.build == run.build)), 0
            )
            if not pid and step.log and not step.shares_log:
                pid = self._holding(step.log, processes)
            if pid:
                found[_name(run, step)] = pid
        return found

    def _processes(self) -> dict[int, _Process]:
        found: dict[int, _Process] = {}
        for name in os.listdir(self._proc):  # noqa: PTH208 - only names
            if name.isdigit() and int(name) != os.getpid():
                fields = _read(f"{self._proc}/{name}/stat").rpartition(b")")[2].split()
                if len(fields) > 19:
                    found[int(name)] = _Process(int(name), int(fields[1]), int(fields[2]), int(fields[19]))
        return found

    def _matching(self, match: Match, processes: Mapping[int, _Process]) -> int:
        """Return the oldest process of a control group, or with a command line that a pattern finds; 0 without one."""
        if match.cgroup is not None:
            pids = _read(f"{Path(self._groups, match.cgroup.lstrip('/'))}/cgroup.procs").split()
            return _oldest(processes[int(pid)] for pid in pids if int(pid) in processes)
        pattern = re.compile(match.command or "")
        return _oldest(process for pid, process in processes.items() if pattern.search(self._command(pid)))

    def _command(self, pid: int) -> str:
        words = _read(f"{self._proc}/{pid}/cmdline")[:MAX_COMMAND]
        return words.replace(b"\0", b" ").decode("utf-8", "replace").rstrip() or "\n"

    def _holding(self, log: str, processes: Mapping[int, _Process]) -> int:
        """Return the oldest process that has a log open for writing; of a pipe's end, as of `tee`, its whole job's."""
        try:
            wanted = os.stat(log)  # noqa: PTH116 - as below
        except OSError:
            return 0
        identity = (wanted.st_dev, wanted.st_ino)
        pid = _oldest(process for process in processes.values() if self._writes(process.pid, identity))
        if not pid:
            return 0
        has_children = any(process.parent == pid for process in processes.values())
        leader = processes[pid].group
        return pid if has_children or leader not in processes else leader

    def _writes(self, pid: int, identity: tuple[int, int]) -> bool:
        try:
            with os.scandir(f"{self._proc}/{pid}/fd") as entries:
                for entry in entries:
                    found = entry.stat()
                    if (found.st_dev, found.st_ino) == identity:
                        flags = _read(f"{self._proc}/{pid}/fdinfo/{entry.name}").partition(b"flags:")[2].split()[:1]
                        return bool(flags) and int(flags[0], 8) & os.O_ACCMODE != os.O_RDONLY
        except OSError:
            # another user's, or ended meanwhile
            pass
        return False


def _name(run: Run, step: Step) -> _Name:
    return (run.build, step.key, step.attempts)


def _oldest(processes: Iterable[_Process]) -> int:
    return min(processes, key=lambda process: (process.start, process.pid), default=_Process(0, 0, 0, 0)).pid


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - hundreds each few seconds
            return file.read()
    except OSError:
        return b""
