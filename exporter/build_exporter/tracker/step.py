"""The state of one step."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from build_exporter.model.events import SourceFile, StepFinished, TestsReported
from build_exporter.model.states import StepState

UNKNOWN_WEIGHT = 10.0
"""Weight, in seconds, of a planned step nothing is known of: most such steps of an LFS plan write a file or two."""

SBU_PRIOR_SECONDS = 100.0
"""Seconds an SBU counts for beside steps planned in seconds; of no effect where all steps are planned alike."""

MAX_ATTEMPT_TIMES: Final = 32
"""Starts, and ends, kept of a step or a run: at least of so many newest attempts, of no more than twice as many."""

Key = tuple[str, str]
"""A step's identity within a run: phase and step."""

NO_TESTS: Final[Mapping[str, TestsReported]] = MappingProxyType({})
"""The tests of most steps: one object serves all."""


Times = float | list[float] | None
"""Times of some attempts: of one, as most steps have, the time alone, which costs no memory of its own."""


def with_time(times: Times, time: float) -> Times:
    """Return times with one more at their end."""
    if times is None:
        return time
    if not isinstance(times, list):
        return [times, time]
    times.append(time)
    if len(times) > 2 * MAX_ATTEMPT_TIMES:
        # seldom, and then many: each deletion moves all that stay
        del times[:-MAX_ATTEMPT_TIMES]
    return times


def _tuple(times: Times) -> tuple[float, ...]:
    return () if times is None else tuple(times) if isinstance(times, list) else (times,)


@lru_cache(1024)
def shared(number: float) -> float:
    """Return the same number as one object: plans give many steps the same few."""
    return number


class Demand(NamedTuple):
    """What a step needs by its plan; most plans have nothing of it, and one object serves all of their steps."""

    disk_bytes: int | None = None
    memory_bytes: int | None = None
    sources: tuple[SourceFile, ...] = ()


NO_DEMAND: Final = Demand()
NO_PROCESS: Final[tuple[int | None, str | None]] = (None, None)


class Waits(NamedTuple):
    """Seconds in which some process of the machine waited for a CPU, for memory, for the disk while a step ran."""

    cpu: float
    memory: float
    io: float


