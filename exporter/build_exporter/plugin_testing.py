"""Test a source on a record: same final state from the start, attached late and after restarts.

For the tests of plug-ins, with pytest or without:

    def test_the_source(tmp_path):
        result = check_source(MySource, pieces_of("record.log"), tmp_path)
        assert result.steps["build/gcc"] == "succeeded"

It stands under the promise of `build_exporter.plugin`.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from build_exporter.config.kinds import NoOptions, filled
from build_exporter.journal.layout import run_path, runs
from build_exporter.sources.attach import Attachment, read_run
from build_exporter.sources.isolation import IsolatedSource
from build_exporter.sources.protocol import Settings, Source, SourceError
from build_exporter.tracker import Run

__all__ = ["Piece", "Result", "check_source", "pieces_of"]

BUILD: Final = "tried"

MOMENTS: Final = 20
"""Number of late attachments and restarts of a source."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Data a build appends to a file of its record at a moment.

    Attributes:
        name: the file, relative to the record's top.
        data: what is appended; nothing makes an empty file.
        time: Unix seconds that the file is given as its time, and at which sources poll; None: the time of writing.
    """

    name: str
    data: bytes
    time: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The final state of a record.

    Attributes:
        runs: its runs by name (`20260102T030405Z`), oldest first, each with its state in one word.
        steps: of the newest run, by `phase/step`, each with its state in one word, in the order of the build.
        messages: of the newest run's failed steps, by `phase/step`.
    """

    runs: Mapping[str, str]
    steps: Mapping[str, str]
    messages: Mapping[str, str]


def pieces_of(path: str | Path, *, count: int = 40) -> list[Piece]:
    """Return a record as pieces that can be written again.

    A file comes in pieces that end anywhere, within a line or between two. The files of a directory come whole, in
    the order of their times, which they keep.

    Args:
        path: a file or a directory.
        count: most pieces of a file.

    Raises:
        OSError: it can't be read.
    """
    top = Path(path)
    if top.is_dir():
        files = sorted((file.stat().st_mtime, file) for file in top.rglob("*") if file.is_file())
        return [Piece(f"{top.name}/{file.relative_to(top)}", file.read_bytes(), changed) for changed, file in files]
    data = top.read_bytes()
    places = range(1, max(len(data), 2))
    cuts = sorted(random.Random(1).sample(places, min(count, len(places)) - 1))  # noqa: S311 - no secret
    return [Piece(top.name, data[begin:end]) for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def check_source(
    make: Callable[[Settings], Source],
    pieces: Sequence[Piece],
    place: Path,
    *,
    options: Mapping[str, Any] | None = None,
    dated: bool = True,
) -> Result:
    """Write a record piece by piece, follow it in every way, and return its final state.

    It is followed from the start by a source that polls after each piece, by one made again at random moments as after
    a restart, and by sources attached to it at those moments. Each must reach the same state as importing the record,
    and none may emit an event twice. Emitted events are checked as the exporter checks them.

    Args:
        make: the source's class.
        pieces: the record, see `pieces_of`. What is watched is the file, or the directory, that all are of or in.
        place: a directory that may be written into.
        options: the kind's options; those not given are as they are by default.
        dated: whether the record has the times of its events; otherwise they are not compared.

    Raises:
        AssertionError: the states differ, or an event was emitted twice; the message says how and where.
        SourceError: the source failed.
    """
    trial = _Trial(make, place, pieces[0].name.partition("/")[0], dict(options or {}), dated)
    marked = set(random.Random(1).sample(range(len(pieces)), min(MOMENTS, len(pieces))))  # noqa: S311 - no secret
    followed = {"from the start": trial.attach("from the start")}
    for index, piece in enumerate(pieces):
        trial.write(piece)
        trial.poll(followed["from the start"])
        if index in marked:
            with closing(trial.attach("restarted")) as restarted:
                trial.poll(restarted)
            followed[f"late, at piece {index}"] = late = trial.attach(f"late, at piece {index}")
            trial.poll(late)
    followed["restarted"] = trial.attach("restarted")
    followed["imported"] = trial.attach("imported")
    for each in followed.values():
        with closing(each):
            trial.poll(each, over=True)
    wanted = trial.recorded("imported")
    assert wanted, "importing the record emits no run"
    for name in followed:
        trial.compare(name, wanted)
    return trial.result("imported")


class _Trial:
    """A record, those that follow it, and their journals."""

    def __init__(
        self, make: Callable[[Settings], Source], place: Path, watch: str, options: dict[str, Any], dated: bool
    ) -> None:
        self.top = place / "record"
        self.top.mkdir()
        self.journals = place / "journals"
        form = getattr(make, "Options", NoOptions)
        self.settings = Settings(self.top / watch, BUILD, filled(form, options))
        self.make = make
        self.dated = dated
        self.has_end = False
        self.now: float | None = None

    def write(self, piece: Piece) -> None:
        """Append a piece."""
        path = self.top / piece.name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(piece.data)
        self.now = piece.time
        if piece.time is not None:
            os.utime(path, (piece.time, piece.time))

    def attach(self, journal: str) -> Attachment:
        """Return a new source attached to a journal."""
        source = IsolatedSource("tried", "the source", lambda: self.make(self.settings), self.settings)
        return Attachment(source, str(self.journals / journal))

    def poll(self, attachment: Attachment, *, over: bool = False) -> None:
        """Poll once; before the record exists a source may raise SourceError."""
        try:
            attachment.poll(time.time() if self.now is None else self.now, over=over)
            self.has_end = True
        except SourceError:
            if self.has_end or over:
                raise

    def runs(self, journal: str) -> list[Run]:
        """Return a journal's runs, oldest first."""
        root = str(self.journals / journal)
        return [read_run(run_path(root, BUILD, name), BUILD, name) for name in runs(root, BUILD)]

    def recorded(self, journal: str) -> dict[str, str]:
        """Return the state of each run, one line per step."""
        return {run.run: "\n".join(self._lines(run)) for run in self.runs(journal)}

    def _lines(self, run: Run) -> list[str]:
        times = (run.start, run.end) if self.dated else ()
        return [f"run {run.state} {times}", *sorted(self._line(run, key) for key in run.steps)]

    def _line(self, run: Run, key: tuple[str, str]) -> str:
        step = run.steps[key]
        line = f"{step.phase}/{step.step} {step.state.label} attempts={step.attempts} {step.message or ''}"
        return f"{line} {step.starts} {step.ends} {step.seconds}" if self.dated else line

    def compare(self, name: str, wanted: Mapping[str, str]) -> None:
        """Compare a journal with the imported one; a late source may know fewer runs."""
        found = self.recorded(name)
        assert found, f"{name}: it emitted nothing"
        for run, text in found.items():
            assert run in wanted, f"{name}: it has a run {run}, importing has {', '.join(wanted)}"
            assert text == wanted[run], f"{name} results in\n{text}\nbut importing it in\n{wanted[run]}"
        assert max(found) == max(wanted), f"{name}: it lacks the newest run, {max(wanted)}"
        lines = [line for path in (self.journals / name).glob("*/*.jsonl") for line in path.read_text().splitlines()]
        twice = {line for line in lines if lines.count(line) > 1}
        assert not twice, f"{name}: emitted twice: {min(twice)}"

    def result(self, journal: str) -> Result:
        """Return what a journal holds."""
        found = self.runs(journal)
        steps = found[-1].steps.values()
        return Result(
            {run.run: str(run.state) for run in found},
            {f"{step.phase}/{step.step}": step.state.label for step in steps},
            {f"{step.phase}/{step.step}": step.message for step in steps if step.message},
        )
