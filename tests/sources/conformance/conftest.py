"""Real records beside those made up, written as their builds did; the state of a journal they were followed into."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path
from typing import Final

import pytest
from tests.sources.conftest import MADE, Piece, Record, cut

from build_exporter.journal.layout import run_path, runs
from build_exporter.model.events import StepFinished, StepStarted
from build_exporter.sources.attach import Attachment, read_run
from build_exporter.sources.jhalfs.source import Jhalfs
from build_exporter.sources.ninja.log import read_row
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
        root = str(self.top / journal)
        return [read_run(run_path(root, "build", name), "build", name) for name in runs(root, "build")]

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


def recorded_jhalfs(records: Path) -> Record:
    """A complete LFS build of 154 steps; when its files were written is what the import finds in them."""
    tree = records / "jhalfs/alfs-sysroot/20240330.sysv"
    starts: dict[str, float] = {}
    ends: dict[str, float] = {}
    for reported in Jhalfs(Settings(tree)).poll(0.0, over=True):
        if isinstance(reported.event, StepStarted | StepFinished):
            (starts if isinstance(reported.event, StepStarted) else ends)[reported.event.step] = reported.event.time
    pieces = [Piece(min(starts.values()) - 60, "jhalfs/Makefile", (tree / "Makefile").read_bytes())]
    for step, end in ends.items():
        start = starts.get(step, end)
        found = next((path for path in (tree / "logs").glob(f"{step}*") if path.suffix != ".MISSING"), None)
        data = found.read_bytes() if found is not None else b""
        first, half = data.find(b"\n") + 1, len(data) * 2 // 3
        if found is not None and 0 < first <= half:
            name = f"jhalfs/logs/{found.name}"
            pieces.append(Piece(start, name, data[:first]))
            pieces.append(Piece((start + end) / 2, name, data[first:half]))
            pieces.append(Piece(end, name, data[half:]))
        pieces.append(Piece(end + 0.25, f"jhalfs/{step}"))
    return Record("jhalfs-real", "jhalfs", pieces, "jhalfs", victim="jhalfs/Makefile", keeps_times=True)


def recorded_portage(records: Path) -> Record:
    """The newest quarter of 1,025 merges."""
    data = (records / "portage/compilerscreensaver/emerge.log").read_bytes()
    data = data[data.index(b": Started emerge on", len(data) * 3 // 4) - 10 :]
    pieces = cut("emerge.log", data, re.compile(rb"^(\d{10}):", re.MULTILINE), 100)
    return Record("portage-real", "portage", pieces, "emerge.log", text="emerge.log")


def recorded_buildroot(records: Path) -> Record:
    """Six runs, two of which failed."""
    data = (records / "buildroot/Dean-Chu+buildroot-2017.08.build-time.log").read_bytes()
    name = "output/build/build-time.log"
    return Record(
        "buildroot-real",
        "buildroot",
        cut(name, data, re.compile(rb"^(\d{10}):", re.MULTILINE), 120),
        "output",
        text=name,
    )


def recorded_bitbake(records: Path, name: str, stamp: str, opened: str) -> Record:
    """Buildstats with their console log, in the order in which tasks began and ended."""
    top = records / "bitbake/buildstats/c08yyl/build"
    stats, log = f"tmp/buildstats/{stamp}", f"tmp/log/cooker/qemux86-64/{opened}.log"
    moments = sorted(_moments(top / stats))
    lines = (top / stats / "build_stats").read_text().splitlines(keepends=True)
    head, tail = "".join(lines[:2]), "".join(lines[2:])
    console = cut(f"build/{log}", (top / log).read_bytes(), None, len(moments))
    pieces = [
        Piece(moments[0][0], console[0].name, console[0].data),
        Piece(moments[0][0], f"build/{stats}/build_stats", head.encode()),
    ]
    for (clock, task, data), said in zip(moments, console[1:], strict=True):
        pieces += [Piece(clock, f"build/{stats}/{task}", data), Piece(clock, said.name, said.data)]
    pieces.append(Piece(moments[-1][0] + 1, f"build/{stats}/build_stats", tail.encode()))
    return Record(name, "bitbake", pieces, "build", victim="build/tmp/buildstats", text=f"build/{log}")


def _moments(stats: Path) -> Iterator[tuple[float, str, bytes]]:
    """Yield when each task began and ended, its file's name, and what was written then."""
    for path in stats.glob("*/do_*"):
        text = path.read_text()
        begun = "".join(text.splitlines(keepends=True)[:2])
        times = [float(found) for found in re.findall(r"^(?:Started|Ended): (\S+)", text, re.MULTILINE)]
        name = str(path.relative_to(stats))
        yield from zip(times, [name, name], [begun.encode(), text[len(begun) :].encode()], strict=False)


def recorded_console(records: Path) -> Record:
    """The end of the console log of 9,030 tasks."""
    data = (records / "bitbake/console-dunfell-9030-tasks.log").read_bytes()
    data = data[data.index(b"\n", len(data) * 5 // 6) + 1 :]
    return Record(
        "console-real", "bitbake", cut("console.log", data, None, 40), "console.log", text="console.log", is_dated=False
    )


def recorded_ninja(records: Path) -> Record:
    """LLVM's largest run: the rows that show its beginning, in the order of their ends."""
    lines = (records / "ninja/NekoSekaiMoe+llvm-build.out.ninja_log").read_text().splitlines(keepends=True)
    rows = [(row, line) for line in lines if (row := read_row(line)) and 1755758681 <= row.latest <= 1755758699]
    rows.sort(key=lambda each: each[0].end)
    data = "".join([lines[0], *(line for _, line in rows)]).encode()
    return Record("ninja-real", "ninja", cut("llvm/.ninja_log", data, None, 100), "llvm", text="llvm/.ninja_log")


REAL: Final[dict[str, Callable[[Path], Record]]] = {
    "jhalfs-real": recorded_jhalfs,
    "portage-real": recorded_portage,
    "buildroot-real": recorded_buildroot,
    # 728 tasks, and a build that was cut off while tasks failed
    "bitbake-real": lambda records: recorded_bitbake(records, "bitbake-real", "20240412132813", "20240412132810"),
    "cut-real": lambda records: recorded_bitbake(records, "cut-real", "20241228144901", "20241228144725"),
    "console-real": recorded_console,
    "ninja-real": recorded_ninja,
}


@pytest.fixture(params=[*MADE, *REAL])
def record(request: pytest.FixtureRequest) -> Record:
    """Each record in turn: those made up, and the real ones where they are at hand."""
    if request.param in MADE:
        return MADE[request.param]()
    return REAL[request.param](request.getfixturevalue("records"))


@pytest.fixture
def ended_records(records: Path) -> list[Record]:
    """The real records that have an end."""
    return [make(records) for name, make in REAL.items() if name != "cut-real"]


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
