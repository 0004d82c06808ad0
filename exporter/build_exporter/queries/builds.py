"""`builds`: every build with its newest run, one row each."""

from __future__ import annotations

from build_exporter.model.states import BuildState
from build_exporter.queries.attention import Attention, attention
from build_exporter.queries.common import (
    Answer,
    EndEstimate,
    StepCounts,
    StepName,
    elapsed_seconds,
    end_estimate,
    name_of,
    run_counts,
)
from build_exporter.queries.context import Context, shown_or_none
from build_exporter.summary import idle_since
from build_exporter.tracker import Build, Run, build_progress

MAX_RUNNING = 10
"""Running steps that a row names."""

MAX_ATTENTION = 3
"""Things that need a look, in a row of the list."""


class BuildRow(Answer, frozen=True):
    """A build's newest run in one row.

    `end` is when it ended, null while it goes on; `last_event` when it last showed a sign of life, `idle_since` the
    same where nothing runs and nobody is at work in it. `running` names at
    most 10 of the running steps; `attention` is what needs a person's look, the most urgent first, at most 3 in the
    list of builds; `attention_count` counts all. `runs` counts the known runs, the newest included.
    """

    build: str
    run: str
    state: BuildState
    source: str | None
    target: str | None
    book: str | None
    start: float | None
    end: float | None
    last_event: float | None
    idle_since: float | None
    elapsed_seconds: float | None
    deadline: float | None
    progress_ratio: float | None
    steps: StepCounts
    estimate: EndEstimate | None
    running: list[StepName]
    waiting_for: str | None
    attention: list[Attention]
    attention_count: int
    runs: int


class Builds(Answer, frozen=True):
    """All builds at `now`, the most recently active first."""

    now: float
    builds: list[BuildRow]


def builds(context: Context) -> Builds:
    """Return every build's newest run, the most recently active first."""
    return Builds(now=context.now, builds=[build_row(context, build, run) for build, run in context.newest()])


def build_row(context: Context, build: Build, run: Run, most: int = MAX_ATTENTION) -> BuildRow:
    """Return a build's row, with at most so many things that need a look."""
    matters = attention(context, run)
    return BuildRow(
        build=run.build,
        run=run.run,
        state=run.state,
        source=shown_or_none(run.source),
        target=shown_or_none(run.target),
        book=shown_or_none(run.book),
        start=run.start,
        end=run.stopped,
        last_event=run.last_event,
        idle_since=idle_since(run, context.now),
        elapsed_seconds=elapsed_seconds(context, run),
        deadline=run.deadline,
        progress_ratio=build_progress(run, context.now),
        steps=run_counts(run),
        estimate=end_estimate(context, run),
        running=[name_of(step) for step in list(run.running.values())[:MAX_RUNNING]],
        waiting_for=shown_or_none(run.waiting_for),
        attention=matters[:most],
        attention_count=len(matters),
        runs=len(build.history) + 1,
    )
