"""The SBU and disk report that jhalfs writes at the end of a run: durations of each step, for the history.

    Thu May 15 06:14:53 UTC 2025
    Book version is:	r12.3-46-systemd
    INITSYS 	<systemd>
    The SBU unit value is equal to 67 seconds at -j3.
                                [gcc-pass1-14.2.0]
    Build time in seconds is:				762
    Required space to build the package:			5258528 KB or 5135.281 MB

It has neither start times nor the Makefile's step numbers. Steps are laid end to end before the date at
its top, and counted again in each chapter; a chapter is recognised by its first step.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from build_exporter.model import events as e
from build_exporter.model.names import MAX_NAME_LENGTH
from build_exporter.plan.milestones import lfs_milestones
from build_exporter.sources.files import Ends, read_ends
from build_exporter.sources.jhalfs.dates import Evidence, Zones, parse_date
from build_exporter.sources.jhalfs.names import jobs_of, name_after, target_of, tests_of
from build_exporter.sources.jhalfs.tree import parse_settings
from build_exporter.sources.protocol import Settings, SourceError, SourceEvent
from build_exporter.sources.sequence import Attempt, Emitter

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_REPORTS: Final = 1000
MAX_SECONDS: Final = 366 * 86400
"""Longest a step may have taken; what is more is damage."""

_VERSION: Final = re.compile(r"^Book version is:[ \t]*(\S{1,100})[ \t]*$", re.MULTILINE)
_SECTION: Final = re.compile(r"^[ \t]*\[([\w.+-]{1,150})\][ \t]*$", re.MULTILINE)
_SECONDS: Final = re.compile(r"^Build time in seconds is:[ \t]*(\d{1,9})[ \t]*$", re.MULTILINE)
_BEFORE: Final = re.compile(r"^Disk usage before unpacking the package:[ \t]*(\d{1,15}) KB\b", re.MULTILINE)
_SPACE: Final = re.compile(r"^Required space to build the package:[ \t]*(-?\d{1,15}) KB\b", re.MULTILINE)
_END: Final = re.compile(r"^Total time required\b.*\n", re.MULTILINE)
_PACKAGE: Final = re.compile(r"^(.+?)-(\d[\w.+-]*)$")
_PASS: Final = re.compile(r"-pass\d$")

_BEGINNINGS: Final = (
    ("chapter-5", frozenset({"binutils-pass1"})),
    ("chapter-6", frozenset({"m4"})),
    ("chapter-7", frozenset({"changingowner", "kernfs"})),
    ("chapter-8", frozenset({"man-pages"})),
    ("chapter-9", frozenset({"bootscripts", "symlinks", "network", "clock"})),
    ("chapter-10", frozenset({"fstab", "kernel"})),
)
"""The steps that chapters begin with, since the book has these chapters (LFS 10)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One step of a report: phase, the target it probably had, what it builds, seconds it took, bytes it needed,
    bytes in use before it.
    """

    phase: str
    step: str
    package: str | None
    version: str | None
    seconds: int
    disk_bytes: int | None
    disk_before_bytes: int | None


@dataclass(frozen=True, slots=True)
class Report:
    """A report: Unix seconds of its end, the book's version, settings of the run, steps in their order."""

    end: float
    book: str
    settings: Mapping[str, str]
    entries: Sequence[Entry]

    @property
    def start(self) -> float:
        """When the run began if it did nothing but these steps; Unix seconds."""
        return self.end - sum(entry.seconds for entry in self.entries)

    def entry(self, phase: str, target: str) -> Entry | None:
        """Return the values of a target of the Makefile, whose number the report lacks."""
        name = target.partition("-")[2]
        return next(
            (each for each in self.entries if each.phase == phase and each.step.partition("-")[2] == name), None
        )

    def milestones(self) -> list[e.PlannedMilestone]:
        """Return the milestones of an LFS build that this one had."""
        first_in_chroot = next((entry for entry in self.entries if entry.step.endswith("-creatingdirs")), None)
        return lfs_milestones(
            {entry.phase for entry in self.entries},
            (first_in_chroot.phase, first_in_chroot.step) if first_in_chroot else None,
            self.entries[-1].step,
        )


class JhalfsReports:
    """Reads one report, or all that are in a directory: a run each."""

    kind = "jhalfs-report"

    def __init__(self, settings: Settings) -> None:
        self._path = settings.path
        self._reported: dict[Path, tuple[int, float]] = {}
        self.build = settings.build or self._first_name() or "lfs"

    @staticmethod
    def recognises(path: Path) -> bool:
        """Return whether a path is a report, or a directory with one."""
        return any(_is_report(each) for each in _reports(path))

    def _first_name(self) -> str:
        for path in _reports(self._path):
            try:
                report = parse_report(_read(path))
            except (OSError, SourceError):
                continue
            return name_after(report.book, report.settings)
        return ""

    def poll(self, now: float, *, over: bool = False) -> Iterator[SourceEvent]:
        """Yield the runs of the reports that are new or have changed.

        Raises:
            SourceError: a report, or the directory, can't be read; the others have been emitted.
        """
        bad: list[str] = []
        paths = _reports(self._path)
        if not paths:
            raise SourceError(f"{self._path}: no report of jhalfs (*.report) there")
        for path in paths:
            try:
                ends = _read(path)
                seen = (ends.size, ends.changed)
                if self._reported.get(path) != seen:
                    yield from self._emit(parse_report(ends))
                    self._reported[path] = seen
            except (OSError, SourceError) as error:
                bad.append(f"{path.name}: {getattr(error, 'strerror', None) or error}")
        if bad:
            raise SourceError(f"{len(bad)} of {len(paths)} reports can't be read: {bad[0]}")

    def _emit(self, report: Report) -> Iterator[SourceEvent]:
        emitter = Emitter()
        yield from emitter.begin(
            e.BuildStarted(
                time=report.start,
                build=self.build,
                source=self.kind,
                target=target_of(report.settings),
                book=report.book or None,
                jobs=jobs_of(report.settings),
                tests=tests_of(report.settings),
            )
        )
        steps = [
            e.PlannedStep(phase=n.phase, step=n.step, package=n.package, version=n.version) for n in report.entries
        ]
        yield from emitter.plan(steps, report.milestones())
        yield from emitter.emit(_attempts(report))
        yield from emitter.finish("succeeded", report.end)


