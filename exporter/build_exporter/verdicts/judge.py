"""The verdict: an ordered list of rules over one observation, each with its evidence. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from build_exporter.model.states import Verdict

IDLE_CPU: Final = 0.02
"""Share of one CPU below which a step does nothing that counts."""

QUIET_SECONDS: Final = 15.0
"""Seconds without CPU time, storage I/O and log after which a step waits."""

SILENCE_FACTOR: Final = 3.0
LEAST_SILENCE_SECONDS: Final = 900.0
"""Seconds, and multiple of its longest silence, after which a step is stuck when the reason to wait is unknown."""

SWAP_PRESSURE: Final = 0.25
"""Share of time in which all processes waited for memory at once."""

FAULTS_PER_SECOND: Final = 100.0
"""Pages read back from storage a second that say, beside little CPU time, that memory does not suffice."""

THROTTLED_SHARE: Final = 0.5
"""Share of time in which a quota held the step's processes back."""


@dataclass(frozen=True, slots=True)
class Observation:
    """Observations of a running step over the last seconds.

    Attributes:
        seconds: how long it was looked at.
        cpu: CPUs in use on average.
        io_bytes: bytes read from and written to storage.
        processes: how many there are; 0 where none can be seen.
        stopped: how many of them are stopped by a signal.
        held_by: the stopped program that the others wait for, empty where one without children is not stopped.
        is_frozen: whether their control group is frozen.
        quiet_seconds: since when, without a break, neither CPU time nor I/O was used.
        log_silence: seconds since the log grew, None without a log.
        longest_silence: the step's own longest silence before, or that of an earlier run, in seconds.
        reading: the program that reads from a terminal, empty without one.
        waits: what the processes without work wait for, in words; empty where it can't be seen.
        is_closed: whether all of them wait for one another alone, so that none can go on.
        memory_pressure: share of time all were kept waiting for memory, None where the kernel does not say.
        faults: pages read back from storage a second.
        throttled: share of time a CPU quota held the processes back.
        activity: the kind of work, by the programs.
        program: the program that stands for it.
        is_torn: whether the log ends within a line, looked at where the waits can't be seen.
        hidden: why nothing can be seen, empty where it can.
    """

    seconds: float = 0.0
    cpu: float = 0.0
    io_bytes: int = 0
    processes: int = 0
    stopped: int = 0
    held_by: str = ""
    is_frozen: bool = False
    quiet_seconds: float = 0.0
    log_silence: float | None = None
    longest_silence: float = 0.0
    reading: str = ""
    waits: tuple[str, ...] = ()
    is_closed: bool = False
    memory_pressure: float | None = None
    faults: float = 0.0
    throttled: float = 0.0
    activity: Verdict | None = None
    program: str = ""
    is_torn: bool = False
    hidden: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and what it rests on, in words."""

    verdict: Verdict
    evidence: tuple[str, ...] = field(default=())


def judge(seen: Observation) -> Judgement:
    """Return what a step is doing; `unknown`, with the reason, when nothing shows it."""
    if seen.hidden or not seen.processes:
        return Judgement(Verdict.UNKNOWN, (seen.hidden or "no process of the step is seen",))
    for rule in (_suspended, _asking, _swapping, _throttled, _waiting):
        found = rule(seen)
        if found is not None:
            return found
    if seen.activity is not None:
        return Judgement(seen.activity, (f"{seen.program}, {seen.cpu:.1f} CPUs in use",))
    if _is_quiet(seen):
        return Judgement(Verdict.IDLE, (_quiet(seen),))
    return Judgement(Verdict.UNKNOWN, (f"{seen.cpu:.1f} CPUs in use by programs of no known kind",))


def _suspended(seen: Observation) -> Judgement | None:
    if seen.stopped == seen.processes:
        stopped = f"all {seen.processes} processes are stopped" if seen.processes > 1 else "its only process is stopped"
        return Judgement(Verdict.SUSPENDED, (stopped,))
    if seen.is_frozen:
        return Judgement(Verdict.SUSPENDED, ("its control group is frozen",))
    if _is_quiet(seen) and seen.held_by:
        return Judgement(Verdict.SUSPENDED, (f"{seen.held_by} is stopped, and the others wait for it", _quiet(seen)))
    return None


def _is_quiet(seen: Observation) -> bool:
    return seen.cpu < IDLE_CPU and seen.quiet_seconds > 0


def _asking(seen: Observation) -> Judgement | None:
    if not (_is_quiet(seen) and seen.reading):
        return None
    return Judgement(Verdict.WAITING_FOR_INPUT, (f"{seen.reading} reads from the terminal", _quiet(seen)))


def _swapping(seen: Observation) -> Judgement | None:
    if seen.memory_pressure is not None and seen.memory_pressure >= SWAP_PRESSURE:
        return Judgement(
            Verdict.SWAPPING, (f"all processes wait for memory {seen.memory_pressure:.0%} of the time", _cpu(seen))
        )
    if seen.faults >= FAULTS_PER_SECOND and seen.cpu < seen.processes / 2 and seen.cpu < 1.0:
        return Judgement(Verdict.SWAPPING, (f"{seen.faults:.0f} pages a second are read back", _cpu(seen)))
    return None


def _throttled(seen: Observation) -> Judgement | None:
    if seen.throttled < THROTTLED_SHARE:
        return None
    return Judgement(Verdict.THROTTLED, (f"a CPU quota holds it back {seen.throttled:.0%} of the time", _cpu(seen)))


def _waiting(seen: Observation) -> Judgement | None:
    """Return the verdict on a step that uses nothing: stuck, or idle; None where that is too early to say."""
    if not _is_quiet(seen):
        return None
    silent = seen.quiet_seconds if seen.log_silence is None else min(seen.quiet_seconds, seen.log_silence)
    if silent < QUIET_SECONDS:
        return None
    evidence = (_quiet(seen), *seen.waits[:3])
    if seen.is_closed:
        return Judgement(Verdict.STUCK, evidence)
    if not seen.waits and silent > max(LEAST_SILENCE_SECONDS, SILENCE_FACTOR * seen.longest_silence):
        if seen.is_torn:
            return Judgement(Verdict.UNKNOWN, (*evidence, "its log ends within a line: it may wait for an answer"))
        return Judgement(Verdict.STUCK, (*evidence, f"its longest silence before was {seen.longest_silence:.0f} s"))
    return Judgement(Verdict.IDLE, evidence)


def _cpu(seen: Observation) -> str:
    return f"{seen.cpu:.2f} CPUs in use"


def _quiet(seen: Observation) -> str:
    log = "" if seen.log_silence is None else f", no line of its log for {seen.log_silence:.0f} s"
    return f"no CPU time or I/O for {seen.quiet_seconds:.0f} s{log}"
