"""Emit a console's changes as events, with their times where known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from build_exporter.diagnostics.diagnosis import Diagnosis
from build_exporter.model import events as e
from build_exporter.model.names import run_name
from build_exporter.sources.distinct_times import DistinctTimes
from build_exporter.sources.make.history import Earlier
from build_exporter.sources.make.parts import Key, Part, Status
from build_exporter.sources.protocol import SourceEvent
from build_exporter.sources.step_logs.counters import MIN_TOTAL
from build_exporter.sources.step_logs.progress import CEILING, GAIN
from build_exporter.sources.step_logs.reader import StepContext
from build_exporter.tracker import Run, apply

KIND: Final = "make"

FORECASTS: Final = (0.05, 0.2, 0.5)
"""Ratios of a counted step at which its expected duration is extrapolated and emitted."""


class Emitter:
    """One run's events, as they are read.

    Attributes:
        start: when the run began, in Unix seconds.
        moment: time of the line being read, in Unix seconds.
        is_timed: whether `moment` is known to some seconds; what began and ended at times unknown has no duration.
        is_dated: whether the lines have dates: then events are deduplicated by time.
        emitted: pending events, taken by the source.
        is_over: the end of the run was emitted and nothing has come since.
    """

    def __init__(self, build: str, start: float, *, is_dated: bool, earlier: Earlier) -> None:
        self.moment = start
        self.is_timed = is_dated
        self.is_dated = is_dated
        self.emitted: list[SourceEvent] = []
        self.is_over = False
        self.start = start
        self._build = build
        self._earlier = earlier.steps
        self._earlier_tasks = earlier.tasks
        self._shadow = Run(build, run_name(start))
        self._starts: Counter[Key] = Counter()
        self._ends: Counter[Key] = Counter()
        self._rounds = 0
        self._open: dict[Key, float | None] = {}
        self._waiting: dict[Key, None] = {}
        self._dormant: dict[Key, int] = {}
        self._warned: dict[Key, tuple[Part, int]] = {}
        self._tested: dict[Key, Part] = {}
        self._seconds: dict[Key, float | None] = {}
        self._times = DistinctTimes()
        self._forecasts = 0
        self._has_plan = False

    def began(self, key: Key) -> None:
        """Emit a step's start: now if the time is known, else at the end of this poll."""
        if not self._rounds:
            self._begin_round(self.start)
            self._plan_as_before(key)
        self._emit_late_warnings()
        self._emit_late_tests(over=True)
        self._starts[key] += 1
        self._open[key] = self.moment if self.is_timed else None
        if self.is_timed:
            self._emit_start(key, self.moment)
        else:
            self._waiting[key] = None

    def ended(self, part: Part, status: Status, cause: Diagnosis | None, exit_code: int | None, time: float) -> None:
        """Emit the end of a step; one that was over before it was first seen has no start."""
        if part.key not in self._open:
            # its end was emitted when nothing seemed to follow
            self._dormant.pop(part.key, None)
            return
        if part.key in self._waiting:
            del self._waiting[part.key]
            known = self._shadow.steps.get(part.key)
            if known is not None and status == known.state.label == "failed":
                # an end like the last one is another attempt's only after a start
                self._emit_start(part.key, self.moment)
            elif known is not None:
                # values of an earlier attempt are not this one's, though no start is emitted for it
                again = self._start_event(part.key)
                again.time = self._times.of(again)
                apply(self._shadow, again)
        self._emit_tests(part, over=True)
        began = self._open.pop(part.key)
        self._ends[part.key] += 1
        self._seconds[part.key] = time - began if began is not None and status == "succeeded" else None
        event = e.StepFinished(
            time=time,
            build=self._build,
            phase=part.key[0],
            step=part.key[1],
            status=status,
            message=cause.reason if cause is not None else None,
            error_class=cause.error_class if cause is not None else None,
            exit_code=exit_code,
        )
        self._emit(event, self._ends[part.key])
        self._emit_warnings(part, self._starts[part.key], over=True)
        self._emit_amount(part)

    def tested(self, part: Part) -> None:
        """Remember that a step that is over may have had further test results, to be emitted once this poll is over."""
        self._tested[part.key] = part

    def warned(self, part: Part) -> None:
        """Remember a late warning of a finished step, to emit it at the end of this poll."""
        self._warned.setdefault(part.key, (part, self._starts[part.key]))

    def settle(self, parts: Iterable[Part], *, over: bool) -> None:
        """End a poll: emit running steps with unknown starts, and progress and tests of all running ones.

        With `over` none runs any more.
        """
        for key in () if over else self._waiting:
            # what the log begins with began with it
            is_first = len(self._starts) == 1 and self._starts[key] == 1
            self._open[key] = self.start if is_first else self.moment
            self._emit_start(key, self.start if is_first else self.moment)
        if not over:
            self._waiting.clear()
            self._emit_late_tests(over=False)
        self._emit_late_warnings()
        for part in parts:
            if part.touched > self._dormant.get(part.key, part.touched):
                del self._dormant[part.key]
                self._starts[part.key] += 1
                self._open[part.key] = part.last
                self._emit_start(part.key, part.last)
            if part.key in self._open:
                self._emit_progress(part)
                self._emit_tests(part, over=False)
                self._emit_warnings(part, self._starts[part.key], over=False)

    def resume(self) -> None:
        """Resume a run whose end was emitted: more has come."""
        self.is_over = False
        self._begin_round(self.moment)

    def finish(self, parts: Iterable[Part], status: Status) -> None:
        """Emit the end of the run and of its running steps; they may resume if more comes."""
        if not self._rounds or self.is_over:
            return
        self._emit_late_warnings()
        self._emit_late_tests(over=True)
        for part in parts:
            if part.key in self._open:
                time = part.last if part.line is not None else self.moment
                self.ended(part, "succeeded" if status == "succeeded" else "interrupted", None, None, time)
                self._dormant[part.key] = part.touched
        self.is_over = True
        self._emit(e.BuildFinished(time=self.moment, build=self._build, status=status), self._rounds)

    def _begin_round(self, time: float) -> None:
        self._rounds += 1
        self._emit(e.BuildStarted(time=time, build=self._build, source=KIND), self._rounds)

    def _plan_as_before(self, first: Key) -> None:
        """Emit the steps of an earlier run as the plan, if this one begins like it."""
        if self._earlier and (self._earlier[0].phase, self._earlier[0].step) == first:
            self._has_plan = True
            self._emit(e.Plan(time=self.start, build=self._build, steps=self._earlier), 1)

    def _emit_start(self, key: Key, time: float) -> None:
        event = e.StepStarted(time=round(time, 3), build=self._build, phase=key[0], step=key[1])
        self._emit(event, self._starts[key])

    def _emit_progress(self, part: Part) -> None:
        known = self._shadow.running.get(part.key)
        share, done, total = part.progress.share, None, None
        if share is None and self._has_plan and (expected := self._earlier_tasks.get(part.key, 0)) >= MIN_TOTAL:
            total = float(expected)
            done = min(round(part.tasks, 1), total)
            share = done / total
        ratio, (phase, step) = min(CEILING, share or 0.0), part.key
        if known is None or ratio < (known.ratio or 0.0) + GAIN:
            return
        time = round(self.moment, 3)
        emitted = e.StepProgress(time=time, build=self._build, phase=phase, step=step, done=done, total=total)
        emitted.ratio = round(ratio, 4) if total is None else None
        self._emit(emitted, 0)
        began = self._open[part.key]
        if self._has_plan or self._forecasts >= len(FORECASTS) or ratio < FORECASTS[self._forecasts] or began is None:
            return
        while self._forecasts < len(FORECASTS) and ratio >= FORECASTS[self._forecasts]:
            self._forecasts += 1
        self._emit(
            e.Plan(time=time, build=self._build, steps=self._forecast(part.key, (time - began) / ratio)),
            self._forecasts,
        )

    def _forecast(self, key: Key, seconds: float) -> list[e.PlannedStep]:
        """Return the steps so far with the time they took, and a counted one with the time it will take."""
        steps = [
            e.PlannedStep(phase=phase, step=step, expected_seconds=round(took, 3) if took is not None else None)
            for (phase, step), took in self._seconds.items()
            if (phase, step) != key
        ]
        return [*steps, e.PlannedStep(phase=key[0], step=key[1], expected_seconds=round(seconds, 3))]

    def _emit_tests(self, part: Part, *, over: bool) -> None:
        step = self._shadow.steps.get(part.key)
        if part.suites is None:
            return
        if step is None:
            # started and ended before its start could be emitted
            if not over:
                return
            part.suites.finish()
            apply(self._shadow, self._start_event(part.key))
            step = self._shadow.steps[part.key]
        context = StepContext(round(self.moment, 3), self._shadow, step, 0, over)
        for event in part.suites.emit(context):
            self._emit(event, 0)

    def _emit_amount(self, part: Part) -> None:
        """Emit the size of a succeeded step with a known duration, as the reference for the next run."""
        tasks = round(part.tasks)
        if self._seconds[part.key] is None or not tasks:
            return
        phase, step = part.key
        event = e.StepProgress(time=round(self.moment, 3), build=self._build, phase=phase, step=step)
        event.log_bytes, event.log_tasks = part.size, tasks
        apply(self._shadow, event)
        self.emitted.append(SourceEvent(self.start, event, self._starts[part.key]))

    def _emit_late_tests(self, *, over: bool) -> None:
        for part in self._tested.values():
            self._emit_tests(part, over=over)
        if over:
            self._tested.clear()

    def _emit_late_warnings(self) -> None:
        for part, attempt in self._warned.values():
            self._emit_warnings(part, attempt, over=True)
        self._warned.clear()

    def _emit_warnings(self, part: Part, attempt: int, *, over: bool) -> None:
        step = self._shadow.steps.get(part.key)
        if step is None:
            # its start is not emitted yet
            return
        context = StepContext(round(self.moment, 3), self._shadow, step, part.touched, over)
        for event in part.warnings.emit(context):
            apply(self._shadow, event)
            # an attempt's own, whether or not the lines are dated: a later one may have had fewer
            self.emitted.append(SourceEvent(self.start, event, attempt))

    def _start_event(self, key: Key) -> e.StepStarted:
        return e.StepStarted(time=round(self.moment, 3), build=self._build, phase=key[0], step=key[1])

    def _emit(self, event: e.Event, nth: int) -> None:
        event.time = round(event.time, 3) if self.is_dated else self._times.of(event)
        apply(self._shadow, event)
        self.emitted.append(
            SourceEvent(self.start, event, 0 if self.is_dated and not isinstance(event, e.Plan) else nth)
        )
