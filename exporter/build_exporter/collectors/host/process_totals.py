"""Totals of process trees: which processes belong to a step, and the usage of those that ended."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from build_exporter.collectors.host.process import Amounts, Process, total_of

_MAX_LEFT = 64


class Tree:
    """A step's root process and its descendants; `has_past`: the root ran long before the step."""

    def __init__(self, root: Process, *, has_past: bool = False) -> None:
        self.root = root
        self.members: dict[int, Process] = {root.pid: root}
        self.has_past = has_past
        self.before: Amounts | None = None
        self._lost = Amounts()

    def grow(self, children: Mapping[int, list[Process]]) -> None:
        """Take in those of the processes, given by their parent, that descend from a member; parents come first."""
        waiting = [child for parent, found in children.items() if parent in self.members for child in found]
        for process in waiting:
            if process.pid not in self.members:
                self.members[process.pid] = process
                waiting.extend(children.get(process.pid, ()))

    def release(self, gone: Mapping[int, Process]) -> None:
        """Let go of the processes that ended; keep the share of those that no member was left to wait for."""
        ended = {pid: process for pid, process in gone.items() if self.members.get(pid) is process}
        for pid in ended:
            del self.members[pid]
        for process in ended.values():
            parent, seen = process.parent, {process.pid}
            while parent in ended and parent not in seen:
                seen.add(parent)
                parent = ended[parent].parent
            if parent not in self.members:
                self._lost.add(process)

    def settle(self) -> None:
        """Fix, after the first sample, what is the root's past and not the step's."""
        if self.before is None:
            self.before = self.alive() if self.has_past else Amounts()

    def alive(self) -> Amounts:
        """Return the share of the members alive, their past included."""
        return total_of(self.members.values())

    def used(self) -> Amounts:
        """Return what the step used so far."""
        amounts = self.alive()
        amounts.add(self._lost)
        return amounts.minus(self.before or Amounts())


class StepProcesses:
    """The trees of one build, and the sum of what they and those before them used; counters never go back."""

    def __init__(self, now: float) -> None:
        self.trees: dict[int, Tree] = {}
        self.last_tree = now
        self.had_processes = False
        self.reports_io = False
        self.ticks = self.read_bytes = self.written_bytes = 0
        self.pages = self.peak_pages = self.processes = 0
        self._finished = Amounts()
        self._left: dict[tuple[int, int], Amounts] = {}

    def holds(self, pid: int) -> bool:
        """Return whether a process is in one of the trees, or was the root of one still watched."""
        return pid in self.trees or any(pid in tree.members for tree in self.trees.values())

    def living(self) -> list[Tree]:
        """Return the trees whose root process is alive."""
        return [tree for tree in self.trees.values() if tree.root.pid in tree.members]

    def members(self) -> Iterator[tuple[int, Process]]:
        """Return pid and process of all members, parents first."""
        for tree in self.trees.values():
            yield from tree.members.items()

    def keep(self, pids: Collection[int], now: float) -> None:
        """Close the accounts of the trees whose root is not among `pids`: their steps ended."""
        for pid in [pid for pid in self.trees if pid not in pids]:
            self._finish(self.trees.pop(pid))
        if self.trees:
            self.last_tree = now

    def add_root(self, tree: Tree) -> None:
        """Begin to watch a tree."""
        if not self.trees:
            self.peak_pages = 0
        left = self._left.pop((tree.root.pid, tree.root.start), None)
        if left is not None:
            tree.before = left
        self.trees[tree.root.pid] = tree
        self.had_processes = True

    def update(self, gone: Mapping[int, Process], children: Mapping[int, list[Process]]) -> None:
        """Take a sample's ended and new processes in; a tree that is found within another becomes part of it."""
        for tree in self.trees.values():
            tree.release(gone)
            tree.grow(children)
        for pid, inner in list(self.trees.items()):
            for outer in self.trees.values():
                if outer is not inner and outer.members.get(pid) is inner.root:
                    self._absorb(outer, self.trees.pop(pid))
                    break

    def measure(self) -> None:
        """Add up the newest sample."""
        amounts = total_of([self._finished])
        members = dict(self.members())
        for tree in self.trees.values():
            tree.settle()
            amounts.add(tree.used())
        self.ticks = max(self.ticks, amounts.ticks)
        self.read_bytes = max(self.read_bytes, amounts.read_bytes)
        self.written_bytes = max(self.written_bytes, amounts.written_bytes)
        self.reports_io = self.reports_io or any(process.reports_io for process in members.values())
        self.processes = len(members)
        self.pages = sum(process.pages for process in members.values())
        self.peak_pages = max(self.peak_pages, self.pages)

    def _finish(self, tree: Tree) -> None:
        self._finished.add(tree.used())
        # a shell that runs step after step comes back as a root, with all this in its share
        self._left[tree.root.pid, tree.root.start] = tree.alive()
        while len(self._left) > _MAX_LEFT:
            del self._left[next(iter(self._left))]

    def _absorb(self, outer: Tree, inner: Tree) -> None:
        if inner.before is None:
            return  # as new as the other: it has not been counted yet
        used = inner.used()
        self._finished.add(used)
        if outer.before is not None or not outer.has_past:
            outer.before = total_of([outer.before or Amounts(), used])
