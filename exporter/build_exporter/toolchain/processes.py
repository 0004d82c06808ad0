"""Facts from a build's processes: variables that name its systems, -j, and their root directory.

Only the variables named here are read from an environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from build_exporter.toolchain.versions import TRIPLET

_READ: Final = frozenset(
    {
        b"LFS", b"LFS_TGT", b"CHOST", b"CBUILD", b"CTARGET", b"CROSS_COMPILE", b"CC",
        b"MAKEFLAGS", b"MAKEOPTS", b"NINJAJOBS",
        b"CCACHE_DIR", b"DISTCC_DIR", b"XDG_CACHE_HOME", b"HOME",
    }
)  # fmt: skip
"""Variables that are read; of the command line of a make the same, where they are set on it."""

_TARGETS: Final = ("CROSS_COMPILE", "LFS_TGT", "CTARGET", "CHOST")
"""Variables that name the target system, the most specific first."""

MAX_PROCESSES: Final = 64
"""Processes of one build that are asked: its oldest, which began it, and its newest, which do the work."""

FORGET_POLLS: Final = 12
"""Polls after which every process is asked again: it may have become another program, or its number another process."""

_ENVIRONMENT_BYTES: Final = 256 * 1024
_MAKES: Final = frozenset({"make", "gmake", "ninja", "samu", "cargo", "cmake"})
_CACHES: Final = frozenset({"ccache", "distcc"})
_JOBS: Final = re.compile(r"(?:\A-?|\s-)(?:[A-Za-z]{0,12}?j ?|-(?:jobs|parallel)[= ])(\d{1,5})(?=\s|\Z)")
_MAX_JOBS: Final = 65536


@dataclass(slots=True)
class ProcessFacts:
    """Facts from the processes of one build.

    Attributes:
        variables: those read, by name; where processes differ the one nearest the root of the tree counts.
        target: triplet of the system that is built for.
        jobs: the largest -j that a process has; None where none has one with a number.
        root: the root directory they live in, where that is not this process's own.
        is_contained: whether that is another mount namespace's, a container's as a rule, rather than a chroot here.
        helpers: which of ccache and distcc were seen at work.
        owner: the user's id of the first process.
    """

    variables: dict[str, str] = field(default_factory=dict)
    target: str | None = None
    jobs: int | None = None
    root: Path | None = None
    is_contained: bool = False
    helpers: set[str] = field(default_factory=set)
    owner: int | None = None

    def add(self, other: ProcessFacts) -> None:
        """Add the facts of a process further from the root of the tree."""
        for key, value in other.variables.items():
            self.variables.setdefault(key, value)
        self.jobs = max(self.jobs or 0, other.jobs or 0) or None
        self.owner = other.owner if self.owner is None else self.owner
        self.helpers |= other.helpers
        if other.root is not None:
            self.root, self.is_contained = other.root, other.is_contained


class Processes:
    """Reads process trees; one listing of the process table serves all builds.

    Attributes:
        asked: how many processes were asked for their facts since the last listing.
    """

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = proc
        self._children: dict[int, list[int]] = {}
        self._parents: dict[int, int] = {}
        self._asked: dict[int, ProcessFacts] = {}
        self._polls = 0
        self.asked = 0
        try:
            # only where all processes are seen are there the kernel's own
            self._sees_kernel = b"(kthreadd)" in _read(f"{proc}/2/stat")
        except OSError:
            self._sees_kernel = False

    def refresh(self) -> None:
        """Read again who descends from whom; what is known of a process already is read anew now and then only."""
        self._polls += 1
        self.asked = 0
        if self._polls % FORGET_POLLS == 0:
            self._parents.clear()
            self._asked.clear()
        listed = self._pids()
        self._parents = {pid: parent for pid in listed if (parent := self._known_parent(pid, listed)) is not None}
        self._asked = {pid: facts for pid, facts in self._asked.items() if pid in listed}
        self._children = {}
        for pid, parent in self._parents.items():
            self._children.setdefault(parent, []).append(pid)

    def facts_of(self, roots: Iterable[int], owner: int | None) -> ProcessFacts:
        """Return the facts of the process trees below some roots.

        Args:
            roots: pids of running steps, or of what runs them.
            owner: the user whose processes may be asked; None for any's.
        """
        facts = ProcessFacts()
        for pid in _some([*self._descent(roots)]):
            try:
                found = self._facts(pid, owner)
            except OSError:
                # it has ended, or is somebody else's
                continue
            if found is not None:
                facts.add(found)
        facts.target = _target(facts.variables) or facts.target
        return facts

    def _facts(self, pid: int, owner: int | None) -> ProcessFacts | None:
        """Return the facts of one process, None where it is another user's than `owner`."""
        found = self._asked.get(pid)
        if found is None:
            user = os.stat(f"{self._proc}/{pid}").st_uid  # noqa: PTH116 - some hundred times a poll
            if owner not in (None, user):
                return None
            found = self._asked[pid] = self._ask(f"{self._proc}/{pid}", user)
        return found if owner in (None, found.owner) else None

    def _ask(self, place: str, user: int) -> ProcessFacts:
        self.asked += 1
        arguments = _texts(_read(f"{place}/cmdline"))
        variables = dict(_chosen(_read(f"{place}/environ")))
        name = os.path.basename(arguments[0]) if arguments else ""  # noqa: PTH119 - the same
        if name in _MAKES:
            variables |= dict(_chosen("\0".join(arguments[1:]).encode()))
        jobs = max((_jobs(name, arguments), *(_jobs_of(variables.get(each)) for each in ("MAKEFLAGS", "MAKEOPTS"))))
        jobs = max(jobs, _number(variables.get("NINJAJOBS", "")))
        facts = ProcessFacts(variables, jobs=jobs or None, owner=user)
        self._find_helpers(place, variables, facts)
        self._find_root(place, facts)
        return facts

    def _find_helpers(self, place: str, variables: dict[str, str], facts: ProcessFacts) -> None:
        program = os.path.basename(os.readlink(f"{place}/exe"))  # noqa: PTH115, PTH119 - some hundred times a poll
        facts.helpers |= {program} & _CACHES
        facts.helpers |= {each for each in _CACHES if f"{each.upper()}_DIR" in variables}
        facts.helpers |= set(re.findall(r"[a-z]+", variables.get("CC", ""))) & _CACHES

    def _find_root(self, place: str, facts: ProcessFacts) -> None:
        own, theirs = os.stat(f"{self._proc}/self/root"), os.stat(f"{place}/root")  # noqa: PTH116 - the same
        if os.path.samestat(own, theirs):
            return
        path = os.readlink(f"{place}/root")  # noqa: PTH115 - the same
        try:
            # in another mount namespace the path leads somewhere else, here
            is_here = os.path.samestat(os.stat(path), theirs)  # noqa: PTH116 - the same
        except OSError:
            is_here = False
        facts.root = Path(path) if is_here else Path(f"{place}/root")
        facts.is_contained = not is_here

    def _descent(self, roots: Iterable[int]) -> Iterator[int]:
        waiting = [pid for pid in dict.fromkeys(roots) if pid > 0 and not self._is_kernel_thread(pid)]
        seen = set(waiting)
        for pid in waiting:
            yield pid
            fresh = [child for child in self._children.get(pid, ()) if child not in seen]
            seen.update(fresh)
            waiting += fresh

    def _is_kernel_thread(self, pid: int) -> bool:
        """Return whether a pid is init's or a thread's of the kernel: a step in a container reports its pid there."""
        return self._sees_kernel and (pid <= 2 or pid in self._children.get(0, ()) or pid in self._children.get(2, ()))

    def _pids(self) -> set[int]:
        try:
            return {int(name) for name in os.listdir(self._proc) if name.isdigit()}  # noqa: PTH208 - only names
        except OSError:
            return set()

    def _known_parent(self, pid: int, listed: set[int]) -> int | None:
        known = self._parents.get(pid)
        # whose parent has ended has another one
        return known if known in listed else self._parent(pid)

    def _parent(self, pid: int) -> int | None:
        try:
            # the second field may hold anything, parentheses and spaces included
            return int(_read(f"{self._proc}/{pid}/stat").rpartition(b")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            return None


def _some(pids: list[int]) -> list[int]:
    half = MAX_PROCESSES // 2
    return pids if len(pids) <= MAX_PROCESSES else pids[:half] + pids[-half:]


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        parts, size = [], 0
        while size < _ENVIRONMENT_BYTES and (part := os.read(descriptor, 65536)):
            parts.append(part)
            size += len(part)
    finally:
        os.close(descriptor)
    return b"".join(parts)


def _texts(data: bytes) -> list[str]:
    return [part.decode("utf-8", "replace") for part in data[: 64 * 1024].split(b"\0") if part]


def _chosen(data: bytes) -> Iterator[tuple[str, str]]:
    for part in data.split(b"\0"):
        name, equals, value = part.partition(b"=")
        if equals and name in _READ and value and len(value) <= 4096:
            yield name.decode(), value.decode("utf-8", "surrogateescape")


def _target(variables: dict[str, str]) -> str | None:
    """Return the triplet that the variables name, None where they name none."""
    for name in _TARGETS:
        triplet = os.path.basename(variables.get(name, "")).rstrip("-")  # noqa: PTH119 - not a path of ours
        if TRIPLET.match(triplet):
            return triplet
    compiler = re.search(r"([A-Za-z0-9_.-]+)-(?:gcc|cc|clang)\b", variables.get("CC", ""))
    return compiler[1] if compiler and TRIPLET.match(compiler[1]) else None


def _jobs(name: str, arguments: list[str]) -> int:
    return _jobs_of(" " + " ".join(arguments[1:])) if name in _MAKES else 0


def _jobs_of(text: str | None) -> int:
    """Return the number that the last -j in some flags has, 0 without one: later flags override earlier ones."""
    # what follows a lone -- in MAKEFLAGS are variables
    found = _JOBS.findall((text or "").partition(" -- ")[0])
    return _number(found[-1]) if found else 0


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= _MAX_JOBS else 0
