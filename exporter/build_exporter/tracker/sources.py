"""Source files of steps: which upcoming steps can't be built as planned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from build_exporter.model.events import BadSource, SourceFile
from build_exporter.model.states import SourceState
from build_exporter.tracker.state import Run
from build_exporter.tracker.step import Step

BadState = Literal["mismatch", "truncated", "missing", "unreadable"]
_BAD: Final[dict[SourceState, BadState]] = {
    SourceState.MISMATCH: "mismatch",
    SourceState.TRUNCATED: "truncated",
    SourceState.MISSING: "missing",
    SourceState.UNREADABLE: "unreadable",
}


def bad_state(state: SourceState) -> BadState | None:
    """Return a state as used in events, None if nothing is wrong."""
    return _BAD.get(state)


def planned_sources(run: Run) -> Iterator[tuple[Step, SourceFile]]:
    """Yield the files of each planned step, in the order of the plan."""
    # a copy: another thread may continue with the fold meanwhile
    for step in list(run.steps.values()):
        for each in step.sources if step.planned else ():
            yield step, each


def steps_at_risk(run: Run) -> Iterator[tuple[Step, BadSource]]:
    """Yield each step not done yet with each of its files that was found bad, once, in the order of the plan.

    Only bad files that the newest verification names are known: the first 100.
    """
    verified = run.sources_verified
    bad = {each.file: each for each in (verified.bad or ())} if verified is not None else {}
    if bad:
        for step in list(run.steps.values()):
            if step.planned and not step.state.is_done:
                names = dict.fromkeys(source.file for source in step.sources)
                yield from ((step, bad[name]) for name in names if name in bad)
