"""Emerge logs of the tests: written line by line, imported, followed, and compared as run states."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from build_exporter.journal.layout import run_path, runs
from build_exporter.sources.attach import Attachment, read_run
from build_exporter.sources.portage.source import Portage
from build_exporter.sources.protocol import Settings
from build_exporter.tracker import Run

NOW = time.time()
"""Logs of the tests are written to about now, so they are not silent."""


def _attach(log: Path, journal: Path, **options: object) -> Attachment:
    """Attach a new source to a journal."""
    return Attachment(Portage(Settings(log, options=options)), str(journal))


def states(journal: Path) -> dict[str, Run]:
    """Return the runs of a journal by name."""
    names = runs(str(journal), "portage")
    return {name: read_run(run_path(str(journal), "portage", name), "portage", name) for name in names}


class EmergeLog:
    """A log that grows, each line of it a second after the one before unless set otherwise."""

    def __init__(self, path: Path) -> None:
        self.path, self.clock = path, 1.7e9
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def add(self, text: str, after: float = 1) -> float:
        """Append an entry and return its time."""
        self.clock += after
        space = "" if text.startswith("Started") else " "
        self.raw(f"{int(self.clock)}: {space}{text}\n".encode())
        return self.clock

    def raw(self, data: bytes) -> None:
        """Append bytes."""
        with self.path.open("ab") as file:
            file.write(data)

    def emerge(self, arguments: str = "--verbose @world") -> float:
        """Start an emerge; return its start."""
        start = self.add("Started emerge on: sty 02, 2024 00:00:00")
        self.add(f"*** emerge {arguments}", 0)
        return start

    def begin(self, number: int, total: int, package: str, *, kind: str = "Cleaning") -> float:
        """Begin a package; return when."""
        start = self.add(f">>> emerge ({number} of {total}) {package} to /")
        self.add(f"=== ({number} of {total}) {kind} ({package}::/var/db/repos/x/{package}.ebuild)", 0)
        return start

    def complete(self, number: int, total: int, package: str, after: float = 10) -> float:
        """Complete a package; return when."""
        return self.add(f"::: completed emerge ({number} of {total}) {package} to /", after)

    def end(self, status: int | None = 0) -> float:
        """End the emerge; return when it said so."""
        if status is not None:
            how = "successfully." if status == 0 else f"unsuccessfully with status '{status}'."
            self.add(f"*** exiting {how}")
        return self.add("*** terminating.", 0 if status is not None else 1)


@pytest.fixture
def log(tmp_path: Path) -> EmergeLog:
    """An empty emerge.log."""
    return EmergeLog(tmp_path / "emerge.log")


@pytest.fixture
def imported(tmp_path: Path) -> Callable[..., dict[str, Run]]:
    """Import a log and return its runs."""

    def take(path: Path, **options: object) -> dict[str, Run]:
        journal = tmp_path / f"imported-{random.random()}"
        attachment = _attach(path, journal, **options)
        attachment.poll(NOW, over=True)
        attachment.close()
        return states(journal)

    return take


@pytest.fixture
def attached(tmp_path: Path) -> Callable[..., Attachment]:
    """Attach to a log as if it were written to just now; attaching again is a restart."""
    return lambda path, **options: _attach(path, tmp_path / "journal", **options)


@pytest.fixture
def runs_of(tmp_path: Path) -> Callable[[], dict[str, Run]]:
    """Return the runs emitted by `attached`, by name."""
    return lambda: states(tmp_path / "journal")
