"""Buildroot logs of the tests: written line by line, imported, followed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from build_exporter.journal.layout import builds, run_path, runs
from build_exporter.sources.attach import Attachment, read_run
from build_exporter.sources.buildroot.source import Buildroot
from build_exporter.sources.protocol import Settings
from build_exporter.tracker import Run


def states(journal: Path) -> dict[str, Run]:
    """Return the runs of a journal by name."""
    return {
        name: read_run(run_path(str(journal), build, name), build, name)
        for build in builds(str(journal))
        for name in runs(str(journal), build)
    }


class BuildTimeLog:
    """An output directory whose build-time.log grows as Buildroot's does."""

    def __init__(self, output: Path) -> None:
        self.output, self.clock = output, time.time() - 86400 * 3
        self.path = output / "build/build-time.log"
        self.path.parent.mkdir(parents=True)
        self.path.touch()

    def add(self, what: str, step: str, package: str, after: float = 1.0) -> float:
        """Append a line and return its time."""
        self.clock += after
        with self.path.open("a") as file:
            file.write(f"{self.clock:.9f}:{what:<5.5}:{step:<20.20}: {package}\n")
        return round(self.clock, 3)

    def step(self, step: str, package: str, seconds: float = 10.0) -> None:
        """Append a whole step."""
        self.add("start", step, package)
        self.add("end", step, package, seconds)


@pytest.fixture
def output(tmp_path: Path) -> BuildTimeLog:
    """An output directory with an empty log."""
    return BuildTimeLog(tmp_path / "output")


@pytest.fixture
def attach(tmp_path: Path) -> Callable[..., Attachment]:
    """Attach to a record; doing so again with the same journal is a restart."""

    def attach(path: Path, journal: str = "journal", **options: object) -> Attachment:
        return Attachment(Buildroot(Settings(path, options=options)), str(tmp_path / journal))

    return attach


@pytest.fixture
def runs_of(tmp_path: Path) -> Callable[..., list[Run]]:
    """Return a journal's runs, oldest first."""
    return lambda journal="journal": list(states(tmp_path / journal).values())


@pytest.fixture
def imported(attach: Callable[..., Attachment], runs_of: Callable[..., list[Run]]) -> Callable[..., list[Run]]:
    """Import a record and return its runs."""

    def take(path: Path, **options: object) -> list[Run]:
        journal = f"imported-{random.random()}"
        attachment = attach(path, journal, **options)
        attachment.poll(time.time(), over=True)
        attachment.close()
        return runs_of(journal)

    return take
