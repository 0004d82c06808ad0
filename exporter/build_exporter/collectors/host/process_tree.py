"""Usage of the running steps' process trees: CPU, memory, storage I/O, processes.

A tree is a step's root process and all that descends from it. CPU time and I/O are added up so that no process is
lost or counted twice when it ends:

* For each live process the kernel reports its own usage and that of children it has waited for. The tree's usage is the
  sum over the processes alive, for a child that ended and was waited for has moved into its parent's share.
* A process that ended when no ancestor of it in the tree was left to wait for it (the root itself; one whose parent
  ended first) keeps its last known share. What it used after it was last read is not seen.
* A process that has done nothing for some samples is read in every fourth one alone, and where a child of it ended.
  Where none of them did anything, only every second sample is due: what one does again is seen eight samples later at
  most. They are a second apart, or up to five where one takes long.
* Members stay members when their parent ends and they are given to another: they are known by pid and start time.
* Not seen at all is who left the tree between two samples (a daemon that forks twice), and a child whose parent
  ignores SIGCHLD: the kernel adds it to no one.
* A sample that reads a parent before, and its child after, the child's end finds too little: the counter is held.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from typing import Final

from build_exporter.collectors.host.cgroup import Cgroups
from build_exporter.collectors.host.files import read_if_present
from build_exporter.collectors.host.process import Process, ProcessReader
from build_exporter.collectors.host.process_totals import StepProcesses, Tree
from build_exporter.collectors.host.turnover import Turnover
from build_exporter.exposition import Family

Roots = Callable[[], Mapping[str, Collection[int]]]
"""Returns the root processes of each build's running steps: pids, or a mapping of pids to step starts, Unix time."""

LINGER_SECONDS: Final = 300.0
"""Seconds for which a build is shown after its last step, so that its final counters are scraped."""

_REUSE_TOLERANCE_SECONDS: Final = 60.0
"""A process that started later than this after its step is another one with the same pid; clocks get set meanwhile."""

_YOUNG_SECONDS: Final = 2.0
"""A process older than its step by more than this has a past that is not the step's: a shell that runs many steps."""

_KERNEL: Final = (0, 2)
"""Parents of init and of the kernel's threads."""

_QUIET_SAMPLES: Final = 10
_QUIET_INTERVAL: Final = 4
"""After so many samples without CPU time or I/O a process is read in every fourth sample."""

_FORGET_FOREIGN_SECONDS: Final = 30.0
"""After so long processes outside the trees are read again: their pids may have been reused."""


