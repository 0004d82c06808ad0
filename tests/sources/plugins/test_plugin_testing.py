"""`check_source` finds what is wrong with a source, and nothing wrong with a right one."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from build_exporter.plugin import Settings, SourceError, SourceEvent, TailFile, events
from build_exporter.plugin_testing import Piece, check_source, pieces_of
from build_exporter.sources.registry import BUILT_IN

if TYPE_CHECKING:
    from tests.sources.conftest import Record


class Lines:
    """Each line `time name status` is a step that ended."""

    kind = "lines"

    def __init__(self, settings: Settings) -> None:
        self.build = settings.build or "lines"
        self.file = TailFile(settings.path)

    def poll(self, now: float, *, over: bool = False) -> Iterator[SourceEvent]:
        """Emit what is new."""
        try:
            lines = self.file.read(over=over).lines
        except OSError as error:
            raise SourceError(str(error)) from error
        for line in lines:
            time, name, status = line.split()
            yield from self.step(float(time), name, status)

    def step(self, time: float, name: str, status: str) -> Iterator[SourceEvent]:
        """Emit a step."""
        yield SourceEvent(1.78e9, events.BuildStarted(time=1.78e9, build=self.build))
        yield SourceEvent(
            1.78e9,
            events.StepFinished(time=time, build=self.build, phase="p", step=name, status=status),  # type: ignore[arg-type]
        )


class ByTheClock(Lines):
    """Takes the time at which it looks for that of the record."""

    def poll(self, now: float, *, over: bool = False) -> Iterator[SourceEvent]:
        """Emit what is new, at the current time."""
        for reported in super().poll(now, over=over):
            reported.event.time = now
            yield reported


class Forgetful(Lines):
    """Counts the steps since it was made."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.number = itertools.count()
        self.late = settings.path.stat().st_size > 200 if settings.path.exists() else False

    def step(self, time: float, name: str, status: str) -> Iterator[SourceEvent]:
        """Emit a step by a number that only one who was there from the start has right."""
        yield from super().step(time, f"{name}-{self.late}", status)


class Repeating(Lines):
    """Emits a feedback with every line, which nothing holds back."""

    def step(self, time: float, name: str, status: str) -> Iterator[SourceEvent]:
        """Emit a step and the same feedback twice."""
        yield from super().step(time, name, status)
        for _ in range(2):
            yield SourceEvent(1.78e9, events.Feedback(time=time, build=self.build, rating=5))


class ByRun(Lines):
    """Names the run after the moment at which it was made."""

    made = itertools.count(1_790_000_000)

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.run = float(next(self.made))

    def poll(self, now: float, *, over: bool = False) -> Iterator[SourceEvent]:
        """Emit what is new of a run of its own."""
        for reported in super().poll(now, over=over):
            yield reported._replace(run_start=self.run)


class Silent(Lines):
    """Emits nothing."""

    def poll(self, now: float, *, over: bool = False) -> Iterator[SourceEvent]:
        """Emit nothing."""
        yield from ()


STEPS = [f"{1_780_000_000 + number}.5 step{number} succeeded\n" for number in range(19)]
TEXT = "".join([*STEPS, "1780000090 last failed\n"])


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A record of twenty steps, the last of which failed."""
    path = tmp_path / "twenty.log"
    path.write_text(TEXT)
    return path


def test_a_right_source_passes(record: Path, tmp_path: Path) -> None:
    """Its result is the state of the record: runs, steps, and nothing lost where the pieces were cut."""
    pieces = pieces_of(record)
    assert b"".join(piece.data for piece in pieces) == TEXT.encode()
    assert len(pieces) == 40
    result = check_source(Lines, pieces, tmp_path)
    assert result.runs == {"20260528T202640Z": "failed"}
    assert result.steps == {f"p/step{number}": "succeeded" for number in range(19)} | {"p/last": "failed"}


@pytest.mark.parametrize(
    ("make", "reported"),
    [
        (ByTheClock, "but importing it in"),
        (Forgetful, "but importing it in"),
        (Repeating, "emitted twice"),
        (ByRun, "it has a run"),
        (Silent, "importing the record emits no run"),
    ],
)
def test_a_wrong_source_is_found_out(make: type[Lines], reported: str, record: Path, tmp_path: Path) -> None:
    """Each mistake that shows first in a night with a restart shows here, in words."""
    with pytest.raises(AssertionError, match=reported):
        check_source(make, pieces_of(record), tmp_path)


def test_nonsense_is_found_out(record: Path, tmp_path: Path) -> None:
    """What the exporter would refuse is refused here, with the same words."""
    record.write_text("1780000000 step excellent\n")
    with pytest.raises(SourceError, match=r"invalid StepFinished: Invalid enum value 'excellent'"):
        check_source(Lines, pieces_of(record), tmp_path)


def test_directories_come_file_by_file_with_their_times(tmp_path: Path) -> None:
    """A record of many files is written in the order in which it came to be."""
    tree = tmp_path / "tree" / "inner"
    tree.mkdir(parents=True)
    for name, changed in (("b", 1.78e9), ("a", 1.79e9)):
        (tree / name).write_text(name)
        os.utime(tree / name, (changed, changed))
    assert pieces_of(tmp_path / "tree") == [Piece("tree/inner/b", b"b", 1.78e9), Piece("tree/inner/a", b"a", 1.79e9)]


@pytest.mark.parametrize("name", ["jhalfs", "buildroot", "bitbake", "log", "undated-log"])
def test_built_in_sources_pass(made_records: dict[str, Record], name: str, tmp_path: Path) -> None:
    """What is asked of others' sources is what ours do."""
    record = made_records[name]
    kind = next(kind for kind in BUILT_IN if kind.name == record.kind)
    top = record.watch.partition("/")[0]
    pieces = [
        Piece(piece.name, piece.data, piece.time if record.is_dated else None)
        for piece in sorted(record.pieces, key=lambda piece: piece.time)
        if piece.name.partition("/")[0] == top
    ]
    assert check_source(kind.make, pieces, tmp_path, dated=record.is_dated).steps
