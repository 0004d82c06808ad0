"""Lines of `status` on steps that will not fit, were slower than usual, never ran or are not in the plan."""

from __future__ import annotations

from collections.abc import Iterator

import click

from build_exporter.collectors.analysis import fits
from build_exporter.model.text import plain_line
from build_exporter.queries.attention import attention
from build_exporter.queries.context import Context
from build_exporter.tracker import Run, Tracker

WORDS = {
    "short": ("short", "red"),
    "slower": ("slower", "yellow"),
    "pending": ("pending", "yellow"),
    "unplanned": ("unplanned", "yellow"),
}
SHOWN = 3


def analysis_lines(tracker: Tracker, run: Run, journal: str, now: float) -> Iterator[str]:
    """Yield lines on steps that will not fit, that lost most time, that were planned and never ran, or are misspelt."""
    history = list(tracker.builds[run.build].history.values())
    known = fits(run, history, journal, now) if run.status is None else ()
    found = [each for each in attention(Context(tracker.builds, now, fits=lambda _: known), run) if each.kind in WORDS]
    for kind, (word, colour) in WORDS.items():
        of_kind = [each for each in found if each.kind == kind]
        for each in of_kind[:SHOWN]:
            where = f"{each.phase}/{each.step} " if each.step is not None else ""
            yield f"  {click.style(f'{word:<10}', fg=colour)} {plain_line(f'{where}{each.message}')}"
        if len(of_kind) > SHOWN:
            yield f"             and {len(of_kind) - SHOWN} more"
