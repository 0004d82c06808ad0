"""Records written as their builds did, and the state of a journal they were followed into."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path

import pytest
from journals import runs_of
from tests.sources.conftest import MADE, Piece, Record

from build_exporter.sources.attach import Attachment
from build_exporter.sources.protocol import Settings, Source, SourceError
from build_exporter.sources.registry import kinds
from build_exporter.tracker import Run, Step

SETTLE_SECONDS = 3.0
"""A look so long after something was written takes it for settled."""


class Place:
    """A directory into which a record is written, and what follows it there."""

    def __init__(self, record: Record, top: Path) -> None:
        self.record, self.top = record, top
        self.path = top / record.name
        self.path.mkdir()
        self.written = 0
        # no one builds here, and time passes so fast that the process table would be gone through at each poll
        self._nobody = top / "proc"
        self._nobody.mkdir()
        self._closing = ExitStack()

    def write(self, end: int | None = None) -> None:
        """Write the pieces up to one."""
        for piece in self.record.pieces[self.written : end]:
            self._put(piece)
        self.written = len(self.record.pieces) if end is None else end

    def _put(self, piece: Piece) -> None:
        path = self.path / piece.name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(piece.data)
        if self.record.keeps_times:
            os.utime(path, (piece.time, piece.time))

    @property
    def now(self) -> float:
        """A moment after the newest piece, by the record's own clock."""
        newest = self.record.pieces[max(0, self.written - 1)].time
        return newest + SETTLE_SECONDS if self.record.is_dated else time.time()

    @property
    def file_clock(self) -> float:
        """A moment after the newest piece, by the clock that the times of the files are of."""
        return self.now if self.record.keeps_times else time.time()

    @property
    def watched(self) -> Path:
        """What is watched."""
        return self.path / self.record.watch

    @property
    def victim(self) -> Path:
        """The file or directory without which the record can't be read."""
        return self.path / (self.record.victim or self.record.text)

    def fall_silent(self) -> None:
        """Make the record look as if nothing had been written for days."""
        for path in self.path.rglob("*"):
            if path.is_file() and not self.record.keeps_times:
                os.utime(path, (time.time() - 3 * 86400,) * 2)

    def source(self, build: str | None = "build") -> Source:
        """Return a new source."""
        options = {**self.record.options, "proc": self._nobody}
        source = kinds()[self.record.kind].make(Settings(self.watched, build, options))
        self._closing.callback(getattr(source, "close", int))
        return source

    def attach(self, journal: str) -> Attachment:
        """Attach a new source to a journal; again to the same is a restart."""
        attachment = Attachment(self.source(), str(self.top / journal))
        self._closing.callback(attachment.close)
        return attachment

    def poll(self, each: Attachment | Source, now: float | None = None) -> None:
        """Look; before there is anything of the record that it can't be read is reported."""
        now = self.now if now is None else now
        with nullcontext() if self.victim.exists() else suppress(SourceError):
            each.poll(now) if isinstance(each, Attachment) else list(each.poll(now))

    def close(self) -> None:
        """Close what was attached."""
        self._closing.close()

    def imported(self) -> list[Run]:
        """Import the record as it is and return its runs, oldest first."""
        self.attach("expected").poll(self.now, over=True)
        return self.runs("expected")

    def runs(self, journal: str) -> list[Run]:
        """Return a journal's runs, oldest first."""
        return [run for run in runs_of(self.top / journal) if run.build == "build"]

    def lines(self, journal: str) -> list[str]:
        """Return a journal's lines."""
        return [line for path in sorted((self.top / journal).glob("build/*")) for line in path.read_text().splitlines()]

    def state(self, journal: str) -> dict[str, str]:
        """Return the state of a journal's runs by run, without intermediate progress."""
        return {run.run: "\n".join(_reported(run, self.record)) for run in self.runs(journal)}


def _reported(run: Run, record: Record) -> Iterator[str]:
    yield f"{run.state} {run.source} {run.target} {run.book} {run.jobs} {dict(run.results)}"
    yield f"milestones {[m.name for m in run.planned_milestones]} {run.milestones if record.is_dated else ''}"
    if record.is_dated:
        yield f"{run.start} {run.end} {run.starts} {run.ends}"
    # a note of an undated record is of the time at which it was seen
    yield from (f"note {when if record.is_dated else ''} {words}" for when, words in run.notes)
    yield from sorted(_emitted_step(step, record) for step in run.steps.values())


def _emitted_step(step: Step, record: Record) -> str:
    reported = [step.phase, step.step, step.state.label, step.attempts, step.message, step.exit_code, step.error_class]
    reported += [step.planned, step.sbu, step.expected_seconds, step.after, sorted(step.tests.items())]
    reported += [step.cpu_seconds, step.max_rss_bytes, step.read_bytes, step.written_bytes, step.disk_bytes]
    if record.is_dated:
        # of an undated step that was over before it was watched not even the start is reported, nor what comes with it
        reported += [step.package, step.version, step.log, step.starts, step.ends, step.start, step.end, step.seconds]
    return " ".join(map(str, reported))


@pytest.fixture(params=MADE)
def record(request: pytest.FixtureRequest) -> Record:
    """Each record in turn."""
    return MADE[request.param]()


@pytest.fixture
def new_place() -> Iterator[Callable[[Record, Path], Place]]:
    """Make places for records, each in the directory given."""
    with ExitStack() as closing:

        def make(record: Record, top: Path) -> Place:
            place = Place(record, top)
            closing.callback(place.close)
            return place

        yield make


@pytest.fixture
def put(tmp_path: Path, new_place: Callable[[Record, Path], Place]) -> Callable[[Record], Place]:
    """Make places for records, each in a directory of its own."""
    made: list[Place] = []

    def make(record: Record) -> Place:
        top = tmp_path / f"{len(made)}-{record.name}"
        top.mkdir()
        made.append(new_place(record, top))
        return made[-1]

    return make
