"""Choose the past runs of a record to leave out when it is first watched: the oldest, unless the journal lacks them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from build_exporter.journal.layout import runs
from build_exporter.model.names import run_start

Run = TypeVar("Run")


def left_out_runs(found: Iterable[tuple[float, Run]], keep: int, journal: str | None, build: str) -> list[Run]:
    """Return the oldest runs beyond the newest `keep`, less those later than all that the journal holds of the build.

    Args:
        found: start in Unix seconds of each past run, and the run.
        keep: how many are reported where the journal holds none.
        journal: its directory, None where that is not known.
        build: name of the line of builds.
    """
    known = runs(journal, build)[-1:] if journal is not None else []
    newest = run_start(known[0]) if known else float("inf")
    return [run for start, run in sorted(found, key=lambda each: each[0])[:-keep] if int(start) <= newest]
