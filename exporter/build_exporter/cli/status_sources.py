"""The part of `status` about a build's source files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import click

from build_exporter.config.values import escaped
from build_exporter.formatting import clock_time
from build_exporter.model.states import SourceState
from build_exporter.summary import missing_sources
from build_exporter.tracker import Run

MAX_LINES: Final = 10


def source_summary(run: Run) -> Iterator[str]:
    """Yield a line on all files, and one for each step to come and file that it lacks; none before any was verified."""
    verified = run.sources_verified
    if verified is None:
        return
    counts = [f"{count} {state.value}" for state in SourceState if (count := getattr(verified, state.value))]
    yield f"  sources    {', '.join(counts) or 'none'}, as of {clock_time(verified.time)}"
    at_risk = list(missing_sources(run))
    for step, what in at_risk[:MAX_LINES]:
        yield click.style(f"  will fail  {escaped(step.step)} {escaped(what)}", fg="red")
    if len(at_risk) > MAX_LINES:
        yield f"             and {len(at_risk) - MAX_LINES} more"
