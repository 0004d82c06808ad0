"""The operation API, for programs that run steps one after another."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Literal, Self

from build_exporter.client.events import EventLog, name_of, process, progress_fields, text_of
from build_exporter.model.events import (
    BuildFinished,
    BuildStarted,
    Note,
    Plan,
    PlannedStep,
    StepFinished,
    StepProgress,
    StepStarted,
)

Ending = Literal["succeeded", "failed", "interrupted"]


class Operation:
    """Steps one after the other: `start`, then `update` again and again, then `complete` or `fail`.

    As a context manager it starts with the steps it was given, completes at the end, and fails when it is left by an
    exception, which passes on.

    Args:
        build: name of the line of builds, `[A-Za-z0-9._+-]{1,100}`.
        steps: names of the steps to come, in order.
        phase: the phase they are shown under.
        journal: journal directory; by default as the command line's.

    Raises:
        ValueError: `build` can't name a build.
    """

    def __init__(
        self, build: str, steps: Iterable[str] = (), *, phase: str = "operation", journal: str | None = None
    ) -> None:
        self._log = EventLog(build, journal, new=True)
        self._steps = tuple(steps)
        self._phase = name_of(phase)
        self._lock = threading.RLock()
        self._running: tuple[str, float] | None = None

    def start(self, steps: Iterable[str] | None = None) -> None:
        """Start the operation and announce its steps."""
        if steps is not None:
            self._steps = tuple(steps)
        build = self._log.build
        with self._lock:
            self._log.append(BuildStarted(time=self._log.now(), build=build, source="python", **process()))
            if self._steps:
                planned = [PlannedStep(phase=self._phase, step=name_of(step)) for step in self._steps]
                self._log.append(Plan(time=self._log.now(), build=build, steps=planned))

    def update(
        self,
        step: str,
        message: str | None = None,
        *,
        ratio: float | None = None,
        done: float | None = None,
        total: float | None = None,
    ) -> None:
        """Start or update `step`; the step before it has then succeeded.

        Args:
            step: name of the step, planned or not.
            message: what it does at the moment.
            ratio: share of the step that is done, 0 to 1.
            done: how much is done, of `total`, in any unit.
            total: how much there is to do.
        """
        step = name_of(step)
        with self._lock:
            if self._running is None or self._running[0] != step:
                self._end_step("succeeded")
                self._running = (step, time.monotonic())
                now = self._log.now()
                self._log.append(
                    StepStarted(time=now, build=self._log.build, phase=self._phase, step=step, **process())
                )
            if (message, ratio, done, total) != (None, None, None, None):
                fields = progress_fields(ratio, done, total, message)
                self._log.append(
                    StepProgress(time=self._log.now(), build=self._log.build, phase=self._phase, step=step, **fields)
                )

    def complete(self, result: str | None = None) -> None:
        """Finish the operation successfully; `result` is recorded as a note."""
        with self._lock:
            self._end_step("succeeded")
            if result is not None:
                self._log.append(Note(time=self._log.now(), build=self._log.build, message=text_of(result) or ""))
            self._end("succeeded")

    def fail(self, error: BaseException | str, *, error_class: str | None = None) -> None:
        """Fail the current step and the operation.

        Args:
            error: the exception or the words that say why.
            error_class: a failure class such as `disk-full`; others are shown as `other`.
        """
        message = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        with self._lock:
            if self._running is None:
                self._running = ("start", time.monotonic())
            self._end_step("failed", message, error_class)
            self._end("failed")

    def _end_step(self, status: Ending, message: str | None = None, error_class: str | None = None) -> None:
        if self._running is None:
            return
        step, began = self._running
        self._running = None
        finished = StepFinished(
            time=self._log.now(),
            build=self._log.build,
            phase=self._phase,
            step=step,
            status=status,
            seconds=round(time.monotonic() - began, 6),
            message=text_of(message),
            error_class=None if error_class is None else name_of(error_class),
        )
        self._log.append(finished)

    def _end(self, status: Ending) -> None:
        self._log.append(BuildFinished(time=self._log.now(), build=self._log.build, status=status))
        self._log.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.complete()
        elif isinstance(error, KeyboardInterrupt | SystemExit):
            with self._lock:
                self._end_step("interrupted")
                self._end("interrupted")
        else:
            self.fail(error)
