"""Verdicts of all running steps, kept up to date from the samples of their process trees."""

from __future__ import annotations

import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from build_exporter.journal.layout import pid_namespace
from build_exporter.model.states import StepState, Verdict
from build_exporter.tracker import Key, Run, Step
from build_exporter.verdicts.activity import ProcessView, activity, asked_for, is_driver
from build_exporter.verdicts.blocked import Waits, waits_of
from build_exporter.verdicts.judge import IDLE_CPU, LEAST_SILENCE_SECONDS, Judgement, Observation, judge
from build_exporter.verdicts.limits import Limits

JUDGE_SECONDS: Final = 3.5
"""Every fourth sample is judged: what a person sees need not be newer."""
STILL_SECONDS: Final = 20.0
STILL_JUDGE_SECONDS: Final = 10.0
"""A step that has done nothing for that long, its log and its processes' states as before, is judged so seldom."""
WINDOW_SECONDS: Final = 8.0
"""CPU time is averaged over so long: a compiler's runs are shorter than a sample."""

ASK_SECONDS: Final = 4.0
"""After so long without CPU time it is found out what the processes wait for."""

MAX_STEPS: Final = 64
"""Running steps that are judged at a time."""

MAX_ARGUMENTS: Final = 32
"""Command lines read for one step in one sample."""

NOT_SEEN: Final = "no process of the step is seen"
NOT_KNOWN = Judgement(Verdict.UNKNOWN, ("which process is the step's is not known",))
ELSEWHERE = Judgement(Verdict.UNKNOWN, ("its process is of another pid namespace or boot",))

Name = tuple[str, Key]


class Amounts(Protocol):
    """Resources a tree used so far."""

    ticks: int
    read_bytes: int
    written_bytes: int


class SampledProcess(ProcessView, Protocol):
    """A process of a sample; `state` is the kernel's letter, `faults` pages read from storage."""

    state: str
    faults: int


class SampledTree(Protocol):
    """A root process and its descendants, by pid."""

    @property
    def root(self) -> SampledProcess:
        """The root."""

    @property
    def members(self) -> Mapping[int, SampledProcess]:
        """All of them."""

    def used(self) -> Amounts:
        """Return what they used so far."""


@dataclass(slots=True)
class _Sample:
    time: float
    ticks: int
    io_bytes: int
    faults: int


@dataclass(slots=True)
class _Watch:
    """One running step's samples of the last seconds."""

    limits: Limits
    began: float
    quiet_since: float
    judged: float = 0.0
    found: object = None
    samples: deque[_Sample] = field(default_factory=deque)
    used: dict[int, int] = field(default_factory=dict)
    asked: dict[int, Verdict | None] = field(default_factory=dict)
    again: set[int] = field(default_factory=set)
    waits: Waits = field(default_factory=Waits)
    longest_silence: float = 0.0


