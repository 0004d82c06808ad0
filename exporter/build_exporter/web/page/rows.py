"""Rows of the steps of a build: which changed since a browser last asked, a limited number at a time."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final
from urllib.parse import quote

import msgspec

from build_exporter.model.states import StateName, StepState
from build_exporter.queries.attention import is_overdue
from build_exporter.queries.context import Context, shown
from build_exporter.queries.schedule import schedule
from build_exporter.queries.suites import test_sums
from build_exporter.tracker import Key, Run, Step

MOST_AT_ONCE: Final = 1000
"""Rows in one answer: the others come with the next, so that nobody waits for a long plan."""
_STEPS_A_SECOND: Final = 500
"""The times of the steps to come are worked out anew after a second for each so many steps."""
_SHARE_SEEN: Final = 0.005
"""Share of the run's time by which a planned time must move to be sent again."""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """A step as its row shows it; times in Unix seconds, `begin` and `until` those planned for a step to come.

    `seconds` is null while the step runs. `steps.js` reads the fields by their places.
    """

    index: int
    state: StateName
    phase: str
    step: str
    package: str
    note: str
    overdue: bool
    start: float | None
    end: float | None
    seconds: float | None
    expected: float | None
    begin: float | None
    until: float | None


class Changes(msgspec.Struct, frozen=True):
    """Rows that changed since a cursor; `whole`: the ones from before no longer hold, `more`: further ones are due."""

    cursor: str
    whole: bool
    more: bool
    rows: list[Row]


@dataclass(slots=True)
class Rows:
    """The rows of one build and the number of the change that each was last part of.

    A cursor is `EPOCH.NUMBER`: with another epoch (another run or plan, or an exporter started anew) all rows are due
    again. Where not all fit into an answer it is `EPOCH.NUMBER.TARGET.INDEX`: changes after the number, of rows behind
    the index; once all are sent, the next cursor is `EPOCH.TARGET`.
    """

    epoch: str = ""
    number: int = 0
    planned: dict[Key, tuple[float, float]] = field(default_factory=dict)
    _planned_at: float = 0.0
    _shape: object = None
    _seen: object = None
    _grain: float = 1.0
    _known: dict[Key, tuple[object, int]] = field(default_factory=dict)

    def update(self, context: Context, run: Run) -> None:
        """Find out which rows changed."""
        steps = run.steps
        shape = (run.run, run.plan_revision)
        if shape != self._shape:
            self._shape, self._known, self._planned_at, self.epoch = shape, {}, 0.0, os.urandom(4).hex()
        self.number += 1
        if not 0.0 <= context.now - self._planned_at < len(steps) / _STEPS_A_SECOND:
            self.planned, self._planned_at = schedule(context, run), context.now
            ends = (end - (run.start or end) for _, end in self.planned.values())
            self._grain = 2.0 ** round(math.log2(_SHARE_SEEN * max(60.0, *ends, 60.0)))
        seen = (shape, run.revision, run.reports, len(steps), self._planned_at)
        # between two ends only those that run can become late, or warn
        for key, step in list((steps if seen != self._seen else run.running).items()):
            version = self._version(context, run, step)
            known = self._known.get(key)
            if known is None or known[0] != version:
                # the newest last
                self._known.pop(key, None)
                self._known[key] = (version, self.number)
        self._seen = seen

    def _version(self, context: Context, run: Run, step: Step) -> object:
        if step.state is StepState.PENDING:
            begin = self.planned.get(step.key)
            return step.index, begin and begin[0] // self._grain
        running = step.state is StepState.RUNNING
        late = running and is_overdue(context, run, step)
        return step.state, step.index, step.attempts, step.end, step.seconds, step.warnings, len(step.tests), late

    def minute(self, phase: str, step: str) -> float | None:
        """Return the minute, as Unix seconds, in which a step should begin; None where that is not known."""
        planned = self.planned.get((phase, step))
        return planned and planned[0] // 60.0 * 60.0

    @property
    def cursor(self) -> str:
        """Cursor to ask for what comes after this update."""
        return f"{self.epoch}.{self.number}"

    def changed(self, context: Context, run: Run, cursor: str) -> Changes:
        """Return the rows that changed after a cursor, in the order of the plan, at most 1,000 at once."""
        epoch, _, rest = cursor.partition(".")
        whole = epoch != self.epoch
        after, target, index = (0, self.number, -1) if whole else self._place(rest)
        newer = takewhile(lambda item: item[1][1] > after, reversed(self._known.items()))
        due = [step for key, _ in newer if (step := run.steps.get(key)) is not None and step.index > index]
        due.sort(key=lambda step: step.index)
        sent = due[:MOST_AT_ONCE]
        more = len(due) > len(sent)
        return Changes(
            cursor=f"{self.epoch}.{after}.{target}.{sent[-1].index}" if more else f"{self.epoch}.{target}",
            whole=whole,
            more=more,
            rows=[self.row(context, run, step) for step in sent],
        )

    def _place(self, rest: str) -> tuple[int, int, int]:
        numbers = [int(part) for part in rest.split(".") if part.isdecimal() and len(part) < 16]
        return (numbers[0], numbers[1], numbers[2]) if len(numbers) == 3 else (sum(numbers[:1]), self.number, -1)

    def row(self, context: Context, run: Run, step: Step) -> Row:
        """Return the row of a step."""
        running = step.state is StepState.RUNNING
        begin, until = self.planned.get(step.key, (None, None)) if step.state is StepState.PENDING else (None, None)
        return Row(
            step.index,
            step.state.label,
            shown(step.phase),
            shown(step.step),
            shown(step.package or ""),
            ", ".join(_notes(step)),
            running and is_overdue(context, run, step),
            step.start,
            step.end,
            None if running else step.seconds,
            context.expected(run, step, context.now),
            begin,
            until,
        )


def _notes(step: Step) -> Iterator[str]:
    if step.attempts > 1:
        yield f"attempt {step.attempts}"
    if step.warnings:
        yield f"{step.warnings:,} warning{'' if step.warnings == 1 else 's'}"
    tests = test_sums([step]) if step.tests else None
    if tests is not None and tests.failed:
        yield f"{tests.failed:,} test{'' if tests.failed == 1 else 's'} failed"


def step_url(build: str, phase: str, step: str) -> str:
    """Return the address of a step's page; names may hold any character."""
    return f"/builds/{quote(build, safe='')}/steps/{quote(phase, safe='')}/{quote(step, safe='')}"