def _attempts(report: Report) -> Iterator[Attempt]:
    time = report.start
    for entry in report.entries:
        start, time = time, time + entry.seconds
        yield Attempt(
            phase=entry.phase,
            step=entry.step,
            start=start,
            end=time,
            ending="succeeded",
            seconds=float(entry.seconds),
            disk_bytes=entry.disk_bytes,
            disk_before_bytes=entry.disk_before_bytes,
            package=entry.package,
            version=entry.version,
        )


def parse_report(ends: Ends) -> Report:
    """Parse a report.

    Raises:
        SourceError: it is none, is cut, or of a book before LFS 10, whose chapters were others.
    """
    text = ends.head
    if ends.size > MAX_BYTES:
        raise SourceError(f"of {ends.size} bytes, no report is so long")
    date = parse_date(text.strip().partition("\n")[0])
    version = _VERSION.search(text)
    if date is None or version is None:
        raise SourceError("no report of jhalfs: date and book version are missing")
    if _END.search(text) is None:
        raise SourceError("its end is missing: it is cut, or still being written")
    entries = list(_entries(text))
    if not entries:
        raise SourceError("no step in it")
    zone = parse_settings(text).get("TIMEZONE", "")
    end = Zones().unix(date, Evidence(changed=ends.changed, zone=zone))
    return Report(end, version[1], parse_settings(text), entries)


def report_beside(tree: Path, timed: Mapping[tuple[str, str], int]) -> Report | None:
    """Return the newest report in a directory of jhalfs that is of its run; None without one.

    Args:
        tree: the directory.
        timed: seconds of the steps from their logs, by phase and target: most must agree.
    """
    found: list[Report] = []
    for path in _reports(tree):
        with contextlib.suppress(OSError, SourceError):
            found.append(parse_report(_read(path)))
    for report in sorted(found, key=lambda each: each.end, reverse=True):
        reported = [(seconds, entry) for key, seconds in timed.items() if (entry := report.entry(*key)) is not None]
        if reported and 2 * sum(entry.seconds == seconds for seconds, entry in reported) > len(reported):
            return report
    return None


def _entries(text: str) -> Iterator[Entry]:
    sections = [*_SECTION.finditer(text)]
    places = [(found[1], found.end()) for found in sections]
    chapters = _Chapters()
    for (name, begin), (_, end) in pairwise([*places, ("", len(text))]):
        took = _SECONDS.search(text, begin, end)
        if took is None or int(took[1]) > MAX_SECONDS:
            continue
        space, before = _SPACE.search(text, begin, end), _BEFORE.search(text, begin, end)
        split = _PACKAGE.match(name)
        bare, version = (split[1], split[2]) if split else (name, None)
        phase, step = chapters.place(bare)
        yield Entry(
            phase=phase,
            step=step[:MAX_NAME_LENGTH],
            package=_PASS.sub("", bare) if version else None,
            version=version,
            seconds=int(took[1]),
            disk_bytes=int(space[1]) * 1024 if space and int(space[1]) >= 0 else None,
            disk_before_bytes=int(before[1]) * 1024 if before else None,
        )


class _Chapters:
    """Counts steps in their chapters."""

    def __init__(self) -> None:
        self._at = -1
        self._count = 0

    def place(self, name: str) -> tuple[str, str]:
        """Return the phase of the next step and the target it has there.

        Raises:
            SourceError: the first step is none that chapter 5 begins with.
        """
        for ahead in range(self._at + 1, len(_BEGINNINGS)):
            # each follows on the one before it, as m4 is built in two of them; only chapter 9 may have no step at all
            follows = ahead == self._at + 1 or (ahead == len(_BEGINNINGS) - 1 and ahead == self._at + 2)
            if follows and name in _BEGINNINGS[ahead][1]:
                self._at, self._count = ahead, 0
                break
        if self._at < 0:
            raise SourceError(f"it begins with {name}: the book is older than LFS 10, or this is no LFS")
        self._count += 1
        phase = _BEGINNINGS[self._at][0]
        return phase, f"{phase.removeprefix('chapter-')}{self._count:02}-{name}"


def _read(path: Path) -> Ends:
    return read_ends(path, MAX_BYTES, 0)


def _reports(path: Path) -> list[Path]:
    if path.is_dir():
        try:
            return sorted(path.glob("*.report"))[:MAX_REPORTS]
        except OSError:
            return []
    return [path] if path.suffix == ".report" else []


def _is_report(path: Path) -> bool:
    try:
        return _VERSION.search(read_ends(path, 4096, 0).head) is not None
    except OSError:
        return False