def _boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class ProcessTrees:
    """Use of the running steps' process trees, summed for each build.

    `roots` is called for each sample. A build without roots is shown for `LINGER_SECONDS` more; one whose roots can't
    be found, because they ended or live in another pid namespace, is not shown.
    """

    name = "process_tree"

    def __init__(
        self,
        roots: Roots,
        proc: str = "/proc",
        boottime: Callable[[], float] = _boottime,
        wall: Callable[[], float] = time.time,
        observe: Callable[[Mapping[str, Mapping[int, Tree]]], None] | None = None,
    ) -> None:
        """Watch the trees of `roots`; `observe` is called with each sample: trees by build and root process."""
        self._observe = observe
        self._roots = roots
        self._boottime = boottime
        self._wall = wall
        self._reader = ProcessReader(proc)
        self._turnover = Turnover(proc)
        self._cgroups = Cgroups(proc)
        # only where all processes are seen are there the kernel's own
        self._sees_kernel = b"(kthreadd)" in (read_if_present(f"{proc}/2/stat") or b"")
        self._step_processes: dict[str, StepProcesses] = {}
        self._known: dict[int, Process] = {}
        self._foreign: set[int] = set()
        self._foreign_since = 0.0
        self._samples = 0
        self._running: Mapping[str, Collection[int]] | None = None
        self._rests = False
        self._shown: list[Family] = []
        self._tick = 1 / os.sysconf("SC_CLK_TCK")
        self._page = os.sysconf("SC_PAGE_SIZE")

    def collect(self) -> Iterable[Family]:
        """Take a sample, unless everything is still, and return the families.

        Raises:
            OSError: the processes can't be listed or read.
        """
        running = self._roots()
        if self._may_rest(running):
            return self._shown
        self._running = None  # where this sample fails, no older one is shown in place of the next
        self._sample(running)
        if self._observe is not None:
            self._observe({build: processes.trees for build, processes in self._step_processes.items()})
        roots = {
            build: sorted(tree.root.pid for tree in processes.living())
            for build, processes in self._step_processes.items()
        }
        self._shown = [*self._families(), *self._cgroups.families(roots)]
        self._running = running
        return self._shown

    def _may_rest(self, running: Mapping[str, Collection[int]]) -> bool:
        """Return whether this sample is left out: where all processes have been still, every second one is."""
        is_still = running == self._running and all(each.quiet >= _QUIET_SAMPLES for each in self._known.values())
        self._rests = is_still and bool(self._known) and not self._rests
        return self._rests

    def close(self) -> None:
        """Give back all descriptors."""
        for process in self._known.values():
            self._reader.close(process)
        self._known.clear()
        self._step_processes.clear()

    def _sample(self, running: Mapping[str, Collection[int]]) -> None:
        now, added = self._boottime(), False
        for build in running:
            self._step_processes.setdefault(build, StepProcesses(now))
        for build, processes in list(self._step_processes.items()):
            processes.keep(running.get(build, ()), now)
            for root in list(self._new_roots(processes, running.get(build, ()))):
                added |= self._add_root(processes, root, now, running[build])
            if not processes.trees and now - processes.last_tree > LINGER_SECONDS:
                del self._step_processes[build]
        if added:
            self._foreign.clear()  # the descendants of the new roots may be among those passed over so far
        gone, new = self._refresh(now)
        # and among those that are in other trees
        children = by_parent([*self._known.values(), *new] if added else new)
        for processes in self._step_processes.values():
            processes.update(gone, children)
        self._discard_gone(new)

    def _new_roots(self, processes: StepProcesses, pids: Iterable[int]) -> Iterator[Process]:
        for pid in dict.fromkeys(pids):
            if not processes.holds(pid):
                process = self._known.get(pid) or self._reader.first(pid)
                if process is not None:
                    yield process

    def _add_root(self, processes: StepProcesses, root: Process, now: float, began: Collection[int]) -> bool:
        """Begin to watch a tree; False where the root can't be the step's."""
        step_age = self._wall() - began[root.pid] if isinstance(began, Mapping) else 0.0
        root_age = now - root.start * self._tick
        if isinstance(began, Mapping) and root_age < step_age - _REUSE_TOLERANCE_SECONDS:
            return False
        if self._sees_kernel and root.parent in _KERNEL:
            return False  # a step in a container reports its pid there, which is init's or a kernel thread's here
        self._known[root.pid] = root
        processes.add_root(Tree(root, has_past=root_age > step_age + _YOUNG_SECONDS))
        return True

    def _refresh(self, now: float) -> tuple[dict[int, Process], list[Process]]:
        """Read the processes known again; return those gone and those new."""
        self._samples += 1
        if now - self._foreign_since >= _FORGET_FOREIGN_SECONDS:
            self._foreign.clear()
            self._foreign_since = now
        # listed before any is read: what has ended by now is already in its parent's share
        listed = self._listed()
        gone = {pid: process for pid, process in self._known.items() if pid not in listed}
        heirs = {process.parent for process in gone.values()}
        read = [each for pid, each in self._known.items() if pid in listed and (self._is_due(each) or pid in heirs)]
        gone |= {process.pid: process for process in read if not self._reader.update(process)}
        for pid, process in gone.items():
            self._reader.close(process)
            del self._known[pid]
        self._foreign &= listed
        unknown = sorted(listed - self._known.keys() - self._foreign)
        return gone, [found for pid in unknown if (found := self._reader.first(pid)) is not None]

    def _listed(self) -> Set[int]:
        # those outside the trees are to be found anew where none is passed over
        if self._turnover.is_none() and self._foreign:
            return self._known.keys() | self._foreign
        return self._reader.pids()

    def _is_due(self, process: Process) -> bool:
        return process.quiet < _QUIET_SAMPLES or (self._samples + process.pid) % _QUIET_INTERVAL == 0

    def _discard_gone(self, new: list[Process]) -> None:
        """Keep the processes that are in a tree, parents first, and pass over the others from now on."""
        members = {pid: process for processes in self._step_processes.values() for pid, process in processes.members()}
        for process in [process for pid, process in self._known.items() if pid not in members]:
            self._reader.close(process)
        for process in new:
            if members.get(process.pid) is process:
                self._reader.add_io(process)
            else:
                self._foreign.add(process.pid)
        self._known = members
        for processes in self._step_processes.values():
            processes.measure()

    def _families(self) -> Iterator[Family]:
        cpu, count = Family("build_process_cpu_seconds_total"), Family("build_process_processes")
        memory, peak = Family("build_process_memory_bytes"), Family("build_process_peak_memory_bytes")
        read, written = Family("build_process_read_bytes_total"), Family("build_process_written_bytes_total")
        for build, processes in self._step_processes.items():
            if not processes.had_processes:
                continue
            cpu.add(round(processes.ticks * self._tick, 2), build)
            count.add(processes.processes, build)
            memory.add(processes.pages * self._page, build)
            peak.add(processes.peak_pages * self._page, build)
            if processes.reports_io:
                read.add(processes.read_bytes, build)
                written.add(processes.written_bytes, build)
        yield from (cpu, memory, peak, read, written, count)


def by_parent(processes: Iterable[Process]) -> dict[int, list[Process]]:
    """Return the processes by the pid of their parent."""
    children: dict[int, list[Process]] = {}
    for process in processes:
        children.setdefault(process.parent, []).append(process)
    return children
