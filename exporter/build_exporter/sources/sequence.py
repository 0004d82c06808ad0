"""Emit a sequential build as events: the difference between a record's current and earlier state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from build_exporter.model import events as e
from build_exporter.sources.protocol import SourceEvent

Ending = Literal["succeeded", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """The newest attempt at a step, as its record shows it. Times in Unix seconds.

    Attributes:
        phase: the step's phase.
        step: the step.
        start: when it began, None if unknown: then it has no duration.
        end: when it ended; while it runs, its last sign of life.
        ending: how it ended, None while it runs.
        seconds: its duration if the record has it more precisely than start and end.
        disk_bytes: what it needed on disk.
        disk_before_bytes: what was in use there before it.
        message: why it failed.
        package: what it builds.
        version: of the package.
        log: path of its log.
    """

    phase: str
    step: str
    start: float | None
    end: float
    ending: Ending | None = None
    seconds: float | None = None
    disk_bytes: int | None = None
    disk_before_bytes: int | None = None
    message: str | None = None
    package: str | None = None
    version: str | None = None
    log: str | None = None

    @property
    def began(self) -> float:
        """When it began, or ended where that is all there is."""
        return self.end if self.start is None else self.start


@dataclass(slots=True)
class _Run:
    """Events emitted for the run."""

    build: str
    start: float
    newest: float
    attempts: dict[tuple[str, str], Attempt] = field(default_factory=dict)
    plan: tuple[list[e.PlannedStep], list[e.PlannedMilestone], str | None] | None = None
    ending: Ending | None = None


class Emitter:
    """Remembers what was emitted, and emits the difference."""

    def __init__(self) -> None:
        self._run: _Run | None = None

    def begin(self, started: e.BuildStarted) -> Iterator[SourceEvent]:
        """Begin the run that `started` opens, unless already emitted; end the run it replaces."""
        run = self._run
        if run is not None and run.start == started.time:
            return
        if run is not None and run.ending is None:
            yield SourceEvent(run.start, e.BuildFinished(time=run.newest, build=run.build, status="interrupted"))
        self._run = _Run(started.build, started.time, started.time)
        yield SourceEvent(started.time, started)

    def plan(
        self, steps: list[e.PlannedStep], milestones: list[e.PlannedMilestone], tarballs: str | None = None
    ) -> Iterator[SourceEvent]:
        """Emit the plan if it changed; its time is that of the newest event."""
        run = self._run
        if run is not None and run.plan != (new_plan := (steps, milestones, tarballs)):
            run.plan = new_plan
            event = e.Plan(time=run.newest, build=run.build, steps=steps, milestones=milestones, tarballs=tarballs)
            yield SourceEvent(run.start, event)

    def emit(self, attempts: Iterable[Attempt]) -> Iterator[SourceEvent]:
        """Emit what is new in the attempts, given in plan order, in chronological order."""
        run = self._run
        if run is None:
            return
        # a start may be known to the second only, and the end before it to the millisecond
        for attempt in sorted(attempts, key=lambda each: int(each.began)):
            for event in _difference(run, attempt):
                run.newest = max(run.newest, event.time)
                yield SourceEvent(run.start, event)

    def finish(self, status: Ending, time: float) -> Iterator[SourceEvent]:
        """Emit the end of the run, once; a later start resumes the run."""
        run = self._run
        if run is not None and run.ending != status:
            run.ending = status
            run.newest = max(run.newest, time)
            yield SourceEvent(run.start, e.BuildFinished(time=time, build=run.build, status=status))

    def note(self, time: float, message: str) -> Iterator[SourceEvent]:
        """Emit a warning; the journal keeps one per time and text."""
        run = self._run
        if run is not None:
            yield SourceEvent(run.start, e.Note(time=time, build=run.build, message=message, level="warning"))


def _difference(run: _Run, attempt: Attempt) -> Iterator[e.Event]:
    key = (attempt.phase, attempt.step)
    known = run.attempts.get(key)
    if known is not None and (known.start == attempt.start or (known.ending is None and attempt.start is None)):
        if not _adds_detail(known, attempt):
            if known.ending is None:
                run.attempts[key] = attempt
            return
    else:
        if known is not None and known.ending is None:
            # begun again before anybody saw the end of the earlier attempt
            yield _finished(run, known, "failed")
        yield from _started(run, attempt)
    run.attempts[key] = attempt
    if attempt.ending is not None:
        yield _finished(run, attempt, attempt.ending)


def _started(run: _Run, attempt: Attempt) -> Iterator[e.Event]:
    if attempt.start is None:
        return
    if run.ending == "succeeded":
        yield e.BuildStarted(time=attempt.start, build=run.build)
    run.ending = None
    yield e.StepStarted(
        time=attempt.start,
        build=run.build,
        phase=attempt.phase,
        step=attempt.step,
        package=attempt.package,
        version=attempt.version,
        log=attempt.log,
    )


def _adds_detail(known: Attempt, attempt: Attempt) -> bool:
    """Return whether the same attempt has come to an end, or to a better one than was thought; never back again."""
    return known.ending != attempt.ending and (known.ending is None or attempt.ending == "succeeded")


def _finished(run: _Run, attempt: Attempt, ending: Ending) -> e.StepFinished:
    return e.StepFinished(
        time=attempt.end,
        build=run.build,
        phase=attempt.phase,
        step=attempt.step,
        status=ending,
        seconds=attempt.seconds,
        disk_bytes=attempt.disk_bytes,
        disk_before_bytes=attempt.disk_before_bytes,
        message=attempt.message,
    )
