"""The workflow API: phases, steps that may run side by side, and milestones."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from build_exporter.client.events import EventLog, name_of, process, progress_fields, text_of
from build_exporter.client.operation import Ending
from build_exporter.model.events import (
    BuildFinished,
    BuildStarted,
    MilestoneReached,
    Plan,
    PlannedMilestone,
    PlannedStep,
    StepFinished,
    StepProgress,
    StepStarted,
)


@dataclass(frozen=True, slots=True)
class Milestone:
    """A milestone that is reached by itself: with the end of a phase, of a step, or at a progress ratio."""

    name: str
    phase: str | None = None
    step: str | None = None
    progress: float | None = None


class Workflow:
    """A build of phases and steps.

    As a context manager it begins the run with its plan, and ends it: succeeded, unless a step has failed or an
    exception leaves the block, which passes on.

    Args:
        build: name of the line of builds, `[A-Za-z0-9._+-]{1,100}`.
        plan: names of the steps to come by phase, with seconds each is expected to take where that is known.
        milestones: milestones that are reached by themselves.
        journal: journal directory; by default as the command line's.
        target: what is built, such as a triplet.
        jobs: how many steps or jobs run side by side.
        resume: continue with the newest run where it has not ended, instead of beginning a new one.

    Raises:
        ValueError: `build` can't name a build.
    """

    def __init__(  # noqa: PLR0913
        self,
        build: str,
        plan: Mapping[str, Iterable[str] | Mapping[str, float | None]] | None = None,
        *,
        milestones: Iterable[Milestone] = (),
        journal: str | None = None,
        target: str | None = None,
        jobs: int | None = None,
        resume: bool = False,
    ) -> None:
        self._log = EventLog(build, journal, new=not resume)
        self._plan = list(_planned(plan or {}))
        self._milestones = [
            PlannedMilestone(name=name_of(m.name), phase=m.phase, step=m.step, progress=m.progress) for m in milestones
        ]
        self._target, self._jobs = target, jobs
        self._lock = threading.Lock()
        self._failed: set[tuple[str, str]] = set()

    def start(self) -> None:
        """Start the run and record its plan."""
        build = self._log.build
        started = BuildStarted(
            time=self._log.now(), build=build, source="python", target=self._target, jobs=self._jobs, **process()
        )
        self._log.append(started)
        if self._plan:
            milestones = self._milestones or None
            self._log.append(Plan(time=self._log.now(), build=build, steps=self._plan, milestones=milestones))

    @contextmanager
    def step(self, phase: str, step: str, *, log: str | None = None) -> Iterator[Callable[..., None]]:
        """Run the block as a step: it succeeds at the block's end and fails by an exception, which passes on.

        Steps in several threads run side by side. Yields a function that reports the step's progress:
        `progress(ratio=0.5, message="…")` or `progress(done=3, total=7)`.
        """
        phase, step = name_of(phase), name_of(step)
        build = self._log.build
        self._log.append(
            StepStarted(time=self._log.now(), build=build, phase=phase, step=step, log=text_of(log), **process())
        )
        began = time.monotonic()

        def progress(
            ratio: float | None = None,
            *,
            done: float | None = None,
            total: float | None = None,
            message: str | None = None,
        ) -> None:
            fields = progress_fields(ratio, done, total, message)
            self._log.append(
                StepProgress(time=self._log.now(), build=self._log.build, phase=phase, step=step, **fields)
            )

        try:
            yield progress
        except (KeyboardInterrupt, SystemExit):
            self._end_step(phase, step, "interrupted", began)
            raise
        except BaseException as error:
            self._end_step(phase, step, "failed", began, f"{type(error).__name__}: {error}")
            raise
        self._end_step(phase, step, "succeeded", began)

    def skip(self, phase: str, step: str) -> None:
        """Record a step as skipped."""
        finished = StepFinished(
            time=self._log.now(), build=self._log.build, phase=name_of(phase), step=name_of(step), status="skipped"
        )
        self._log.append(finished)

    def milestone(self, name: str) -> None:
        """Record that a milestone was reached."""
        self._log.append(MilestoneReached(time=self._log.now(), build=self._log.build, milestone=name_of(name)))

    def finish(self, status: Ending) -> None:
        """Finish the run."""
        self._log.append(BuildFinished(time=self._log.now(), build=self._log.build, status=status))
        self._log.close()

    def _end_step(self, phase: str, step: str, status: Ending, began: float, message: str | None = None) -> None:
        with self._lock:
            if status == "failed":
                self._failed.add((phase, step))
            else:
                self._failed.discard((phase, step))
        finished = StepFinished(
            time=self._log.now(),
            build=self._log.build,
            phase=phase,
            step=step,
            status=status,
            seconds=round(time.monotonic() - began, 6),
            message=text_of(message),
        )
        self._log.append(finished)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            self.finish("interrupted")
        else:
            self.finish("failed" if error is not None or self._failed else "succeeded")


def _planned(plan: Mapping[str, Iterable[str] | Mapping[str, float | None]]) -> Iterator[PlannedStep]:
    for phase, steps in plan.items():
        seconds = steps if isinstance(steps, Mapping) else {}
        for step in steps:
            yield PlannedStep(phase=name_of(phase), step=name_of(step), expected_seconds=seconds.get(step))
