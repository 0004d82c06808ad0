"""The state of a run, its phases and its sums."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from dataclasses import dataclass, field

from build_exporter.model.events import PlannedMilestone, SourcesVerified, Toolchain
from build_exporter.model.states import BuildState, FailureClass, StepState
from build_exporter.tracker.alerts import AlertLog
from build_exporter.tracker.earlier_runs import EarlierRuns
from build_exporter.tracker.machine import Machine, machine_of
from build_exporter.tracker.step import Key, Step

CLASS_SECONDS = 30.0
"""The class of a failure that becomes known so long after its end still counts as what failed."""

WAITING = "waiting-for-input: "
"""Prefix of a note that the build waits for a person."""


@dataclass(frozen=True, slots=True)
class LogShape:
    """Growth of the log of a successful attempt, with which the next attempt's is compared.

    Attributes:
        seconds: what the attempt took.
        size: bytes of the whole log.
        tasks: lines of it that each stand for a compiler's run or a test; 0 where no one counted.
        curve: share of it written by the end of each equal part of that time; empty where no one watched it grow.
        version: version of the package, if known.
    """

    seconds: float
    size: int
    tasks: int
    curve: array[float]
    version: str | None


@dataclass(slots=True)
class Pace:
    """Seconds that successful steps took, and those planned for them, summed over steps."""

    taken: float = 0.0
    planned: float = 0.0

    @property
    def ratio(self) -> float | None:
        """Seconds taken for each second planned, None before the first step."""
        return self.taken / self.planned if self.planned else None


@dataclass(slots=True, eq=False)
class Phase:
    """Sums over the steps of one phase, in planned seconds."""

    name: str
    steps: int = 0
    states: list[int] = field(default_factory=lambda: [0] * len(StepState))
    weight: float = 0.0
    done_weight: float = 0.0
    floor: float = 0.0


@dataclass(slots=True, eq=False, weakref_slot=True)
class Run:
    """The state of one run of a build."""

    build: str
    run: str
    source: str = ""
    target: str = ""
    book: str = ""
    jobs: int | None = None
    tests: str | None = None
    """Which packages' test suites run: none, critical (the toolchain's) or all; None where that isn't known."""
    pid: int | None = None
    pid_namespace: str | None = None
    writer_is_gone: bool = False
    """Whether the process that began the run, and those of its running steps, are known to be gone: by the machine, as
    nothing in the journal says so."""
    deadline: float | None = None
    start: float | None = None
    end: float | None = None
    last_event: float | None = None
    newest: float = -1.0
    """Latest time of any event applied: an event after it can't have come before."""
    status: BuildState | None = None
    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    earlier: EarlierRuns | None = None
    """Predictions of the build's earlier runs; set before its first event."""
    adopted: bool = False
    """Whether the plan is that of the earlier runs."""
    strangers: int = 0
    """Steps begun that an adopted plan has not."""
    plans: int = 0
    plan_revision: int = 0
    """Counts changes of the steps to come; it only rises, also where an adopted plan is given up."""
    reopened: bool = False
    """Whether the run was taken up after a success and no plan has said since what there is to do."""
    steps: dict[Key, Step] = field(default_factory=dict)
    phases: dict[str, Phase] = field(default_factory=dict)
    weight: float = 0.0
    done_weight: float = 0.0
    """Planned seconds of all steps, and of those done: the sums of the phases'."""
    running: dict[Key, Step] = field(default_factory=dict)
    failed: dict[Key, Step] = field(default_factory=dict)
    planned_milestones: list[PlannedMilestone] = field(default_factory=list)
    milestones: dict[str, float] = field(default_factory=dict)
    milestone_progress: dict[str, float] = field(default_factory=dict)
    """Share of the run that was done when each milestone was reached, where the steps to come were known."""
    tarballs: str = ""
    """The directory of the files that steps are built from; empty where it isn't given."""
    sources_verified: SourcesVerified | None = None
    toolchain: Toolchain | None = None
    notes: list[tuple[float, str]] = field(default_factory=list)
    alerts: AlertLog = field(default_factory=AlertLog)
    ratings: dict[int, int] = field(default_factory=dict)
    """How often people gave each rating, 1 to 5."""
    failures: Counter[Key] = field(default_factory=Counter)
    unclassed: dict[Key, float] = field(default_factory=dict)
    """Steps that failed with no class known yet, and when: they are counted once it is, or as `other` in the end."""
    finished: Counter[str] = field(default_factory=Counter)
    results: Counter[str] = field(default_factory=Counter)
    """Ends of the run by their status; more than one where it was taken up again."""
    ignored: Counter[str] = field(default_factory=Counter)
    worked: dict[Key, float] = field(default_factory=dict)
    """Seconds of the attempt before, of steps repeated after a success: a repeat may have found nothing to do."""
    reports: int = 0
    """How often something was learnt of a step beside its start, progress and end: tests, what its log amounted to."""
    revision: int = 0
    """Counts changes of steps, their states and durations."""
    floor: float = 0.0
    pace: Pace = field(default_factory=Pace)
    unweighted_pace: Pace = field(default_factory=Pace)
    """The same over steps planned without figures."""
    sbu_seconds: float = 0.0
    sbu_done: float = 0.0
    counted_until: float = 0.0
    gap_seconds: float = 0.0
    """Time between steps, and that of steps beyond their own seconds: unpacking, listing what was installed."""
    busy_seconds: float = 0.0
    work_seconds: float = 0.0
    newest_log: tuple[str, Key] | None = None
    """The log named last, and by which step."""
    logs: dict[Key, LogShape] = field(default_factory=dict)
    """From the newest attempt of a succeeded step, if recorded."""
    warning_flags: dict[Key, dict[str, int]] = field(default_factory=dict)
    """Warnings of steps by the compiler's option for them, if recorded."""
    flag_sums: Counter[str] = field(default_factory=Counter)
    """The same over all steps."""
    changed: dict[Key, Step] = field(default_factory=dict)
    """Steps that changed since a reader last emptied this."""

    @property
    def has_plan(self) -> bool:
        """Whether the steps to come are known."""
        return self.plans > 0

    @property
    def machine(self) -> Machine:
        """The machine that builds, as far as the run shows it."""
        return machine_of(self.pid_namespace, self.toolchain)

    @property
    def jobs_used(self) -> int | None:
        """Parallel jobs (-j) as the run's processes have them, else as it was started with; None where unknown."""
        seen = self.toolchain.jobs if self.toolchain is not None else None
        return seen if seen is not None else self.jobs

    @property
    def state(self) -> BuildState:
        """The run's state: as recorded at its end, else failed while a step is, else derived."""
        if self.status is not None:
            return self.status
        if self.failed:
            return BuildState.FAILED
        if self.running or self.start is not None:
            return BuildState.RUNNING
        return BuildState.PENDING

    @property
    def stopped(self) -> float | None:
        """When the run ended, or came to a standstill by a failure that nobody has reported as its end; Unix time."""
        if self.end is not None or self.status is not None or self.running or not self.failed:
            return self.end
        ends = [step.end for step in self.failed.values() if step.end is not None]
        # a step repaired since then has moved the end as well
        return max([*ends, self.counted_until]) if ends else self.last_event

    @property
    def waiting_for(self) -> str | None:
        """What a person has to do, from the newest note if no event followed it; else None."""
        if self.status is not None or self.running or not self.notes:
            return None
        time, words = self.notes[-1]
        is_newest = time >= (self.last_event or 0.0)
        return words.removeprefix(WAITING) if words.startswith(WAITING) and is_newest else None

    @property
    def seconds_per_planned(self) -> float | None:
        """Seconds this run takes per planned second; None before a step with a plan succeeded."""
        ratio = self.pace.ratio
        return ratio if ratio is not None else self.unweighted_pace.ratio

    @property
    def seconds_per_sbu(self) -> float | None:
        """Seconds one SBU takes in this run, None before a step with an SBU succeeded."""
        return self.sbu_seconds / self.sbu_done if self.sbu_done else None

    @property
    def gap_ratio(self) -> float:
        """Such time for each second that steps took of their own; at most 1."""
        own = self.pace.taken + self.unweighted_pace.taken
        return min(1.0, self.gap_seconds / own) if own else 0.0

    @property
    def concurrency(self) -> float:
        """Steps running at once on average while any ran; 1 for a sequential build."""
        return max(1.0, self.work_seconds / self.busy_seconds) if self.busy_seconds else 1.0

    def failure_counts(self, now: float = math.inf) -> Counter[Key]:
        """Return how many attempts failed until `now`, by (phase, class).

        A failure without a class is counted half a minute later: a class found in its log comes before, and a count
        never goes back.
        """
        late = (key for key, end in self.unclassed.items() if end + CLASS_SECONDS < now)
        return self.failures + Counter((self.steps[key].phase, FailureClass.OTHER.value) for key in late)

    def count(self, state: StepState) -> int:
        """Return how many steps are in a state."""
        return sum(phase.states[state] for phase in self.phases.values())

    def blocked(self) -> list[Step]:
        """Return the pending steps that can't start before a failed one is put right, in plan order.

        A step names what it needs by step, or by `phase/step`.
        """
        waiting: dict[str, list[Step]] = {}
        for step in self.steps.values() if self.failed else ():
            for need in step.after if step.state is StepState.PENDING else ():
                waiting.setdefault(need, []).append(step)
        found: dict[Key, Step] = {}
        barred = list(self.failed.values())
        while barred:
            last = barred.pop()
            for name in (last.step, f"{last.phase}/{last.step}"):
                fresh = [step for step in waiting.pop(name, ()) if step.key not in found]
                found.update((step.key, step) for step in fresh)
                barred += fresh
        return sorted(found.values(), key=lambda step: step.index)
