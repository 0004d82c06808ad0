"""Rows of the steps of a build: which changed since a browser last asked."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote

from build_exporter.formatting import duration
from build_exporter.model.states import StepState
from build_exporter.queries.context import Context
from build_exporter.queries.schedule import schedule
from build_exporter.queries.steps import StepFilter, StepRow, matches, row
from build_exporter.tracker import Key, Run, Step
from build_exporter.web.page.figures import Axis, Bar, bars


class Row(NamedTuple):
    """A step's row: the step, its link, what a search looks through, what is drawn, and what it should take."""

    step: StepRow
    url: str
    text: str
    bars: list[Bar]
    expected: str
    hidden: bool


@dataclass(slots=True)
class Rows:
    """The rows of one build and the number of the change that each was last part of.

    A cursor is `EPOCH.NUMBER`: with another epoch (another run, plan or time axis, or an exporter started anew) all
    rows are due again.
    """

    epoch: str = ""
    number: int = 0
    _shape: object = None
    _known: dict[Key, tuple[object, int]] = field(default_factory=dict)

    def update(self, context: Context, run: Run, along: Axis | None) -> None:
        """Find out which rows changed."""
        steps = list(run.steps.items())
        shape = (run.run, run.plans, along and (along.begin, along.end))
        if shape != self._shape:
            self._shape, self._known, self.epoch = shape, {}, secrets.token_hex(4)
        self.number += 1
        planned = schedule(context, run)
        pace = int((run.seconds_per_planned or 0.0) * 50) if planned else 0
        for key, step in steps:
            if step.state is StepState.RUNNING:
                # its bar moves with time
                version: object = context.now
            elif step.state is StepState.PENDING:
                begin = planned.get(key)
                version = (step.index, pace, along.x(begin[0]) // 0.5 if begin and along else None)
            else:
                figures = (step.end, step.seconds, step.warnings, len(step.tests))
                version = (step.state, step.index, step.attempts, figures)
            known = self._known.get(key)
            if known is None or known[0] != version:
                self._known[key] = (version, self.number)

    @property
    def cursor(self) -> str:
        """Cursor to ask for what comes after this update."""
        return f"{self.epoch}.{self.number}"

    def is_whole(self, cursor: str) -> bool:
        """Whether all rows are due to who has this cursor."""
        return cursor.partition(".")[0] != self.epoch

    def changed(self, run: Run, cursor: str) -> list[Step]:
        """Return the steps whose rows changed after a cursor, in the order of the plan."""
        _, _, number = cursor.partition(".")
        after = int(number) if number.isdecimal() and len(number) < 16 and not self.is_whole(cursor) else 0
        found = [step for key, step in list(run.steps.items()) if self._known.get(key, (None, 0))[1] > after]
        return sorted(found, key=lambda step: step.index)


def rendered(
    context: Context, run: Run, steps: list[Step], along: Axis | None, wanted: StepFilter | None = None
) -> Iterator[Row]:
    """Yield the rows of steps; those that a filter does not want are hidden."""
    planned = schedule(context, run)
    for step in steps:
        shown = row(context, run, step)
        drawn = bars(shown, along, context.now, planned.get(step.key)) if along is not None else []
        expected = shown.expected_seconds or 0.0
        yield Row(
            shown,
            step_url(run.build, shown.phase, shown.step),
            f"{shown.phase} {shown.step} {shown.package or ''}".casefold(),
            drawn,
            duration(expected) if expected >= 0.5 else "",
            wanted is not None and not matches(step, wanted),
        )


def step_url(build: str, phase: str, step: str) -> str:
    """Return the address of a step's page; names may hold any character."""
    return f"/builds/{quote(build, safe='')}/steps/{quote(phase, safe='')}/{quote(step, safe='')}"