class Figures(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What an attempt that ended used: CPU seconds, bytes; `waits` of the machine's processes meanwhile."""

    exit_code: int | None = None
    signal: int | None = None
    cpu_seconds: float | None = None
    max_rss_bytes: int | None = None
    read_bytes: int | None = None
    written_bytes: int | None = None
    disk_bytes: int | None = None
    disk_before_bytes: int | None = None
    waits: Waits | None = None


_NO_FIGURES: Final = Figures()
_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(Figures).decode
COMPACT_FROM: Final = 1024
"""Place in the plan from which steps are kept in less memory: it takes time, and is not worth it for those before."""


def _figures_of(end: StepFinished) -> Figures:
    cpu, memory, disk = end.cpu_wait_seconds, end.memory_wait_seconds, end.io_wait_seconds
    has_waits = cpu is not None or memory is not None or disk is not None
    return Figures(
        end.exit_code,
        end.signal,
        end.cpu_seconds,
        end.max_rss_bytes,
        end.read_bytes,
        end.written_bytes,
        end.disk_bytes,
        end.disk_before_bytes,
        Waits(cpu or 0.0, memory or 0.0, disk or 0.0) if has_waits else None,
    )


@dataclass(slots=True, eq=False)
class Step:
    """One step of a run; figures are of its newest attempt. Times are Unix seconds, `seconds` its duration.

    Attributes:
        key: phase and step.
        weight: expected time in seconds as planned, what progress is weighted by. Never 0, so that each step counts.
        has_figures: whether the plan has a duration for the step.
        began, ended: its newest attempts; `starts` and `ends` have them as tuples.
    """

    phase: str
    step: str
    index: int
    package: str | None = None
    version: str | None = None
    sbu: float | None = None
    expected_seconds: float | None = None
    usual_seconds: float | None = None
    """Its durations in earlier runs of this build."""
    demand: Demand | None = None
    """What the plan says that it needs, None where no plan has it."""
    after: tuple[str, ...] = ()
    expected_at_start: float | None = None
    state: StepState = StepState.PENDING
    attempts: int = 0
    began: Times = None
    ended: Times = None
    start: float | None = None
    end: float | None = None
    seconds: float | None = None
    ratio: float | None = None
    message: str | None = None
    log_read: bool = False
    """Whether what its log amounted to was reported: it need not be read again."""
    shares_log: bool = False
    """Whether other steps name the same log: what is in it is then not the step's own."""
    process: tuple[int | None, str | None] = NO_PROCESS
    """The process of the attempt that runs, and its namespace."""
    warnings: int | None = None
    error_class: str | None = None
    floor: float = 0.0
    """The progress its time implied before it reported a ratio: the lower bound of what is shown."""
    reported_ratio: bool = False
    """Whether the builder itself reports progress: estimates are then ignored."""
    reported_warnings: bool = False
    """Whether the builder itself counted the warnings."""
    tests: Mapping[str, TestsReported] = field(default_factory=lambda: NO_TESTS)
    key: Key = field(init=False)
    weight: float = field(init=False)
    has_figures: bool = field(init=False)
    log_form: str | None = field(default=None, init=False)
    """The path of its log; of a run of many steps with NUL for the step's name, as logs are mostly named after that."""
    used: StepFinished | Figures | bytes | None = field(default=None, init=False)
    """What `figures` is made of: the end of the newest attempt that ended; of a run of many steps packed figures."""

    def __post_init__(self) -> None:
        self.phase = sys.intern(self.phase)
        self.key = (self.phase, self.step)
        self.weigh()

    @property
    def planned(self) -> bool:
        """Whether the plan has it."""
        return self.demand is not None

    @property
    def planned_disk_bytes(self) -> int | None:
        """Bytes of disk that it needs by the plan."""
        return (self.demand or NO_DEMAND).disk_bytes

    @property
    def planned_memory_bytes(self) -> int | None:
        """Bytes of memory that it needs by the plan."""
        return (self.demand or NO_DEMAND).memory_bytes

    @property
    def sources(self) -> tuple[SourceFile, ...]:
        """The files that it is built from by the plan."""
        return (self.demand or NO_DEMAND).sources

    @property
    def pid(self) -> int | None:
        """The process of the attempt that runs."""
        return self.process[0]

    @property
    def pid_namespace(self) -> str | None:
        """The namespace of that process."""
        return self.process[1]

    @property
    def starts(self) -> tuple[float, ...]:
        """The starts of its newest attempts, in the order in which they were read."""
        return _tuple(self.began)

    @property
    def ends(self) -> tuple[float, ...]:
        """The ends of its newest attempts."""
        return _tuple(self.ended)

    @property
    def log(self) -> str | None:
        """The path of its log."""
        return self.log_form and self.log_form.replace("\0", self.step)

    @log.setter
    def log(self, path: str | None) -> None:
        is_one_of_many = path is not None and self.index >= COMPACT_FROM
        self.log_form = sys.intern(path.replace(self.step, "\0")) if path and is_one_of_many else path

    @property
    def figures(self) -> Figures:
        """What the newest attempt that ended used."""
        used = self.used
        if used is None:
            return _NO_FIGURES
        if isinstance(used, Figures):
            return used
        return _unpack(used) if isinstance(used, bytes) else _figures_of(used)

    def use(self, end: StepFinished) -> None:
        """Take what an attempt used."""
        if self.index >= COMPACT_FROM:
            self.used = _pack(_figures_of(end))
        else:
            # a message may be as long as a line, and the step has what is kept of it
            self.used = end if end.message is None else _figures_of(end)

    @property
    def exit_code(self) -> int | None:
        """The exit code its command ended with."""
        return self.figures.exit_code

    @property
    def signal(self) -> int | None:
        """The signal that ended its command."""
        return self.figures.signal

    @property
    def cpu_seconds(self) -> float | None:
        """CPU seconds it took."""
        return self.figures.cpu_seconds

    @property
    def max_rss_bytes(self) -> int | None:
        """Its largest resident memory."""
        return self.figures.max_rss_bytes

    @property
    def read_bytes(self) -> int | None:
        """Bytes it read from storage."""
        return self.figures.read_bytes

    @property
    def written_bytes(self) -> int | None:
        """Bytes it wrote to storage."""
        return self.figures.written_bytes

    @property
    def disk_bytes(self) -> int | None:
        """Bytes of disk it needed."""
        return self.figures.disk_bytes

    @property
    def disk_before_bytes(self) -> int | None:
        """Bytes of the disk that were in use before it."""
        return self.figures.disk_before_bytes

    @property
    def waits(self) -> Waits | None:
        """How long processes of the machine waited while it ran, None where nobody measured it."""
        return self.figures.waits

    def weigh(self) -> None:
        """Set `weight` and `has_figures` by the planned figures."""
        seconds = self.usual_seconds if self.usual_seconds is not None else self.expected_seconds
        if seconds is None and self.sbu is not None:
            seconds = self.sbu * SBU_PRIOR_SECONDS
        self.has_figures = seconds is not None
        self.weight = UNKNOWN_WEIGHT if seconds is None else shared(max(seconds, 0.1))
