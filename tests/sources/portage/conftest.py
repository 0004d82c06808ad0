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

State = dict[str, object]


def _attach(log: Path, journal: Path, **options: object) -> Attachment:
    """Attach a new source to a journal."""
    return Attachment(Portage(Settings(log, options=options)), str(journal))


def states(journal: Path) -> dict[str, Run]:
    """Return the runs of a journal by name."""
    names = runs(str(journal), "portage")
    return {name: read_run(run_path(str(journal), "portage", name), "portage", name) for name in names}


def summary(journal: Path) -> dict[str, State]:
    """Return the state of a journal's runs, comparable between journals."""
    return {
        name: {
            "state": str(run.state),
            "times": (run.start, run.end),
            "target": run.target,
            "steps": {
                key: (step.state.label, step.attempts, step.start, step.end, step.seconds, step.expected_seconds)
                for key, step in sorted(run.steps.items())
            },
        }
        for name, run in states(journal).items()
    }


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
def followed(tmp_path: Path) -> Callable[..., None]:
    """Write a record piece by piece under a follower, restarted and attached late; compare with its import."""

    def check(record: Path, pieces: int, seed: int = 1, **options: object) -> None:
        now = time.time()

        def attach(log: Path, journal: Path) -> Attachment:
            return _attach(log, journal, **options)

        chance = random.Random(seed)
        data = record.read_bytes()
        cuts = [*sorted({chance.randrange(len(data)) for _ in range(pieces)}), len(data)]
        late_at = set(chance.sample(range(len(cuts)), min(10, len(cuts))))
        restart_at = set(chance.sample(range(len(cuts)), min(10, len(cuts))))
        grown = tmp_path / "grown.log"
        grown.touch()
        whole, began = attach(grown, tmp_path / "followed"), 0
        restarted = attach(grown, tmp_path / "restarted")
        late: list[Attachment] = []
        for index, cut in enumerate(cuts):
            with grown.open("ab") as file:
                file.write(data[began:cut])
            began = cut
            if index in restart_at:
                restarted.close()
                restarted = attach(grown, tmp_path / "restarted")
            if index in late_at:
                late.append(attach(grown, tmp_path / f"late-{len(late)}"))
            for each in (whole, restarted, *late):
                each.poll(now)
        for each in (whole, restarted, *late):
            each.poll(now, over=True)
            each.close()
        final = attach(record, tmp_path / "final")
        final.poll(now, over=True)
        final.close()
        wanted = summary(tmp_path / "final")
        assert wanted
        names = ["followed", "restarted", *(f"late-{index}" for index in range(len(late)))]
        for name in names:
            found = summary(tmp_path / name)
            # a late attachment emits only the newest past runs
            assert found == {run: state for run, state in wanted.items() if run in found}, name
            assert len(found) >= min(50, len(wanted)), name
        assert summary(tmp_path / "followed").keys() == wanted.keys()

    return check


@pytest.fixture
def attached(tmp_path: Path) -> Callable[..., Attachment]:
    """Attach to a log as if it were written to just now; attaching again is a restart."""
    return lambda path, **options: _attach(path, tmp_path / "journal", **options)


@pytest.fixture
def runs_of(tmp_path: Path) -> Callable[[], dict[str, Run]]:
    """Return the runs emitted by `attached`, by name."""
    return lambda: states(tmp_path / "journal")
