"""What a journal holds once a source has written it."""

from __future__ import annotations

from pathlib import Path

from build_exporter.journal.layout import builds, run_path, runs
from build_exporter.sources.attach import read_run
from build_exporter.tracker import Run


def runs_of(journal: Path) -> list[Run]:
    """Return the runs of every build, oldest first."""
    top = str(journal)
    return [read_run(run_path(top, build, name), build, name) for build in builds(top) for name in runs(top, build)]