class Verdicts:
    """Judges running steps from every fourth sample; `judgement` may be called from any thread.

    `clock` must stand still while the machine is suspended: a step isn't silent then.
    """

    def __init__(
        self,
        runs: Callable[[], Iterable[Run]],
        pid_of: Callable[[Run, Step], int | None] = lambda _run, step: step.pid,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        proc: str = "/proc",
    ) -> None:
        self._runs = runs
        self._pid_of = pid_of
        self._here = pid_namespace()
        self._wall = wall
        self._clock = clock
        self._proc = proc
        self._tick = 1 / os.sysconf("SC_CLK_TCK")
        self._watched: dict[Name, _Watch] = {}
        self._judgements: dict[Name, Judgement] = {}
        why = ": /proc hides those of other users (hidepid)" if hides_processes(proc) else ""
        self._not_seen = Judgement(Verdict.UNKNOWN, (f"{NOT_SEEN}{why}",))

    def judgement(self, run: Run, step: Step) -> Judgement | None:
        """Return what a running step is doing; None for one that does not run."""
        if step.state is not StepState.RUNNING:
            return None
        found = self._judgements.get((run.build, step.key))
        if found is None and step.pid_namespace not in (None, self._here):
            return ELSEWHERE
        return found or (self._not_seen if self._pid_of(run, step) is not None else NOT_KNOWN)

    def observe(self, trees: Mapping[str, Mapping[int, SampledTree]]) -> None:
        """Take a sample of each build's trees, by the pids of their roots, and judge the steps they belong to."""
        now = self._clock()
        judgements: dict[Name, Judgement] = {}
        for run in self._runs():
            for step in list(run.running.values()):
                tree = trees.get(run.build, {}).get(self._pid_of(run, step) or 0)
                if tree is not None and tree.members and len(judgements) < MAX_STEPS:
                    name = (run.build, step.key)
                    judgements[name] = self._observe(name, step, tree, now)
        for gone in self._watched.keys() - judgements.keys():
            del self._watched[gone]
        self._judgements = judgements

    def _observe(self, name: Name, step: Step, tree: SampledTree, now: float) -> Judgement:
        watch = self._watched.get(name)
        if watch is None:
            watch = self._watched[name] = _Watch(Limits(tree.root.pid, self._proc), now, now)
        self._add(watch, tree, now)
        known = self._judgements.get(name)
        log = _stat(step.log)
        found = ({pid: each.state for pid, each in tree.members.items()}, log and (log.st_size, log.st_mtime_ns))
        is_still = now - watch.quiet_since >= STILL_SECONDS and found == watch.found
        if known is not None and now - watch.judged < (STILL_JUDGE_SECONDS if is_still else JUDGE_SECONDS):
            return known
        judgement = judge(self._observation(watch, step, tree, now))
        watch.judged, watch.found = now, found
        watch.used = {pid: process.ticks for pid, process in tree.members.items()}
        return judgement

    def _add(self, watch: _Watch, tree: SampledTree, now: float) -> None:
        used = tree.used()
        faults = sum(process.faults for process in tree.members.values())
        sample = _Sample(now, used.ticks, used.read_bytes + used.written_bytes, faults)
        if watch.samples:
            last = watch.samples[-1]
            spent = (sample.ticks - last.ticks) * self._tick
            if spent > IDLE_CPU * (now - last.time) or sample.io_bytes > last.io_bytes:
                watch.quiet_since = now
        watch.samples.append(sample)
        while len(watch.samples) > 2 and now - watch.samples[1].time >= WINDOW_SECONDS:
            watch.samples.popleft()

    def _observation(self, watch: _Watch, step: Step, tree: SampledTree, now: float) -> Observation:
        first, last = watch.samples[0], watch.samples[-1]
        seconds = last.time - first.time
        quiet = now - watch.quiet_since
        silence = self._log_silence(step)
        if silence is not None and quiet < silence and watch.quiet_since > watch.began:
            # its log was silent for so long when it last did something: that is how long it may be
            watch.longest_silence = max(watch.longest_silence, silence - quiet)
        # those that ended, and that their parent has not asked for, do nothing more
        living = {pid: process for pid, process in tree.members.items() if process.state not in "ZX"}
        watch.waits = waits_of(living, self._proc) if quiet >= ASK_SECONDS else Waits()
        kind, program = self._activity(watch, living)
        return Observation(
            seconds=seconds,
            cpu=(last.ticks - first.ticks) * self._tick / seconds if seconds else 0.0,
            io_bytes=last.io_bytes - first.io_bytes,
            processes=len(living),
            stopped=sum(process.state in "Tt" for process in living.values()),
            held_by=_stopped_leaf(living),
            is_frozen=quiet > 0 and watch.limits.is_frozen(),
            quiet_seconds=quiet,
            log_silence=silence,
            longest_silence=watch.longest_silence,
            reading=watch.waits.reading,
            waits=watch.waits.words,
            is_closed=watch.waits.is_closed,
            memory_pressure=watch.limits.memory_pressure(),
            faults=max(0, last.faults - first.faults) / seconds if seconds else 0.0,
            throttled=watch.limits.throttled(now - watch.judged),
            activity=kind,
            program=program,
            is_torn=quiet >= LEAST_SILENCE_SECONDS and not watch.waits.words and _is_torn(step.log),
            hidden=f"{watch.waits.hiding} waits for a process that is not seen" if watch.waits.hiding else "",
        )

    def _activity(self, watch: _Watch, members: Mapping[int, SampledProcess]) -> tuple[Verdict | None, str]:
        watch.asked = {pid: kind for pid, kind in watch.asked.items() if pid in members}
        known = watch.asked.keys() - watch.again
        new = [process for pid, process in members.items() if pid not in known and is_driver(process.name)]
        asked_twice, watch.again = watch.again, set()
        for process in new[:MAX_ARGUMENTS]:
            kind = asked_for(process.name, _arguments(f"{self._proc}/{process.pid}/cmdline"))
            watch.asked[process.pid] = kind
            if kind is None and process.pid not in asked_twice:
                # `sh -c` becomes the program it starts: one that is still there is asked once more
                watch.again.add(process.pid)
        used = {pid: process.ticks - watch.used.get(pid, 0) for pid, process in members.items() if pid in watch.used}
        return activity(members, used, watch.asked)

    def _log_silence(self, step: Step) -> float | None:
        found = _stat(step.log)
        return max(0.0, self._wall() - found.st_mtime) if found is not None else None


def hides_processes(proc: str) -> bool:
    """Return whether a mounted /proc hides the processes of other users from users without rights."""
    try:
        with open("/proc/self/mounts", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - a string
            mounts = [line.split() for line in file]
    except OSError:
        return False
    options = [each[3].split(",") for each in mounts if len(each) > 3 and each[1] == proc]
    found = [option for each in options[-1:] for option in each if option.startswith("hidepid=")]
    return bool(found) and found[0] not in ("hidepid=0", "hidepid=off")


def _stopped_leaf(processes: Mapping[int, SampledProcess]) -> str:
    """Return the name of a stopped process without children where all such are stopped, else an empty one."""
    parents = {process.parent for process in processes.values()}
    leaves = [process for process in processes.values() if process.pid not in parents]
    return leaves[0].name if leaves and all(each.state == "T" for each in leaves) else ""


def _is_torn(log: str | None) -> bool:
    """Return whether a log has a last line without an end."""
    try:
        descriptor = os.open(log or "", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError):
        return False
    try:
        found = os.fstat(descriptor)
        is_text = stat.S_ISREG(found.st_mode) and found.st_size > 0
        return is_text and os.pread(descriptor, 1, found.st_size - 1) not in (b"", b"\n")
    finally:
        os.close(descriptor)


def _stat(log: str | None) -> os.stat_result | None:
    try:
        return os.stat(log) if log else None  # noqa: PTH116 - each second for each step
    except (OSError, ValueError):
        return None


def _arguments(path: str) -> list[str]:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - each second for each driver
            return file.read(4096).decode("utf-8", "replace").split("\0")[1:]
    except OSError:
        return []
